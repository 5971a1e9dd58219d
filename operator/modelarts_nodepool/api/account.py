"""ModelArtsAccount: a cloud project, its credentials, its grants, and the budget of its deletions.

The only source of its CRD (api/crd.py); the descriptions are what `kubectl explain` prints. `Grant.allows` is checked
for every object before any request to ModelArts. Nothing is granted by default.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from modelarts_nodepool.api.meta import (
    ATOMIC,
    INT32,
    INT64,
    Conditions,
    Duration,
    Timestamp,
    WireModel,
    between,
    checked,
    immutable,
    keyed_by,
    rule,
)
from modelarts_nodepool.api.names import (
    LONGEST_RESOURCE_POOL_NAME,
    PROJECT_PATTERN,
    REGION_PATTERN,
    RESOURCE_POOL_NAME_PATTERN,
)

DEFAULT_MAX = 10
DEFAULT_WINDOW = timedelta(hours=1)

_EITHER_OR = rule(
    "!has(self.unlimited) || !(has(self.max) || has(self.window))",
    "a budget is either unlimited: true or max and window: remove one of them.",
)


class DeletionBudget(WireModel):
    """How many node pools may be deleted in a time window. Further deletions are held until a slot frees.

    The default is 10 in 1h, without `unlimited`. The defaults are set here and not by the API server: it would store
    them, and a later `unlimited: true` would conflict with the stored `max`.
    """

    model_config = ConfigDict(json_schema_extra=checked(_EITHER_OR))

    max: int | None = Field(
        default=None,
        description="How many DELETEs may be sent in the window, 1 to 100. Default: 10.",
        ge=1,
        le=100,
        json_schema_extra=INT32,
    )
    window: Duration | None = Field(
        default=None,
        description="The window, 1m to 168h, counted back from now. Default: 1h.",
        json_schema_extra=between("1m", "168h"),
    )
    unlimited: Literal[True] | None = Field(
        default=None, description="No limit. Must be set explicitly, without max and window."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:  # noqa: ANN401 - a validator sees any input
        if not isinstance(given, dict):
            return given
        said = {key: value for key, value in given.items() if value is not None}
        # If the CRD is bypassed: only `true` lifts the limit, and only alone. Pydantic would accept 1.
        unlimited = said.pop("unlimited", True)
        if unlimited is not True:
            raise ValueError("unlimited must be true or omitted")
        if given.get("unlimited") is True and not said:
            return given
        return {"max": DEFAULT_MAX, "window": DEFAULT_WINDOW, **said}


_ANY = "*"

_Namespace = Annotated[str, Field(pattern=r"^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$", min_length=1, max_length=63)]
_ResourcePool = Annotated[
    str,
    Field(pattern=rf"^(\*|{RESOURCE_POOL_NAME_PATTERN[1:-1]})$", min_length=1, max_length=LONGEST_RESOURCE_POOL_NAME),
]
_LabelValue = Annotated[str, Field(max_length=63)]

_ONE_WAY = rule(
    "has(self.namespaces) != has(self.namespaceSelector)",
    'a grant needs either namespaces or namespaceSelector, not both. For all namespaces write namespaces: ["*"].',
)


class NamespaceSelector(WireModel):
    """Selects namespaces by label."""

    match_labels: dict[str, _LabelValue] = Field(
        description="Labels that a namespace must all have.", min_length=1, max_length=16
    )


class Grant(WireModel):
    """Lets objects in some namespaces use some resource pools of this account."""

    model_config = ConfigDict(json_schema_extra=checked(_ONE_WAY))

    namespaces: tuple[_Namespace, ...] | None = Field(
        default=None,
        description='Namespaces by name; "*" means all. Either this or namespaceSelector.',
        min_length=1,
        max_length=256,
        json_schema_extra=ATOMIC,
    )
    namespace_selector: NamespaceSelector | None = Field(
        default=None, description="Namespaces by label. Either this or namespaces."
    )
    resource_pools: tuple[_ResourcePool, ...] = Field(
        description='Resource pools by metadata.name; "*" means all.',
        min_length=1,
        max_length=256,
        json_schema_extra=ATOMIC,
    )

    def allows(self, namespace: str, labels: dict[str, str], resource_pool: str) -> bool:
        """Whether an object in this namespace with these labels may use this resource pool."""
        if _ANY not in self.resource_pools and resource_pool not in self.resource_pools:
            return False
        names = self.namespaces or ()
        if _ANY in names or namespace in names:
            return True
        wanted = self.namespace_selector.match_labels if self.namespace_selector else {}
        return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


_CREATE_ANOTHER = "Create another ModelArtsAccount and let new node pool objects name that one."

_SECRET_NAME_REQUIRED = rule(
    "self.source != 'Secret' || has(self.secretName)",
    "secretName is required for source Secret: name a Secret in the operator's namespace.",
    cause="FieldValueRequired",
    field_path=".secretName",
)
_SECRET_NAME_FORBIDDEN = rule(
    "self.source == 'Secret' || !has(self.secretName)",
    "secretName is for source Secret only: remove it, or set source: Secret.",
    cause="FieldValueForbidden",
    field_path=".secretName",
)


class CredentialsSource(StrEnum):
    """Where the credentials come from."""

    SECRET = "Secret"  # noqa: S105 - the name of a kind
    METADATA = "Metadata"
    POD_IDENTITY = "PodIdentity"
    OIDC = "OIDC"


class Credentials(WireModel):
    """How the operator logs in."""

    model_config = ConfigDict(json_schema_extra=checked(_SECRET_NAME_REQUIRED, _SECRET_NAME_FORBIDDEN))

    source: CredentialsSource = Field(
        default=CredentialsSource.SECRET,
        description="Secret: an access key in a Secret (secretName). Metadata: the agency of the operator's node. "
        "PodIdentity: the agency that CCE associates with the operator's service account. OIDC: the agency "
        "that trusts the token of the operator's service account. The last three are the identity of the "
        "operator, and all accounts that use them share it.",
    )
    secret_name: str | None = Field(
        default=None,
        description="For source Secret: a Secret in the operator's namespace with the label "
        'modelarts.huaweicloud.com/credentials: "true" and the keys accessKey, secretKey and, for '
        "temporary credentials, securityToken.",
        min_length=1,
        max_length=253,
    )


class RunningWorkloads(StrEnum):
    """What a deletion does about jobs that run on the node pool's nodes."""

    HOLD = "Hold"
    IGNORE = "Ignore"


