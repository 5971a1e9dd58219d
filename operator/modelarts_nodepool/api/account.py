"""ModelArtsAccount: a cloud project, its credentials, and its grants.

The only source of its CRD (api/crd.py); the descriptions are what `kubectl explain` prints.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from modelarts_nodepool.api.budget import DeletionBudget
from modelarts_nodepool.api.cel import ATOMIC, INT64, between, checked, immutable, keyed_by, rule
from modelarts_nodepool.api.conditions import Conditions
from modelarts_nodepool.api.durations import Duration
from modelarts_nodepool.api.grants import Grant, NamespaceSelector
from modelarts_nodepool.api.model import Timestamp, WireModel
from modelarts_nodepool.api.names import PROJECT_PATTERN, REGION_PATTERN

__all__ = [
    "AccountSpec",
    "AccountStatus",
    "Credentials",
    "CredentialsSource",
    "DeletionBudget",
    "Grant",
    "NamespaceSelector",
    "RecentDeletion",
]

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

    source: Annotated[
        CredentialsSource,
        Field(
            description="Secret: an access key in a Secret (secretName). Metadata: the agency of the operator's node. "
            "PodIdentity: the agency that CCE associates with the operator's service account. OIDC: the agency "
            "that trusts the token of the operator's service account. The last three are the identity of the "
            "operator, and all accounts that use them share it."
        ),
    ] = CredentialsSource.SECRET
    secret_name: Annotated[
        str | None,
        Field(
            description="For source Secret: a Secret in the operator's namespace with the label "
            'modelarts.huaweicloud.com/credentials: "true" and the keys accessKey, secretKey and, for '
            "temporary credentials, securityToken.",
            min_length=1,
            max_length=253,
        ),
    ] = None


class AccountSpec(WireModel):
    """The cloud project, the credentials, the grants, and the poll intervals."""

    region: Annotated[
        str,
        Field(
            description="The region, for example cn-north-4 or eu-de: any DNS label. The endpoint of the region comes "
            "from the operator's table of regions or from its settings (--endpoint REGION=URL), never from an object. "
            "Immutable.",
            pattern=REGION_PATTERN,
            min_length=1,
            max_length=63,
            json_schema_extra=immutable(f"region is immutable: another region has other node pools. {_CREATE_ANOTHER}"),
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
                f"projectId is immutable: another project has other node pools. {_CREATE_ANOTHER}"
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
                f"workspace is immutable: another workspace has other resource pools. {_CREATE_ANOTHER}"
            ),
        ),
    ] = "0"
    credentials: Annotated[Credentials, Field(description="How the operator logs in.")]
    grants: Annotated[
        tuple[Grant, ...],
        Field(
            description="Which namespaces may use which resource pools. Nothing is granted by default.",
            max_length=256,
            json_schema_extra=ATOMIC,
        ),
    ]
    poll_interval: Annotated[
        Duration,
        Field(
            description="The interval between two polls of a resource pool, 1s to 1h. Less than 10s is for tests and "
            "demos.",
            json_schema_extra=between("1s", "1h"),
        ),
    ] = timedelta(seconds=60)
    active_poll_interval: Annotated[
        Duration,
        Field(
            description="The interval while nodes in the resource pool are created or deleted, 1s to 1h. It increases "
            "up to pollInterval after 30 min, or if polls are slow.",
            json_schema_extra=between("1s", "1h"),
        ),
    ] = timedelta(seconds=10)
    deletion_budget: Annotated[
        DeletionBudget,
        Field(
            description="How many node pools may be deleted in a time window. Further deletions are held until a slot "
            "frees. Default: max 10, window 1h.",
        ),
    ] = Field(default_factory=DeletionBudget)
    require_confirmation: Annotated[
        bool,
        # If the CRD is bypassed: every value except false requires a confirmation.
        BeforeValidator(lambda given: given is not False),
        Field(
            description="Hold every deletion until the object carries the annotation "
            "modelarts.huaweicloud.com/confirm-delete with the node pool's name."
        ),
    ] = False


class RecentDeletion(WireModel):
    """One DELETE since it was sent, or one release. It outlives its object."""

    uid: Annotated[str, Field(description="The object's uid.")]
    namespace: Annotated[str, Field(description="The object's namespace.")]
    name: Annotated[str, Field(description="The object's name.")]
    pool_name: Annotated[str, Field(description="The resource pool.")]
    node_pool_name: Annotated[str, Field(description="The node pool.")]
    request_id: Annotated[str | None, Field(description="The cloud's request ID of the DELETE.")] = None
    sent_time: Annotated[
        Timestamp | None,
        Field(description="When the DELETE was sent; not set if it had no effect."),
    ] = None
    finished_time: Annotated[
        Timestamp | None, Field(description="When the object was released, or its DELETE refused.")
    ] = None
    outcome: Annotated[
        str,
        Field(
            description="The outcome of the DELETE: Unknown, Accepted or Refused. After the release of the object: the "
            "reason of the release."
        ),
    ]
    confirmed: Annotated[bool, Field(description="Whether the object carried a matching confirm-delete.")] = False


class AccountStatus(WireModel):
    """The state of the account."""

    observed_generation: Annotated[
        int,
        Field(
            description="The metadata.generation that this status was computed from; -1 until written.",
            json_schema_extra=INT64,
        ),
    ] = -1
    conditions: Annotated[
        Conditions,
        Field(description="Stalled, Reconciling, Ready, in this order.", json_schema_extra=keyed_by("type")),
    ] = ()
    recent_deletions: Annotated[
        tuple[RecentDeletion, ...],
        Field(
            description="The newest 100 deletions, one per object, each since its DELETE was sent: the audit trail "
            "that outlives the objects, and the data of the deletion budget.",
            max_length=100,
            json_schema_extra=keyed_by("uid"),
        ),
    ] = ()
