"""ModelArtsNodePool: what users write in spec and read in status.

The only source of the CRD (api/crd.py); the descriptions are what `kubectl explain` prints.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelarts_nodepool.api.meta import (
    ATOMIC,
    INT32,
    INT64,
    Conditions,
    Timestamp,
    WireModel,
    checked,
    immutable,
    keyed_by,
    rule,
)
from modelarts_nodepool.api.names import (
    LONGEST_NODE_POOL_NAME,
    LONGEST_RESOURCE_POOL_NAME,
    NODE_POOL_NAME_PATTERN,
    RESOURCE_POOL_NAME_PATTERN,
)

NodePoolName = Annotated[str, Field(pattern=NODE_POOL_NAME_PATTERN, min_length=1, max_length=LONGEST_NODE_POOL_NAME)]
ResourcePoolName = Annotated[
    str, Field(pattern=RESOURCE_POOL_NAME_PATTERN, min_length=1, max_length=LONGEST_RESOURCE_POOL_NAME)
]
Count = Annotated[int, Field(ge=0, json_schema_extra=INT32)]

_CREATE_ANOTHER = (
    "Create another object for it; to drop this object and keep its node pool, set deletionPolicy: Retain "
    "and then delete the object."
)


class DeletionPolicy(StrEnum):
    """What deleting the object does to the node pool."""

    DELETE = "Delete"
    RETAIN = "Retain"


class AccountRef(WireModel):
    """Names a ModelArtsAccount."""

    name: str = Field(
        default="default",
        description="The ModelArtsAccount that provides credentials, region and project.",
        pattern=r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$",
        min_length=1,
        max_length=253,
    )


class NodePoolSpec(WireModel):
    """The node pool in the cloud that this object refers to, and what deleting the object does to it."""

    account_ref: AccountRef = Field(
        default=AccountRef(),
        description="The account to use. Immutable.",
        json_schema_extra=checked(
            rule(
                "self.name == oldSelf.name",
                "accountRef is immutable: another account is another node pool. " + _CREATE_ANOTHER,
                field_path=".name",
            )
        ),
    )
    pool_name: ResourcePoolName = Field(
        description="The resource pool's metadata.name, which is its ID and not its display name. Immutable.",
        json_schema_extra=immutable(
            "poolName is immutable: another resource pool is another node pool. " + _CREATE_ANOTHER
        ),
    )
    node_pool_name: NodePoolName | None = Field(
        default=None,
        description="The node pool's name in the cloud, as ModelArts shows it: up to 128 letters, digits, dots, "
        "underscores and hyphens, a letter or digit first and last. A node pool without a name of its own is "
        "called <flavor>-default. Default: the object's own name. The effective name is immutable; setting the "
        "same name later is allowed.",
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.DELETE,
        description="Delete: deleting this object permanently deletes the node pool in the cloud. "
        "Retain: deleting this object keeps the node pool. Mutable until the object is deleted.",
    )


class Counts(WireModel):
    """How many nodes are in each state, as ModelArts counts them."""

    creating: Count = Field(default=0, description="Nodes being created.")
    available: Count = Field(default=0, description="Nodes that can run jobs.")
    abnormal: Count = Field(default=0, description="Nodes that are faulty.")
    deleting: Count = Field(default=0, description="Nodes being deleted.")

    @property
    def total(self) -> int:
        """All nodes that ModelArts shows, in any state."""
        return self.creating + self.available + self.abnormal + self.deleting


class ZoneCount(WireModel):
    """How many nodes were requested in one availability zone."""

    az: str = Field(description="The availability zone.")
    count: Count = Field(default=0, description="Nodes requested in it.")


class NodePoolShape(WireModel):
    """What was requested, as ModelArts reports it. Of several resources: flavors joined and sorted, numbers summed."""

    flavor: str = Field(default="", description="The resource flavor, for example modelarts.vm.gpu.t4u8.")
    count: Count = Field(default=0, description="Nodes requested.")
    max_count: Count = Field(
        default=0, description="The maximum number of nodes; the same as count in a physical pool."
    )
    azs: tuple[ZoneCount, ...] = Field(
        default=(), description="Nodes requested by availability zone.", json_schema_extra=ATOMIC
    )


class Identity(WireModel):
    """The node pool in the cloud that this object refers to. Pinned when first seen."""

    region: str = Field(description="The region, for example cn-north-4.")
    project_id: str = Field(description="The project ID in the URL of every call.")
    workspace: str = Field(default="0", description="The ModelArts workspace ID.")
    pool_name: str = Field(description="The resource pool's metadata.name.")
    node_pool_name: str = Field(description="The node pool's name.")

    @property
    def place(self) -> tuple[str, str, str, str]:
        """The parts of the URL of a call, which decide what a DELETE deletes. The workspace is not one of them."""
        return (self.region, self.project_id, self.pool_name, self.node_pool_name)


class SendOutcome(StrEnum):
    """The outcome of the last DELETE."""

    UNKNOWN = "Unknown"
    ACCEPTED = "Accepted"
    REFUSED = "Refused"


class CloudErrorRecord(WireModel):
    """An answer of ModelArts."""

    code: str | None = Field(default=None, description="The cloud's error code, for example ModelArts.50004000.")
    message: str = Field(description="The message of ModelArts, sanitised.", max_length=1024)
    request_id: str | None = Field(default=None, description="The cloud's request ID, for a support ticket.")
    time: Timestamp = Field(description="When ModelArts answered.")


class DeletionRecord(WireModel):
    """The record of this deletion. Written before each DELETE is sent, so that none is lost."""

    attempt: Count = Field(default=0, description="How many DELETEs were sent or about to be sent.")
    sent_time: Timestamp | None = Field(
        default=None, description="When the last DELETE was about to be sent. Without an answer its outcome is unknown."
    )
    accepted_time: Timestamp | None = Field(default=None, description="When ModelArts accepted it.")
    nothing_deleting_since: Timestamp | None = Field(
        default=None, description="Since when no node is being deleted, although the DELETE was accepted."
    )
    request_id: str | None = Field(default=None, description="The cloud's request ID of the last DELETE.")
    outcome: SendOutcome | None = Field(default=None, description="Unknown, Accepted or Refused.")
    last_error: CloudErrorRecord | None = Field(default=None, description="The last refusal or failure of a DELETE.")


class NodePoolStatus(WireModel):
    """The observed state of the node pool."""

    observed_generation: int = Field(
        default=-1,
        description="The metadata.generation that this status was computed from; -1 until the operator has "
        "written it. While it is -1, the node pool is not protected.",
        json_schema_extra=INT64,
    )
    counts: Counts | None = Field(default=None, description="Nodes by state, from the last successful poll.")
    node_pool: NodePoolShape | None = Field(default=None, description="What was requested, as ModelArts reports it.")
    identity: Identity | None = Field(
        default=None,
        description="The node pool in the cloud that this object refers to. Pinned when ModelArts first shows "
        "it; a deletion uses only this.",
    )
    deletion: DeletionRecord | None = Field(default=None, description="The record of this object's deletion.")
    last_handled_reconcile_at: str | None = Field(
        default=None, description="The last value of the reconcile-at annotation that the operator handled."
    )
    conditions: Conditions = Field(
        default=(),
        description="Stalled, Reconciling, Ready, NodesHealthy, DeletionBlocked, Paused, in this order.",
        json_schema_extra=keyed_by("type"),
    )