class AccountSpec(WireModel):
    """The cloud project, the credentials, the grants, and the poll intervals."""

    region: str = Field(
        description="The region, for example cn-north-4 or eu-de: any DNS label. The endpoint of the region comes "
        "from the operator's table of regions or from its settings (--endpoint REGION=URL), never from an object. "
        "Immutable.",
        pattern=REGION_PATTERN,
        min_length=1,
        max_length=63,
        json_schema_extra=immutable(f"region is immutable: another region has other node pools. {_CREATE_ANOTHER}"),
    )
    project_id: str = Field(
        description="The project ID. Immutable.",
        pattern=PROJECT_PATTERN,
        min_length=1,
        max_length=64,
        json_schema_extra=immutable(f"projectId is immutable: another project has other node pools. {_CREATE_ANOTHER}"),
    )
    workspace: str = Field(
        default="0",
        description='The ModelArts workspace ID; "0" is the default workspace. Immutable.',
        pattern=PROJECT_PATTERN,
        min_length=1,
        max_length=64,
        json_schema_extra=immutable(
            f"workspace is immutable: another workspace has other resource pools. {_CREATE_ANOTHER}"
        ),
    )
    credentials: Credentials = Field(description="How the operator logs in.")
    grants: tuple[Grant, ...] = Field(
        description="Which namespaces may use which resource pools. Nothing is granted by default.",
        max_length=256,
        json_schema_extra=ATOMIC,
    )
    poll_interval: Duration = Field(
        default=timedelta(seconds=60),
        description="The interval between two polls of a resource pool, 1s to 1h. Less than 10s is for tests and "
        "demos.",
        json_schema_extra=between("1s", "1h"),
    )
    active_poll_interval: Duration = Field(
        default=timedelta(seconds=10),
        description="The interval while nodes in the resource pool are created or deleted, 1s to 1h. It increases "
        "up to pollInterval after 30 min, or if polls are slow.",
        json_schema_extra=between("1s", "1h"),
    )
    deletion_budget: DeletionBudget = Field(
        default_factory=DeletionBudget,
        description="How many node pools may be deleted in a time window. Further deletions are held until a slot "
        "frees. Default: max 10, window 1h.",
    )
    require_confirmation: Annotated[
        bool,
        # If the CRD is bypassed: every value except false requires a confirmation.
        BeforeValidator(lambda given: given is not False),
        Field(
            description="Hold every deletion until the object carries the annotation "
            "modelarts.huaweicloud.com/confirm-delete with the node pool's name."
        ),
    ] = False
    running_workloads: Annotated[
        RunningWorkloads,
        # If the CRD is bypassed: every value except Ignore holds.
        BeforeValidator(lambda given: given if given == RunningWorkloads.IGNORE else RunningWorkloads.HOLD),
        Field(
            description="What a deletion does about jobs on the node pool's nodes. Hold: it waits until they have "
            "ended, or until the object carries an override of WorkloadsRunning. Ignore: the operator does not ask "
            "for jobs, and the deletion ends them."
        ),
    ] = RunningWorkloads.HOLD


class RecentDeletion(WireModel):
    """One DELETE since it was sent, or one release. It outlives its object."""

    uid: str = Field(description="The object's uid.")
    namespace: str = Field(description="The object's namespace.")
    name: str = Field(description="The object's name.")
    pool_name: str = Field(description="The resource pool.")
    node_pool_name: str = Field(description="The node pool.")
    request_id: str | None = Field(default=None, description="The cloud's request ID of the DELETE.")
    sent_time: Timestamp | None = Field(
        default=None, description="When the DELETE was sent; not set if it had no effect."
    )
    finished_time: Timestamp | None = Field(
        default=None, description="When the object was released, or its DELETE refused."
    )
    outcome: str = Field(
        description="The outcome of the DELETE: Unknown, Accepted or Refused. After the release of the object: the "
        "reason of the release."
    )
    confirmed: bool = Field(default=False, description="Whether the object carried a matching confirm-delete.")
    confirmed_by: str | None = Field(
        default=None,
        description="The user who confirmed, from the object's annotation confirmed-by. Reliable only where the "
        "API server writes that annotation: docs/operations/four-eyes.md.",
    )


class AccountStatus(WireModel):
    """The state of the account."""

    observed_generation: int = Field(
        default=-1,
        description="The metadata.generation that this status was computed from; -1 until written.",
        json_schema_extra=INT64,
    )
    conditions: Conditions = Field(
        default=(), description="Stalled, Reconciling, Ready, in this order.", json_schema_extra=keyed_by("type")
    )
    recent_deletions: tuple[RecentDeletion, ...] = Field(
        default=(),
        description="The newest 100 deletions, one per object, each since its DELETE was sent: the audit trail "
        "that outlives the objects, and the data of the deletion budget.",
        max_length=100,
        json_schema_extra=keyed_by("uid"),
    )
