"""The bodies of responses: node pools, resource pools and nodes, with fields that accept every spelling that was seen.

Huawei's pages, examples and SDKs disagree on whether some fields are objects or lists. So null, a missing field, `{}`,
an object, `[]`, and a list of one or more objects are all read. Any other value becomes `Unreadable`;
modelarts/parse.py decides where that matters. Unknown keys are kept.

- Node pool: the response body of DeleteNodePool and ShowNodePool, and an item of ListNodePools. Tables 2 to 14 of
  https://support.huaweicloud.com/intl/en-us/api-modelarts/DeleteNodePool.html. Fields that only the SDKs have
  (rootVolume, dataVolumes, volumeGroupConfigs) are kept like unknown keys.
- Resource pools and nodes: pages ShowPool and ListPools, ListNodePoolNodes. Billing is an annotation.
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, InstanceOf, PlainValidator
from pydantic.alias_generators import to_camel
from typing_extensions import override

from modelarts_nodepool.modelarts.transport import quote_value

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}(?:\.0{1,18})?")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that is not what the API page describes, unchanged."""

    value: object

    @override
    def __str__(self) -> str:
        """Short and safe to show."""
        return quote_value(self.value, 40)


class Wire(BaseModel):
    """A part of a response: camelCase on the wire; unknown keys are kept in `model_extra`."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="allow")


def read_count(value: object) -> int | Unreadable | None:
    """A number of things: 3, 3.0, "3" or null; not negative and not a boolean."""
    if value is None:
        return None
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and math.isfinite(value) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        number = int(value.strip().partition(".")[0])
    return number if number is not None and number >= 0 else Unreadable(value)


def read_text(value: object) -> str | Unreadable | None:
    """A string, or a number instead."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else Unreadable(value)


def read_map(value: object) -> dict[str, Any] | Unreadable:
    """A map of any values; null and the empty list, which some languages send, are empty maps."""
    if isinstance(value, dict):
        return value
    return {} if value is None or value == [] else Unreadable(value)


def _as_one(value: object) -> object:
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else None
    return value if value is None or isinstance(value, dict) else Unreadable(value)


def _as_many(value: object) -> tuple[object, ...]:
    if not isinstance(value, list):
        value = [value]
    return tuple(
        item if isinstance(item, dict) else Unreadable(item) for item in value if item is not None and item != {}
    )


def read_texts(value: object) -> tuple[str, ...] | Unreadable:
    """A list of strings, or a single string instead."""
    items = [] if value is None else value if isinstance(value, list) else [value]
    texts = tuple(item for item in items if isinstance(item, str))
    return texts if len(texts) == len(items) else Unreadable(value)


Part = TypeVar("Part", bound=Wire)

Count = Annotated[int | Unreadable | None, PlainValidator(read_count)]
Text = Annotated[str | Unreadable | None, PlainValidator(read_text)]
Texts = Annotated[tuple[str, ...] | Unreadable, PlainValidator(read_texts)]
Map = Annotated[dict[str, Any] | Unreadable, PlainValidator(read_map)]
One = Annotated[Part | InstanceOf[Unreadable] | None, BeforeValidator(_as_one)]
Many = Annotated[tuple[Part | InstanceOf[Unreadable], ...], BeforeValidator(_as_many)]


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


class PoolResourceFlavorCount(Wire):
    """Table 13: how many nodes of one flavor, here in one state."""

    flavor: Text = None
    count: Count = None
    max_count: Count = None
    azs: Many[PoolNodeAz] = ()
    node_pool: Text = None


class PoolResource(PoolResourceFlavorCount):
    """Table 5: the desired nodes. It has the fields of table 13, and these."""

    taints: Many[Taint] = ()
    labels: Map = {}
    tags: Many[UserTag] = ()
    network: One[NodeNetwork] = None
    extend_params: Map = {}
    creating_step: One[CreatingStep] = None
    os: One[Os] = None


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


class ObjectMetadata(Wire):
    """The name; labels and annotations of a resource pool or a node. A node pool has the name alone (table 3)."""

    name: Text = None
    creation_timestamp: Text = None
    labels: Map = {}
    annotations: Map = {}


class Named(Wire):
    """An object of the API."""

    api_version: Text = None
    kind: Text = None
    metadata: One[ObjectMetadata] = None

    @property
    def known_metadata(self) -> ObjectMetadata:
        """metadata; empty if missing or unreadable."""
        return self.metadata if isinstance(self.metadata, ObjectMetadata) else ObjectMetadata()

    @property
    def name(self) -> object:
        """metadata.name, of whatever type."""
        return self.known_metadata.name


class NodePoolBody(Named):
    """Table 2."""

    spec: One[NodePoolSpec] = None
    status: One[NodePoolStatus] = None


class ObjectStatus(Wire):
    """The phase: Running, Abnormal, … of a resource pool; Available, Deleting, … of a node. The rest is of a node.

    `reason` and `message` are on no page: they are read where a region has them.
    """

    phase: Text = None
    message: Text = None
    reason: Text = None
    private_ip: Text = None
    resources: Map = {}
    available_resources: Map = {}


class ObjectSpec(Wire):
    """spec of a resource pool: the bits that limit its use."""

    control_mode: Count = None


class ObjectBody(Named):
    """A resource pool (kind Pool) or a node (kind Node)."""

    spec: One[ObjectSpec] = None
    status: One[ObjectStatus] = None

    @property
    def known_status(self) -> ObjectStatus:
        """status; empty if missing or unreadable."""
        return self.status if isinstance(self.status, ObjectStatus) else ObjectStatus()

    @property
    def phase(self) -> str:
        """status.phase; empty if missing."""
        phase = self.known_status.phase
        return phase if isinstance(phase, str) else ""
