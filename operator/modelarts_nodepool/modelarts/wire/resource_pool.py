"""The fields of resource pools and nodes that the operator reads; all other fields are kept.

Pages ShowPool and ListPools for resource pools, ListNodePoolNodes for nodes. Billing is an annotation.
"""

from modelarts_nodepool.modelarts.wire.loose import Map, One, Text, Unreadable, Wire


class ObjectMetadata(Wire):
    """Name, labels and annotations of a resource pool or a node."""

    name: Text = None
    creation_timestamp: Text = None
    labels: Map
    annotations: Map


class PhaseStatus(Wire):
    """The phase: Running, Abnormal, … of a resource pool; Available, Deleting, … of a node."""

    phase: Text = None
    message: Text = None


class ObjectBody(Wire):
    """A resource pool (kind Pool) or a node (kind Node)."""

    api_version: Text = None
    kind: Text = None
    metadata: One[ObjectMetadata] = None
    status: One[PhaseStatus] = None

    @property
    def name(self) -> object:
        """metadata.name, of whatever type."""
        metadata = self.metadata
        return None if metadata is None or isinstance(metadata, Unreadable) else metadata.name

    @property
    def annotations(self) -> dict[str, object] | Unreadable:
        """metadata.annotations; empty if missing."""
        metadata = self.metadata
        return {} if metadata is None or isinstance(metadata, Unreadable) else metadata.annotations

    @property
    def phase(self) -> str:
        """status.phase; empty if missing."""
        status = self.status
        phase = None if status is None or isinstance(status, Unreadable) else status.phase
        return phase if isinstance(phase, str) else ""
