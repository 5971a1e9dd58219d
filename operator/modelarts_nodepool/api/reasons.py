"""All reasons: condition reason, Event reason, metric label, heading in docs/operations/troubleshooting.md."""

from enum import StrEnum


class Reason(StrEnum):
    """One word from the decision to the runbook."""

    # No problem, or progress.
    NODES_AVAILABLE = "NodesAvailable"
    NODE_POOL_EMPTY = "NodePoolEmpty"
    NODES_CREATING = "NodesCreating"
    NODES_DELETING = "NodesDeleting"
    NO_NODES_AVAILABLE = "NoNodesAvailable"
    OBSERVATION_STALE = "ObservationStale"

    # NodesHealthy
    ALL_NODES_HEALTHY = "AllNodesHealthy"
    NODES_ABNORMAL = "NodesAbnormal"
    NODES_MISSING = "NodesMissing"

    # A person must act.
    ACCOUNT_NOT_FOUND = "AccountNotFound"
    ACCOUNT_TERMINATING = "AccountTerminating"
    NOT_GRANTED = "NotGranted"
    CREDENTIALS_UNAVAILABLE = "CredentialsUnavailable"
    CREDENTIALS_REJECTED = "CredentialsRejected"
    PERMISSION_DENIED = "PermissionDenied"
    CLOCK_SKEW = "ClockSkew"
    ENDPOINT_UNKNOWN = "EndpointUnknown"
    CLOUD_UNAVAILABLE = "CloudUnavailable"
    DUPLICATE_OBJECT = "DuplicateObject"
    IDENTITY_MISMATCH = "IdentityMismatch"
    NODE_POOL_NOT_FOUND = "NodePoolNotFound"
    RESOURCE_POOL_NOT_FOUND = "ResourcePoolNotFound"
    INVALID_OBJECT = "InvalidObject"
    NOT_PROTECTED = "NotProtected"
    PAUSED = "Paused"

    # A deletion: why it is held, or what it waits for.
    DELETING_NODE_POOL = "DeletingNodePool"
    DELETION_BLOCKED = "DeletionBlocked"
    DELETION_STUCK = "DeletionStuck"
    DELETION_REVERTED = "DeletionReverted"
    REFUSED_BY_MODELARTS = "RefusedByModelArts"
    REFUSED_BY_API_SERVER = "RefusedByAPIServer"
    RELEASE_REFUSED = "ReleaseRefused"
    OTHER_FINALIZERS = "OtherFinalizers"
    CRD_TERMINATING = "CustomResourceDefinitionTerminating"
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    OWNER_GONE = "OwnerGone"
    OWNED_OBJECT = "OwnedObject"
    CONFIRMATION_REQUIRED = "ConfirmationRequired"
    YEARLY_MONTHLY_BILLING = "YearlyMonthlyBilling"
    NODE_LOCKED = "NodeLocked"
    BILLING_UNKNOWN = "BillingUnknown"
    WORKLOADS_RUNNING = "WorkloadsRunning"
    LAST_NODE_POOL = "LastNodePool"
    DELETION_BUDGET_EXHAUSTED = "DeletionBudgetExhausted"

    # A release: why the finalizer was removed.
    GONE = "Gone"
    ALREADY_GONE = "AlreadyGone"
    RETAINED = "Retained"
    RETAINED_AFTER_SEND = "RetainedAfterSend"
    ORPHANED = "Orphaned"
    HANDED_OVER = "HandedOver"

    # Accounts.
    CREDENTIALS_VALID = "CredentialsValid"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
    NOT_YET_USED = "NotYetUsed"


OVERRIDABLE = frozenset(
    {Reason.OTHER_FINALIZERS, Reason.BILLING_UNKNOWN, Reason.WORKLOADS_RUNNING, Reason.LAST_NODE_POOL}
)
CONFIRMABLE = frozenset(
    {
        Reason.CRD_TERMINATING,
        Reason.NAMESPACE_TERMINATING,
        Reason.OWNER_GONE,
        Reason.OWNED_OBJECT,
        Reason.CONFIRMATION_REQUIRED,
    }
)
# Holds that end without a person: jobs end, slots of the budget free, ModelArts changes its mind, another controller
# removes its finalizer. The DELETE then follows.
SELF_ENDING = frozenset(
    {
        Reason.WORKLOADS_RUNNING,
        Reason.DELETION_BUDGET_EXHAUSTED,
        Reason.REFUSED_BY_MODELARTS,
        Reason.DELETION_REVERTED,
        Reason.OTHER_FINALIZERS,
    }
)
