"""A node pool: the response body of DeleteNodePool and ShowNodePool, and an item of ListNodePools.

Tables 2 to 14 of https://support.huaweicloud.com/intl/en-us/api-modelarts/DeleteNodePool.html. Fields that only the
SDKs have (rootVolume, dataVolumes, volumeGroupConfigs) are kept like unknown keys.
"""

from modelarts_nodepool.modelarts.wire.loose import Count, Many, Map, One, Text, Texts, Unreadable, Wire


class PoolNodeAz(Wire):
    """Table 14: how many nodes in one availability zone."""

    az: Text = None
    count: Count = None


class Taint(Wire):
    """Table 6."""

    key: Text = None
    value: Text = None
    effect: Text = None


class UserTag(Wire):
    """Table 7."""

    key: Text = None
    value: Text = None


class NodeNetwork(Wire):
    """Table 8."""

    vpc: Text = None
    subnet: Text = None
    security_groups: Texts = ()


class CreatingStep(Wire):
    """Table 9: creation in batches of supernodes."""

    step: Count = None
    type: Text = None


class Os(Wire):
    """Table 10: the image of the nodes."""

    name: Text = None
    image_id: Text = None
    image_type: Text = None


class PoolResource(Wire):
    """Table 5: the desired nodes."""

    flavor: Text = None
    count: Count = None
    max_count: Count = None
    azs: Many[PoolNodeAz] = ()
    node_pool: Text = None
    taints: Many[Taint] = ()
    labels: Map
    tags: Many[UserTag] = ()
    network: One[NodeNetwork] = None
    extend_params: Map
    creating_step: One[CreatingStep] = None
    os: One[Os] = None


class PoolResourceFlavorCount(Wire):
    """Table 13: how many nodes of one flavor are in one state."""

    flavor: Text = None
    count: Count = None
    max_count: Count = None
    azs: Many[PoolNodeAz] = ()
    node_pool: Text = None


class StateResources(Wire):
    """Table 12: the four states. A missing state has no nodes; unknown states are kept."""

    creating: Many[PoolResourceFlavorCount] = ()
    available: Many[PoolResourceFlavorCount] = ()
    abnormal: Many[PoolResourceFlavorCount] = ()
    deleting: Many[PoolResourceFlavorCount] = ()


class NodePoolStatus(Wire):
    """Table 11."""

    resources: Many[StateResources] = ()


class NodePoolSpec(Wire):
    """Table 4. The page gives its type as object and describes it as a list."""

    resources: Many[PoolResource] = ()


class NodePoolMetadata(Wire):
    """Table 3: the name and nothing else, no timestamps."""

    name: Text = None


class NodePoolBody(Wire):
    """Table 2."""

    api_version: Text = None
    kind: Text = None
    metadata: One[NodePoolMetadata] = None
    spec: One[NodePoolSpec] = None
    status: One[NodePoolStatus] = None

    @property
    def name(self) -> object:
        """metadata.name, of whatever type."""
        metadata = self.metadata
        return None if metadata is None or isinstance(metadata, Unreadable) else metadata.name
