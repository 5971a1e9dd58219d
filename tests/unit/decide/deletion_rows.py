"""The rows of the table of deletion as situations: what is decided, for which reason, and the words told."""

from dataclasses import replace

from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, OVERRIDE_ANNOTATION
from modelarts_nodepool.api.objects import Owner
from modelarts_nodepool.api.reasons import OVERRIDABLE, Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Release, Send, Wait
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, FoundOwner, OwnerState
from modelarts_nodepool.errors import EndpointUnknown, NotFound, PermissionDenied, ServerFailure
from modelarts_nodepool.ports import Billing, CloudNode, CloudResourcePool
from tests.support.builders import NOON, a_cloud_node_pool, a_listing, a_node_pool, an_account, an_unreadable_node_pool
from tests.support.unreadable import an_unreadable_object
from tests.unit.decide.situations import (
    HOUR,
    MINUTE,
    a_deleted_object,
    a_deletion,
    a_job,
    billed,
    failed,
    jobs,
    listed,
    looked,
    nodes,
    not_listed,
    refused,
    sent,
    terminating,
)

RETAIN = (
    """kubectl patch -n ml manp training-a --type=merge -p '{"spec":{"deletionPolicy":"Retain"}}' """
    "--field-manager=on-call"
)
LOOK_AGAIN = (
    'kubectl annotate -n ml manp training-a modelarts.huaweicloud.com/reconcile-at="$(date +%s)" --overwrite '
    "--field-manager=on-call"
)
DESCRIBE = "kubectl describe -n ml manp training-a"
OVERRIDE = "kubectl annotate -n ml manp training-a modelarts.huaweicloud.com/override={}@uid-of-training-a --overwrite"
LIFTABLE = ", ".join(sorted(OVERRIDABLE))
GONE = NotFound("node pool training-a: not found")


def blocked(status: ConditionStatus = ConditionStatus.TRUE) -> Condition:
    return Condition(
        type=ConditionType.DELETION_BLOCKED,
        status=status,
        reason=Reason.PAUSED,
        message="held",
        observed_generation=2,
        last_transition_time=NOON,
    )


def without_account(observed: DeletionObserved) -> DeletionObserved:
    return replace(observed, account=None)


def not_granted(observed: DeletionObserved) -> DeletionObserved:
    return replace(observed, account=an_account().granting_nothing().seen_by(observed.node_pool))


ABSENT = {"listing": not_listed(), "shown": failed(GONE)}
DELETED = a_deleted_object()
UNSEEN = a_node_pool().finalized().being_deleted(NOON - HOUR)
HELD_BEFORE = DELETED.saying(blocked())
ONCE_HELD = DELETED.saying(blocked(ConditionStatus.FALSE))
UNREADABLE = looked(a_listing(an_unreadable_node_pool()))
PREPAID = nodes(CloudNode("node-1", None), CloudNode("node-2", Billing.YEARLY_MONTHLY))
IN_USE = CloudNode("node-1", None, is_in_use=True)
FROZEN = CloudResourcePool("pool-a", Billing.PAY_PER_USE, phase="Abnormal", frozen="arrears")
FOREIGN = DELETED.with_finalizer("foregroundDeletion")
OWNED = DELETED.owned_by()
MANY_OWNERS = DELETED
for number in range(7):
    MANY_OWNERS = MANY_OWNERS.owned_by(name=f"claim-{number}")


def owners(*states: OwnerState, ago: float = 1.0) -> Evidence[tuple[FoundOwner, ...]]:
    """What was found of claim-a, claim-b and so on."""
    names = (Owner(api_version="example.com/v1", kind="Claim", name=f"claim-{c}", uid=c) for c in "abcdefg")
    return looked(tuple(FoundOwner(owner, state) for owner, state in zip(names, states, strict=False)), ago)


