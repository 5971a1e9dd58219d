"""ModelArtsAccount: a cloud project, how to log in to it, and who may use it for what.

The only source of its CRD (resource/crd.py); the descriptions are what `kubectl explain` prints.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from modelarts_nodepool.resource.conditions import Condition
from modelarts_nodepool.resource.durations import Duration
from modelarts_nodepool.resource.model import Timestamp, WireModel
from modelarts_nodepool.resource.names import NAME_PATTERN, PROJECT_PATTERN, REGION_PATTERN

_ANY = "*"


class CredentialsSource(StrEnum):
    """Where the credentials come from."""

    SECRET = "Secret"  # noqa: S105 - the name of a kind
    METADATA = "Metadata"
    POD_IDENTITY = "PodIdentity"
    OIDC = "OIDC"


class Credentials(WireModel):
    """How the operator logs in."""

    source: Annotated[CredentialsSource, Field(description="Secret, Metadata, PodIdentity or OIDC.")] = (
        CredentialsSource.SECRET
    )
    secret_name: Annotated[
        str | None,
        Field(
            description="For source Secret: a Secret in the operator's namespace that carries the label "
            'modelarts.huaweicloud.com/credentials: "true" and the keys accessKey, secretKey and, for temporary '
            "credentials, securityToken.",
            min_length=1,
            max_length=253,
        ),
    ] = None


class NamespaceSelector(WireModel):
    """Selects namespaces by label."""

    match_labels: Annotated[
        dict[str, str], Field(description="Labels that a namespace must all have.", min_length=1)
    ]


class Grant(WireModel):
    """Lets objects of some namespaces name some resource pools of this account."""

    namespaces: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$")], ...] | None,
        Field(description='Namespaces by name; "*" means all, explicitly.', max_length=256),
    ] = None
    namespace_selector: Annotated[
        NamespaceSelector | None, Field(description="Namespaces by label, instead of names.")
    ] = None
    resource_pools: Annotated[
        tuple[Annotated[str, Field(pattern=rf"^(\*|{NAME_PATTERN[1:-1]})$")], ...],
        Field(
            description='Resource pools by metadata.name; "*" means all, explicitly.',
            min_length=1,
            max_length=256,
        ),
    ]

    def allows(self, namespace: str, labels: dict[str, str], resource_pool: str) -> bool:
        """Whether an object in this namespace, which has these labels, may name this resource pool."""
        if _ANY not in self.resource_pools and resource_pool not in self.resource_pools:
            return False
        names = self.namespaces or ()
        if _ANY in names or namespace in names:
            return True
        wanted = self.namespace_selector.match_labels if self.namespace_selector else {}
        return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


class DeletionBudget(WireModel):
    """How many node pools may be deleted in how much time; more are held until it frees."""

    max: Annotated[int | None, Field(description="DELETEs in the window.", ge=1, le=100)] = None
    window: Annotated[Duration | None, Field(description="The window, 1m to 168h.")] = None
    unlimited: Annotated[Literal[True] | None, Field(description="No limit. Has to be said explicitly.")] = (
        None
    )


class AccountSpec(WireModel):
    """Which cloud project, how to log in, who may use it, how often to look."""

    region: Annotated[
        str,
        Field(
            description="The region, for example cn-north-4. The endpoint follows from it or from the operator's "
            "own settings, never from an object. Immutable.",
            pattern=REGION_PATTERN,
            max_length=63,
        ),
    ]
    project_id: Annotated[
        str,
        Field(description="The project ID. Immutable.", pattern=PROJECT_PATTERN, min_length=1, max_length=64),
    ]
    workspace: Annotated[
        str,
        Field(
            description="The ModelArts workspace ID. Immutable.",
            pattern=PROJECT_PATTERN,
            min_length=1,
            max_length=64,
        ),
    ] = "0"
    credentials: Annotated[Credentials, Field(description="How the operator logs in.")]
    grants: Annotated[
        tuple[Grant, ...],
        Field(
            description="Who may name which resource pools. Nothing is granted by default.", max_length=256
        ),
    ]
    poll_interval: Annotated[
        Duration,
        Field(description="How often each resource pool is looked at, 1s to 1h. Below 10s is for tests."),
    ] = timedelta(seconds=60)
    active_poll_interval: Annotated[
        Duration,
        Field(
            description="The same while something in it is created or deleted, 1s to 1h; after 30 min it "
            "doubles up to pollInterval."
        ),
    ] = timedelta(seconds=10)
    deletion_budget: Annotated[DeletionBudget, Field(description="How many DELETEs in how much time.")] = (
        DeletionBudget(max=10, window=timedelta(hours=1))
    )
    require_confirmation: Annotated[
        bool,
        Field(
            description="Hold every deletion until the object carries the annotation "
            "modelarts.huaweicloud.com/confirm-delete with the node pool's name."
        ),
    ] = False


class RecentDeletion(WireModel):
    """One DELETE or release; outlives its object."""

    uid: Annotated[str, Field(description="The object's uid.")]
    namespace: Annotated[str, Field(description="The object's namespace.")]
    name: Annotated[str, Field(description="The object's name.")]
    pool_name: Annotated[str, Field(description="The resource pool.")]
    node_pool_name: Annotated[str, Field(description="The node pool.")]
    request_id: Annotated[str | None, Field(description="The cloud's request ID of the DELETE.")] = None
    sent_time: Annotated[Timestamp | None, Field(description="When the DELETE was sent.")] = None
    finished_time: Annotated[Timestamp | None, Field(description="When the object was released.")] = None
    outcome: Annotated[str, Field(description="The reason of the release.")]
    confirmed: Annotated[bool, Field(description="Whether the object carried a matching confirm-delete.")] = (
        False
    )


class AccountStatus(WireModel):
    """What the operator says about the account."""

    observed_generation: Annotated[
        int,
        Field(
            description="The metadata.generation this was computed from; -1 until written.",
            json_schema_extra={"format": "int64"},
        ),
    ] = -1
    conditions: Annotated[
        tuple[Condition, ...], Field(description="Stalled, Reconciling, Ready, in this order.")
    ] = ()
    recent_deletions: Annotated[
        tuple[RecentDeletion, ...],
        Field(
            description="The newest 100 deletions: the audit trail that outlives the objects.", max_length=100
        ),
    ] = ()
