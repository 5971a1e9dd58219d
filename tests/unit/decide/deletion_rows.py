"""The rows of the table of deletion as situations: what is decided, for which reason, and the words told."""

from dataclasses import replace

from modelarts_nodepool.api.conditions import Condition, ConditionStatus, ConditionType
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, OVERRIDE_ANNOTATION
from modelarts_nodepool.api.objects import Owner
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Release, Send, Wait
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, FoundOwner, OwnerState
from modelarts_nodepool.errors import EndpointUnknown, NotFound, ServerFailure
from modelarts_nodepool.ports import Billing, CloudNode
from tests.support.builders import NOON, a_listing, a_node_pool, an_account, an_unreadable_node_pool
from tests.support.misfits import a_misfit
from tests.unit.decide.situations import (
    HOUR,
    MINUTE,
    a_deleted_object,
    a_deletion,
    billed,
    failed,
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
FOREIGN = DELETED.with_finalizer("foregroundDeletion")
OWNED = DELETED.owned_by()
MANY_OWNERS = DELETED
for number in range(7):
    MANY_OWNERS = MANY_OWNERS.owned_by(name=f"claim-{number}")


def owners(*states: OwnerState, ago: float = 1.0) -> Evidence[tuple[FoundOwner, ...]]:
    """What was found of claim-a, claim-b and so on."""
    names = (Owner(api_version="example.com/v1", kind="Claim", name=f"claim-{c}", uid=c) for c in "abcdefg")
    return looked(tuple(FoundOwner(owner, state) for owner, state in zip(names, states, strict=False)), ago)


# id: (observation, kind of decision, reason, words of the message)
TABLE: dict[str, tuple[DeletionObserved, type[Decision], Reason | None, str]] = {
    "1-retain": (a_deletion(DELETED.retained()), Release, Reason.RETAINED, "stays in the cloud"),
    "1-retain-once-seen": (a_deletion(retain_seen=True), Release, Reason.RETAINED, "training-a"),
    "1-retain-needs-no-account": (
        without_account(a_deletion(DELETED.retained())),
        Release,
        Reason.RETAINED,
        "stays in the cloud",
    ),
    "1-retain-after-send": (
        a_deletion(DELETED.retained(), record=sent(HOUR)),
        Release,
        Reason.RETAINED_AFTER_SEND,
        "look at it in the cloud",
    ),
    "1-retain-after-block": (a_deletion(HELD_BEFORE.retained()), Release, Reason.ORPHANED, "was held"),
    "1-retain-after-refusal": (
        a_deletion(DELETED.retained(), record=refused(MINUTE)),
        Release,
        Reason.ORPHANED,
        "no object stands for it",
    ),
    "1-retain-no-longer-blocked": (a_deletion(ONCE_HELD.retained()), Release, Reason.RETAINED, "stays"),
    "2-account-missing": (without_account(a_deletion()), Hold, Reason.ACCOUNT_NOT_FOUND, RETAIN),
    "2-account-missing-create": (
        without_account(a_deletion()),
        Hold,
        Reason.ACCOUNT_NOT_FOUND,
        "ModelArtsAccount default does not exist; create it: kubectl apply -f account.yaml",
    ),
    "2-not-granted": (not_granted(a_deletion()), Hold, Reason.NOT_GRANTED, "kubectl edit maacct default"),
    "2-not-granted-retain": (not_granted(a_deletion()), Hold, Reason.NOT_GRANTED, RETAIN),
    "3-identity": (
        a_deletion(DELETED.pinned(region="cn-east-3", project_id="x")),
        Hold,
        Reason.IDENTITY_MISMATCH,
        "another region, projectId;",
    ),
    "3-identity-retain": (a_deletion(DELETED.pinned(pool_name="b")), Hold, Reason.IDENTITY_MISMATCH, RETAIN),
    "4-never-seen-looks": (a_deletion(UNSEEN, listing=None), Look, None, ""),
    "4-never-seen-and-shown": (a_deletion(UNSEEN), Send, None, ""),
    "4-never-seen-and-absent": (a_deletion(UNSEEN, **ABSENT), Release, Reason.ALREADY_GONE, "nothing was sent"),
    "6-out-of-reach": (
        a_deletion(listing=failed(ServerFailure("503"))),
        Hold,
        Reason.CLOUD_UNAVAILABLE,
        DESCRIBE,
    ),
    "6-endpoint-unknown": (
        a_deletion(listing=failed(EndpointUnknown("set --endpoint eu-de=https://HOST"))),
        Hold,
        Reason.ENDPOINT_UNKNOWN,
        "set --endpoint eu-de=https://HOST",
    ),
    "6-endpoint-unknown-retain": (
        a_deletion(listing=failed(EndpointUnknown("set --endpoint eu-de=https://HOST"))),
        Hold,
        Reason.ENDPOINT_UNKNOWN,
        RETAIN,
    ),
    "6-unreadable": (a_deletion(listing=UNREADABLE), Hold, Reason.CLOUD_UNAVAILABLE, "(available is -1)"),
    "7-already-gone": (a_deletion(**ABSENT), Release, Reason.ALREADY_GONE, "nothing was sent"),
    "7-gone": (a_deletion(**ABSENT, record=sent(HOUR)), Release, Reason.GONE, "training-a is gone"),
    "7-gone-though-paused": (a_deletion(DELETED.paused(), **ABSENT), Release, Reason.ALREADY_GONE, ""),
    "7-gone-though-foreign-finalizer": (a_deletion(FOREIGN, **ABSENT), Release, Reason.ALREADY_GONE, ""),
    "8-just-sent": (a_deletion(record=sent(MINUTE)), Wait, Reason.DELETING_NODE_POOL, "outcome is unknown"),
    "8-some-deleting": (
        a_deletion(record=sent(HOUR), listing=listed(available=1, deleting=2)),
        Wait,
        Reason.DELETING_NODE_POOL,
        "2 of 3 nodes of node pool training-a are being deleted",
    ),
    "8-all-deleting-though-not-sent": (
        a_deletion(listing=listed(deleting=3)),
        Wait,
        Reason.DELETING_NODE_POOL,
        "3 of 3",
    ),
    "8-stuck": (a_deletion(record=sent(2 * HOUR), listing=listed(deleting=1)), Wait, Reason.DELETION_STUCK, RETAIN),
    "9-refused": (
        a_deletion(record=refused(MINUTE)),
        Hold,
        Reason.REFUSED_BY_MODELARTS,
        "ModelArts.50004000: in use (request request-2)",
    ),
    "9-refused-go-on": (a_deletion(record=refused(MINUTE)), Hold, Reason.REFUSED_BY_MODELARTS, LOOK_AGAIN),
    "9-refused-retain": (a_deletion(record=refused(MINUTE)), Hold, Reason.REFUSED_BY_MODELARTS, RETAIN),
    "9-reverted": (
        a_deletion(record=sent(3 * MINUTE, accepted=True)),
        Hold,
        Reason.DELETION_REVERTED,
        f"none of its 2 nodes is being deleted; sent again 30 min after that was first seen, or at once: {LOOK_AGAIN}",
    ),
    "9-unreadable-twin": (
        a_deletion(DELETED.paused(), unreadable_twin=a_misfit("renamed", deletionPolicy="Archive")),
        Hold,
        Reason.DUPLICATE_OBJECT,
        "ml/renamed names node pool training-a as well and cannot be read by this version of the operator",
    ),
    "10-paused": (
        a_deletion(DELETED.paused()),
        Hold,
        Reason.PAUSED,
        "kubectl annotate -n ml manp training-a modelarts.huaweicloud.com/paused- --field-manager=on-call",
    ),
    **{
        f"10-paused-by-{value!r}": (
            a_deletion(DELETED.paused(value)),
            Hold,
            Reason.PAUSED,
            f'(the annotation modelarts.huaweicloud.com/paused is "{value}"; every value but "false" pauses)',
        )
        for value in ("True", "yes", "1", "0", "", "False", " false", "off")
    },
    "10-not-paused": (a_deletion(DELETED.paused("false")), Send, None, ""),
    "10-no-override-unpauses": (
        a_deletion(DELETED.paused().annotated(OVERRIDE_ANNOTATION, "paused@uid-of-training-a")),
        Hold,
        Reason.PAUSED,
        "the annotation modelarts.huaweicloud.com/override names Paused, which no override lifts; the object is paused",
    ),
    "11-other-finalizer": (
        a_deletion(FOREIGN),
        Hold,
        Reason.OTHER_FINALIZERS,
        OVERRIDE.format("OtherFinalizers"),
    ),
    "11-override-keeps-those-given": (
        a_deletion(FOREIGN.overriding(Reason.BILLING_UNKNOWN)),
        Hold,
        Reason.OTHER_FINALIZERS,
        OVERRIDE.format("BillingUnknown,OtherFinalizers"),
    ),
    "11-overridden": (a_deletion(FOREIGN.overriding(Reason.OTHER_FINALIZERS)), Send, None, ""),
    "11-override-of-another-object": (
        a_deletion(FOREIGN.overriding(Reason.OTHER_FINALIZERS, uid="another")),
        Hold,
        Reason.OTHER_FINALIZERS,
        "foregroundDeletion",
    ),
    **{
        f"11-override-{text!r}": (
            a_deletion(FOREIGN.annotated(OVERRIDE_ANNOTATION, text)),
            Hold,
            Reason.OTHER_FINALIZERS,
            f'before (the annotation modelarts.huaweicloud.com/override is "{text}" and does not lift this: {why}): ',
        )
        for text, why in (
            ("OtherFinalizers", "it names no uid; it has to be <Reason>@<uid of the object>"),
            ("OtherFinalizers@another", 'its uid is "another", the object\'s is uid-of-training-a'),
            (
                "OtherFinalizers@uid-of-training-a ",
                'its uid is "uid-of-training-a ", the object\'s is uid-of-training-a',
            ),
            (
                "otherfinalizers@uid-of-training-a",
                '"otherfinalizers" is none of BillingUnknown, LastNodePool, OtherFinalizers, as they are written here',
            ),
            (
                "LastNodePool,Finalizers@uid-of-training-a",
                '"Finalizers" is none of BillingUnknown, LastNodePool, OtherFinalizers, as they are written here',
            ),
        )
    },
    "11-override-of-another-guard-is-no-mistake": (
        a_deletion(FOREIGN.overriding(Reason.BILLING_UNKNOWN)),
        Hold,
        Reason.OTHER_FINALIZERS,
        "or before: kubectl",
    ),
    "13a-owner-gone": (
        a_deletion(OWNED, owners=owners(OwnerState.GONE)),
        Hold,
        Reason.OWNER_GONE,
        "so the garbage collector may have deleted it (Claim claim-a of example.com/v1 does not exist); confirm the",
    ),
    "13a-owner-gone-way-out": (a_deletion(OWNED, owners=owners(OwnerState.GONE)), Hold, Reason.OWNER_GONE, RETAIN),
    "13a-one-of-two-gone": (
        a_deletion(OWNED.owned_by(name="claim-b"), owners=owners(OwnerState.EXISTS, OwnerState.GONE)),
        Hold,
        Reason.OWNER_GONE,
        "(Claim claim-a of example.com/v1 exists, Claim claim-b of example.com/v1 does not exist); confirm",
    ),
    **{
        f"13a-owner-{state.name.lower()}": (
            a_deletion(OWNED, owners=owners(state)),
            Hold,
            Reason.OWNED_OBJECT,
            f"may have deleted it because of them (Claim claim-a of example.com/v1 {state}); confirm the del",
        )
        for state in (OwnerState.EXISTS, OwnerState.DELETING, OwnerState.UNKNOWN)
    },
    "13a-owners-looked-up": (a_deletion(OWNED), Look, None, ""),
    "13a-owners-looked-up-again": (a_deletion(OWNED, owners=owners(OwnerState.EXISTS, ago=300)), Look, None, ""),
    "13a-owners-before-the-deletion": (a_deletion(OWNED, owners=owners(OwnerState.EXISTS, ago=7200)), Look, None, ""),
    "13a-owners-not-found-out": (a_deletion(OWNED, owners=looked(None)), Hold, Reason.OWNED_OBJECT, "could not be"),
    "13a-many-owners": (
        a_deletion(MANY_OWNERS, owners=looked(None)),
        Hold,
        Reason.OWNED_OBJECT,
        "Claim claim-4 of example.com/v1 could not be looked up, and 2 more); confirm",
    ),
    "13a-confirmed": (a_deletion(OWNED.annotated(CONFIRM_ANNOTATION, "training-a")), Send, None, ""),
    "13a-confirmed-by-another-name": (
        a_deletion(OWNED.annotated(CONFIRM_ANNOTATION, "claim-a"), owners=owners(OwnerState.EXISTS)),
        Hold,
        Reason.OWNED_OBJECT,
        'confirm-delete names "claim-a", the node pool is "training-a")',
    ),
    "13a-not-overridable": (
        a_deletion(OWNED.annotated(OVERRIDE_ANNOTATION, "OwnerGone@uid-of-training-a"), owners=owners(OwnerState.GONE)),
        Hold,
        Reason.OWNER_GONE,
        "the annotation modelarts.huaweicloud.com/override names OwnerGone, which no override lifts; an owner",
    ),
    "13a-behind-13": (
        a_deletion(OWNED, namespace=terminating(NOON - HOUR)),
        Hold,
        Reason.NAMESPACE_TERMINATING,
        "",
    ),
    "13a-gone-in-the-cloud": (a_deletion(OWNED, **ABSENT), Release, Reason.ALREADY_GONE, ""),
    "15-billing-asked-last": (a_deletion(DELETED.paused(), nodes=PREPAID), Hold, Reason.PAUSED, ""),
    "15-prepaid": (a_deletion(nodes=PREPAID), Hold, Reason.YEARLY_MONTHLY_BILLING, RETAIN),
    "15-prepaid-resource-pool": (
        a_deletion(resource_pool=billed(Billing.YEARLY_MONTHLY)),
        Hold,
        Reason.YEARLY_MONTHLY_BILLING,
        LOOK_AGAIN,
    ),
    "18-send": (a_deletion(), Send, None, ""),
}