# design.md, section 5: the guards from top to bottom, by the reasons that they give.
ORDER = [
    Reason.RETAINED,
    Reason.RETAINED_AFTER_SEND,
    Reason.ORPHANED,
    Reason.ACCOUNT_NOT_FOUND,
    Reason.NOT_GRANTED,
    Reason.IDENTITY_MISMATCH,
    Reason.HANDED_OVER,
    Reason.DUPLICATE_OBJECT,
    Reason.INVALID_OBJECT,
    Reason.GONE,
    Reason.ALREADY_GONE,
    Reason.DELETING_NODE_POOL,
    Reason.DELETION_STUCK,
    Reason.REFUSED_BY_MODELARTS,
    Reason.DELETION_REVERTED,
    Reason.PAUSED,
    Reason.OTHER_FINALIZERS,
    Reason.CRD_TERMINATING,
    Reason.NAMESPACE_TERMINATING,
    Reason.OWNER_GONE,
    Reason.OWNED_OBJECT,
    Reason.CONFIRMATION_REQUIRED,
    Reason.YEARLY_MONTHLY_BILLING,
    Reason.NODE_LOCKED,
    Reason.BILLING_UNKNOWN,
    Reason.WORKLOADS_RUNNING,
    Reason.LAST_NODE_POOL,
    Reason.DELETION_BUDGET_EXHAUSTED,
]

