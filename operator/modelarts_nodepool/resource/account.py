"""ModelArtsAccount: a cloud project, how to log in to it, and who may use it for what.

The only source of its CRD (resource/crd.py); the descriptions are what `kubectl explain` prints.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from modelarts_nodepool.resource.conditions import Condition
from modelarts_nodepool.resource.durations import Duration
from modelarts_nodepool.resource.model import Timestamp, WireModel
from modelarts_nodepool.resource.names import NAME_PATTERN, PROJECT_PATTERN, REGION_PATTERN
from modelarts_nodepool.resource.rules import (
    ATOMIC,
    INT32,
    INT64,
    between,
    checked,
    immutable,
    keyed_by,
    rule,
)

_ANY = "*"
_DEFAULT_MAX = 10
_DEFAULT_WINDOW = timedelta(hours=1)
_CREATE_ANOTHER = "Create another ModelArtsAccount and let new node pool objects name that one."

GrantedNamespace = Annotated[
    str, Field(pattern=r"^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$", min_length=1, max_length=63)
]
GrantedPool = Annotated[str, Field(pattern=rf"^(\*|{NAME_PATTERN[1:-1]})$", min_length=1, max_length=63)]


class CredentialsSource(StrEnum):
    """Where the credentials come from."""

    SECRET = "Secret"  # noqa: S105 - the name of a kind
    METADATA = "Metadata"
    POD_IDENTITY = "PodIdentity"
    OIDC = "OIDC"


_SOURCES = (
    "Secret: an access key in a Secret (secretName). Metadata: the agency of the node that the operator runs on. "
    "PodIdentity: the pod identity that the cluster gives the operator's pod. OIDC: the operator's service account "
    "token, traded for temporary credentials."
)


class Credentials(WireModel):
    """How the operator logs in."""

    model_config = ConfigDict(
        json_schema_extra=checked(
            rule(
                "self.source != 'Secret' || has(self.secretName)",
                "secretName is required for source Secret: name a Secret in the operator's namespace.",
                cause="FieldValueRequired",
                field_path=".secretName",
            ),
            rule(
                "self.source == 'Secret' || !has(self.secretName)",
                "secretName is for source Secret only: remove it, or set source: Secret.",
                cause="FieldValueForbidden",
                field_path=".secretName",
            ),
        )
    )

    source: Annotated[CredentialsSource, Field(description=_SOURCES)] = CredentialsSource.SECRET
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
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(description="Labels that a namespace must all have.", min_length=1, max_length=16),
    ]


class Grant(WireModel):
    """Lets objects of some namespaces name some resource pools of this account."""

    model_config = ConfigDict(
        json_schema_extra=checked(
            rule(
                "has(self.namespaces) != has(self.namespaceSelector)",
                "a grant names its namespaces in exactly one way: write either namespaces or namespaceSelector. "
                'For all namespaces write namespaces: ["*"].',
            )
        )
    )

    namespaces: Annotated[
        tuple[GrantedNamespace, ...] | None,
        Field(
            description='Namespaces by name; "*" means all, explicitly. Either this or namespaceSelector.',
            min_length=1,
            max_length=256,
            json_schema_extra=ATOMIC,
        ),
    ] = None
    namespace_selector: Annotated[
        NamespaceSelector | None,
        Field(description="Namespaces by label. Either this or namespaces."),
    ] = None
    resource_pools: Annotated[
        tuple[GrantedPool, ...],
        Field(
            description='Resource pools by metadata.name; "*" means all, explicitly.',
            min_length=1,
            max_length=256,
            json_schema_extra=ATOMIC,
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
    """How many node pools may be deleted in how much time; more are held until it frees.

    What is left out is 10 in 1h, unless `unlimited` is said. These defaults are set here and not by the API
    server: it would store them, and a later `unlimited: true` would then collide with a `max` nobody wrote.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "description": "How many node pools may be deleted in how much time; more are held until it frees.",
            **checked(
                rule(
                    "!has(self.unlimited) || !(has(self.max) || has(self.window))",
                    "a budget is either unlimited: true or max and window: remove one of them.",
                )
            ),
        }
    )

    max: Annotated[
        int | None,
        Field(
            description="How many DELETEs may be sent in the window, 1 to 100. Default: 10.",
            ge=1,
            le=100,
            json_schema_extra=INT32,
        ),
    ] = None
    window: Annotated[
        Duration | None,
        Field(
            description="The window, 1m to 168h, counted back from now. Default: 1h.",
            json_schema_extra=between("1m", "168h"),
        ),
    ] = None
    unlimited: Annotated[
        Literal[True] | None,
        Field(description="No limit. Has to be said explicitly, and then without max and window."),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:  # noqa: ANN401 - a validator sees whatever was sent
        if not isinstance(given, dict) or given.get("unlimited"):
            return given
        filled = {key: value for key, value in given.items() if value is not None}
        return {"max": _DEFAULT_MAX, "window": _DEFAULT_WINDOW, **filled}


_BUDGET = "How many node pools may be deleted in how much time; more are held until it frees. Default: max 10, window 1h."


class AccountSpec(WireModel):
    """Which cloud project, how to log in, who may use it, how often to look."""

    region: Annotated[
        str,
        Field(
            description="The region, for example cn-north-4. The endpoint follows from it or from the operator's "
            "own settings, never from an object. Immutable.",
            pattern=REGION_PATTERN,
            min_length=1,
            max_length=63,
            json_schema_extra=immutable(
                "region is immutable: another region is another set of node pools. " + _CREATE_ANOTHER
            ),
        ),
    ]
    project_id: Annotated[
        str,
        Field(
            description="The project ID. Immutable.",
            pattern=PROJECT_PATTERN,
            min_length=1,
            max_length=64,
            json_schema_extra=immutable(
                "projectId is immutable: another project is another set of node pools. " + _CREATE_ANOTHER
            ),
        ),
    ]
    workspace: Annotated[
        str,
        Field(
            description='The ModelArts workspace ID; "0" is the default workspace. Immutable.',
            pattern=PROJECT_PATTERN,
            min_length=1,
            max_length=64,
            json_schema_extra=immutable(
                "workspace is immutable: another workspace is another set of resource pools. "
                + _CREATE_ANOTHER
            ),
        ),
    ] = "0"
    credentials: Annotated[Credentials, Field(description="How the operator logs in.")]
    grants: Annotated[
        tuple[Grant, ...],
        Field(
            description="Who may name which resource pools. Nothing is granted by default.",
            max_length=256,
            json_schema_extra=ATOMIC,
        ),
    ]
    poll_interval: Annotated[
        Duration,
        Field(
            description="How often each resource pool is looked at, 1s to 1h. Below 10s is for tests and demos.",
            json_schema_extra=between("1s", "1h"),
        ),
    ] = timedelta(seconds=60)
    active_poll_interval: Annotated[
        Duration,
        Field(
            description="The same while something in it is created or deleted, 1s to 1h; after 30 min it "
            "doubles up to pollInterval.",
            json_schema_extra=between("1s", "1h"),
        ),
    ] = timedelta(seconds=10)
    deletion_budget: Annotated[DeletionBudget, Field(description=_BUDGET, default_factory=DeletionBudget)]
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
            json_schema_extra=INT64,
        ),
    ] = -1
    conditions: Annotated[
        tuple[Condition, ...],
        Field(description="Stalled, Reconciling, Ready, in this order.", json_schema_extra=keyed_by("type")),
    ] = ()
    recent_deletions: Annotated[
        tuple[RecentDeletion, ...],
        Field(
            description="The newest 100 deletions, one per object: the audit trail that outlives the objects, and "
            "the memory of the deletion budget.",
            max_length=100,
            json_schema_extra=keyed_by("uid"),
        ),
    ] = ()