# id: (observation, kind of decision, reason, words of the message)
TABLE: dict[str, tuple[DeletionObserved, type[Decision], Reason | None, str]] = {
    "Retained": (a_deletion(DELETED.retained()), Release, Reason.RETAINED, "stays in the cloud"),
    "Retained: seen once": (a_deletion(retain_seen=True), Release, Reason.RETAINED, "training-a"),
    "Retained: without an account": (
        without_account(a_deletion(DELETED.retained())),
        Release,
        Reason.RETAINED,
        "stays in the cloud",
    ),
    "RetainedAfterSend": (
        a_deletion(DELETED.retained(), record=sent(HOUR)),
        Release,
        Reason.RETAINED_AFTER_SEND,
        "check it in the ModelArts console",
    ),
    "Orphaned: deletion was held": (a_deletion(HELD_BEFORE.retained()), Release, Reason.ORPHANED, "was held"),
    "Orphaned: DELETE was refused": (
        a_deletion(DELETED.retained(), record=refused(MINUTE)),
        Release,
        Reason.ORPHANED,
        "no object refers to it",
    ),
    "Retained: no longer held": (a_deletion(ONCE_HELD.retained()), Release, Reason.RETAINED, "stays"),
    "AccountNotFound": (without_account(a_deletion()), Hold, Reason.ACCOUNT_NOT_FOUND, RETAIN),
    "AccountNotFound: create": (
        without_account(a_deletion()),
        Hold,
        Reason.ACCOUNT_NOT_FOUND,
        "ModelArtsAccount default does not exist; create it: kubectl apply -f account.yaml",
    ),
    "NotGranted": (not_granted(a_deletion()), Hold, Reason.NOT_GRANTED, "kubectl edit maacct default"),
    "NotGranted: retain": (not_granted(a_deletion()), Hold, Reason.NOT_GRANTED, RETAIN),
    "IdentityMismatch": (
        a_deletion(DELETED.pinned(region="cn-east-3", project_id="x")),
        Hold,
        Reason.IDENTITY_MISMATCH,
        "another region, projectId;",
    ),
    "IdentityMismatch: retain": (a_deletion(DELETED.pinned(pool_name="b")), Hold, Reason.IDENTITY_MISMATCH, RETAIN),
    "not pinned: fetched": (a_deletion(UNSEEN, listing=None), Look, None, ""),
    "not pinned: shown": (a_deletion(UNSEEN), Send, None, ""),
    "not pinned: absent": (a_deletion(UNSEEN, **ABSENT), Release, Reason.ALREADY_GONE, "no DELETE was sent"),
    "CloudUnavailable": (
        a_deletion(listing=failed(ServerFailure("503"))),
        Hold,
        Reason.CLOUD_UNAVAILABLE,
        DESCRIBE,
    ),
    "EndpointUnknown": (
        a_deletion(listing=failed(EndpointUnknown("set --endpoint eu-de=https://HOST"))),
        Hold,
        Reason.ENDPOINT_UNKNOWN,
        "set --endpoint eu-de=https://HOST",
    ),
    "EndpointUnknown: retain": (
        a_deletion(listing=failed(EndpointUnknown("set --endpoint eu-de=https://HOST"))),
        Hold,
        Reason.ENDPOINT_UNKNOWN,
        RETAIN,
    ),
    "CloudUnavailable: unreadable counts": (
        a_deletion(listing=UNREADABLE),
        Hold,
        Reason.CLOUD_UNAVAILABLE,
        "(available is -1)",
    ),
    "AlreadyGone": (a_deletion(**ABSENT), Release, Reason.ALREADY_GONE, "no DELETE was sent"),
    "Gone": (a_deletion(**ABSENT, record=sent(HOUR)), Release, Reason.GONE, "training-a is gone"),
    "AlreadyGone: though paused": (a_deletion(DELETED.paused(), **ABSENT), Release, Reason.ALREADY_GONE, ""),
    "AlreadyGone: though other finalizers": (a_deletion(FOREIGN, **ABSENT), Release, Reason.ALREADY_GONE, ""),
    "DeletingNodePool: just sent": (
        a_deletion(record=sent(MINUTE)),
        Wait,
        Reason.DELETING_NODE_POOL,
        "outcome is unknown",
    ),
    "DeletingNodePool: some nodes": (
        a_deletion(record=sent(HOUR), listing=listed(available=1, deleting=2)),
        Wait,
        Reason.DELETING_NODE_POOL,
        "2 of 3 nodes of node pool training-a are being deleted",
    ),
    "DeletingNodePool: all nodes, not sent": (
        a_deletion(listing=listed(deleting=3)),
        Wait,
        Reason.DELETING_NODE_POOL,
        "3 of 3",
    ),
    "DeletionStuck": (
        a_deletion(record=sent(2 * HOUR), listing=listed(deleting=1)),
        Wait,
        Reason.DELETION_STUCK,
        RETAIN,
    ),
    "RefusedByModelArts": (
        a_deletion(record=refused(MINUTE)),
        Hold,
        Reason.REFUSED_BY_MODELARTS,
        "ModelArts.50004000: in use (request request-2)",
    ),
    "RefusedByModelArts: the resource pool is frozen": (
        a_deletion(record=refused(MINUTE), resource_pool=looked(FROZEN)),
        Hold,
        Reason.REFUSED_BY_MODELARTS,
        "(request request-2); the resource pool is frozen (arrears); the resource pool is in phase Abnormal; fix",
    ),
    "RefusedByModelArts: send again": (
        a_deletion(record=refused(MINUTE)),
        Hold,
        Reason.REFUSED_BY_MODELARTS,
        LOOK_AGAIN,
    ),
    "RefusedByModelArts: retain": (a_deletion(record=refused(MINUTE)), Hold, Reason.REFUSED_BY_MODELARTS, RETAIN),
    "DeletionReverted": (
        a_deletion(record=sent(3 * MINUTE, accepted=True)),
        Hold,
        Reason.DELETION_REVERTED,
        f"is sent again after 30 minutes in this state; to send it now: {LOOK_AGAIN}",
    ),
    "DuplicateObject: unreadable": (
        a_deletion(DELETED.paused(), unreadable_duplicate=an_unreadable_object("renamed", deletionPolicy="Archive")),
        Hold,
        Reason.DUPLICATE_OBJECT,
        "ml/renamed also names node pool training-a, but this version of the operator cannot read that object",
    ),
    "Paused": (
        a_deletion(DELETED.paused()),
        Hold,
        Reason.PAUSED,
        "kubectl annotate -n ml manp training-a modelarts.huaweicloud.com/paused- --field-manager=on-call",
    ),
    **{
        f"Paused: {value!r}": (
            a_deletion(DELETED.paused(value)),
            Hold,
            Reason.PAUSED,
            f'(the annotation modelarts.huaweicloud.com/paused is "{value}"; every value but "false" pauses)',
        )
        for value in ("True", "yes", "1", "0", "", "False", " false", "off")
    },
    "Paused: false": (a_deletion(DELETED.paused("false")), Send, None, ""),
    "Paused: no override": (
        a_deletion(DELETED.paused().annotated(OVERRIDE_ANNOTATION, "paused@uid-of-training-a")),
        Hold,
        Reason.PAUSED,
        "the annotation modelarts.huaweicloud.com/override names Paused, which no override lifts; the object is paused",
    ),
    "OtherFinalizers": (
        a_deletion(FOREIGN),
        Hold,
        Reason.OTHER_FINALIZERS,
        OVERRIDE.format("OtherFinalizers"),
    ),
    "OtherFinalizers: keeps other overrides": (
        a_deletion(FOREIGN.overriding(Reason.BILLING_UNKNOWN)),
        Hold,
        Reason.OTHER_FINALIZERS,
        OVERRIDE.format("BillingUnknown,OtherFinalizers"),
    ),
    "OtherFinalizers: overridden": (a_deletion(FOREIGN.overriding(Reason.OTHER_FINALIZERS)), Send, None, ""),
    "OtherFinalizers: override of another object": (
        a_deletion(FOREIGN.overriding(Reason.OTHER_FINALIZERS, uid="another")),
        Hold,
        Reason.OTHER_FINALIZERS,
        "foregroundDeletion",
    ),
    **{
        f"OtherFinalizers: override {text!r}": (
            a_deletion(FOREIGN.annotated(OVERRIDE_ANNOTATION, text)),
            Hold,
            Reason.OTHER_FINALIZERS,
            f'now (the annotation modelarts.huaweicloud.com/override is "{text}" and does not lift this: {why}): ',
        )
        for text, why in (
            ("OtherFinalizers", "it names no uid; write <Reason>@<uid of the object>"),
            ("OtherFinalizers@uid-of-training-b", 'its uid is "uid-of-training-b", the object\'s is uid-of-training-a'),
            (
                "OtherFinalizers@uid-of-training-a ",
                'its uid is "uid-of-training-a ", the object\'s is uid-of-training-a',
            ),
            (
                "otherfinalizers@uid-of-training-a",
                f'"otherfinalizers" is not one of {LIFTABLE}',
            ),
            (
                "LastNodePool,Finalizers@uid-of-training-a",
                f'"Finalizers" is not one of {LIFTABLE}',
            ),
        )
    },
    "OtherFinalizers: override of another guard": (
        a_deletion(FOREIGN.overriding(Reason.BILLING_UNKNOWN)),
        Hold,
        Reason.OTHER_FINALIZERS,
        "to delete it now: kubectl",
    ),
    "OwnerGone": (
        a_deletion(OWNED, owners=owners(OwnerState.GONE)),
        Hold,
        Reason.OWNER_GONE,
        "so the garbage collector may have deleted it (Claim claim-a of example.com/v1 does not exist); confirm the",
    ),
    "OwnerGone: retain": (a_deletion(OWNED, owners=owners(OwnerState.GONE)), Hold, Reason.OWNER_GONE, RETAIN),
    "OwnerGone: one of two": (
        a_deletion(OWNED.owned_by(name="claim-b"), owners=owners(OwnerState.EXISTS, OwnerState.GONE)),
        Hold,
        Reason.OWNER_GONE,
        "(Claim claim-a of example.com/v1 exists, Claim claim-b of example.com/v1 does not exist); confirm",
    ),
    **{
        f"OwnedObject: owner {state}": (
            a_deletion(OWNED, owners=owners(state)),
            Hold,
            Reason.OWNED_OBJECT,
            f"may have deleted it (Claim claim-a of example.com/v1 {state}); confirm the del",
        )
        for state in (OwnerState.EXISTS, OwnerState.DELETING, OwnerState.UNKNOWN)
    },
    "OwnedObject: fetched": (a_deletion(OWNED), Look, None, ""),
    "OwnedObject: fetched again": (a_deletion(OWNED, owners=owners(OwnerState.EXISTS, ago=300)), Look, None, ""),
    "OwnedObject: fetched before the deletion": (
        a_deletion(OWNED, owners=owners(OwnerState.EXISTS, ago=7200)),
        Look,
        None,
        "",
    ),
    "OwnedObject: not fetched": (a_deletion(OWNED, owners=looked(None)), Hold, Reason.OWNED_OBJECT, "could not be"),
    "OwnedObject: many": (
        a_deletion(MANY_OWNERS, owners=looked(None)),
        Hold,
        Reason.OWNED_OBJECT,
        "Claim claim-4 of example.com/v1 could not be read, and 2 more); confirm",
    ),
    "OwnedObject: confirmed": (a_deletion(OWNED.annotated(CONFIRM_ANNOTATION, "training-a")), Send, None, ""),
    "OwnedObject: confirmed by another name": (
        a_deletion(OWNED.annotated(CONFIRM_ANNOTATION, "claim-a"), owners=owners(OwnerState.EXISTS)),
        Hold,
        Reason.OWNED_OBJECT,
        'confirm-delete names "claim-a", the node pool is "training-a")',
    ),
    "OwnerGone: no override": (
        a_deletion(OWNED.annotated(OVERRIDE_ANNOTATION, "OwnerGone@uid-of-training-a"), owners=owners(OwnerState.GONE)),
        Hold,
        Reason.OWNER_GONE,
        "the annotation modelarts.huaweicloud.com/override names OwnerGone, which no override lifts; an owner",
    ),
    "OwnedObject: after NamespaceTerminating": (
        a_deletion(OWNED, namespace=terminating(NOON - HOUR)),
        Hold,
        Reason.NAMESPACE_TERMINATING,
        "",
    ),
    "AlreadyGone: though owned": (a_deletion(OWNED, **ABSENT), Release, Reason.ALREADY_GONE, ""),
    "YearlyMonthlyBilling: after Paused": (a_deletion(DELETED.paused(), nodes=PREPAID), Hold, Reason.PAUSED, ""),
    "YearlyMonthlyBilling": (a_deletion(nodes=PREPAID), Hold, Reason.YEARLY_MONTHLY_BILLING, RETAIN),
    "YearlyMonthlyBilling: resource pool": (
        a_deletion(resource_pool=billed(Billing.YEARLY_MONTHLY)),
        Hold,
        Reason.YEARLY_MONTHLY_BILLING,
        LOOK_AGAIN,
    ),
    "WorkloadsRunning": (
        a_deletion(workloads=jobs(a_job("llama", "10.0.0.1"))),
        Hold,
        Reason.WORKLOADS_RUNNING,
        "1 job runs on nodes of node pool training-a: train llama (for 3 d, on 1 node); continues automatically when",
    ),
    "WorkloadsRunning: override": (
        a_deletion(workloads=jobs(a_job("llama", "10.0.0.1"))),
        Hold,
        Reason.WORKLOADS_RUNNING,
        OVERRIDE.format("WorkloadsRunning"),
    ),
    "WorkloadsRunning: retain": (
        a_deletion(workloads=jobs(a_job("llama", "10.0.0.1"))),
        Hold,
        Reason.WORKLOADS_RUNNING,
        RETAIN,
    ),
    "WorkloadsRunning: after YearlyMonthlyBilling": (
        a_deletion(nodes=PREPAID, workloads=jobs(a_job())),
        Hold,
        Reason.YEARLY_MONTHLY_BILLING,
        "",
    ),
    "WorkloadsRunning: before LastNodePool": (
        a_deletion(
            listing=looked(a_listing(a_cloud_node_pool(available=2))), workloads=jobs(a_job("llama", "10.0.0.2"))
        ),
        Hold,
        Reason.WORKLOADS_RUNNING,
        "",
    ),
    "WorkloadsRunning: jobs cannot be listed": (
        a_deletion(nodes=nodes(IN_USE), workloads=failed(PermissionDenied("403"))),
        Hold,
        Reason.WORKLOADS_RUNNING,
        "node node-1 shows accelerators in use; the jobs cannot be named, because ModelArts denies list_workloads",
    ),
    "WorkloadsRunning: unknown": (
        a_deletion(workloads=failed(ServerFailure("503"))),
        Hold,
        Reason.CLOUD_UNAVAILABLE,
        OVERRIDE.format("WorkloadsRunning"),
    ),
    "WorkloadsRunning: overridden": (
        a_deletion(DELETED.overriding(Reason.WORKLOADS_RUNNING), workloads=jobs(a_job("llama", "10.0.0.1"))),
        Send,
        None,
        "",
    ),
    "WorkloadsRunning: ended": (
        a_deletion(workloads=jobs(a_job("llama", "10.0.0.1", status="Completed"))),
        Send,
        None,
        "",
    ),
    "Send": (a_deletion(), Send, None, ""),
}
