"""What to do about an object that is being deleted: the table of deletion, row by row, first that applies.

Called by controllers/deletion/reconciler.py with everything that was observed. A row answers None where it does not
apply. Nothing here ever releases but rows 1, 5 and 7; nothing sends but the end of the table.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from modelarts_nodepool.api.annotations import ineffective_override, unusual_pause, useless_override
from modelarts_nodepool.api.conditions import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.names import is_valid_node_pool_name, is_valid_resource_pool_name
from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.absence import Absent, Missing, Unclear, prove_absence
from modelarts_nodepool.decide.deletion.billing import decide_billing
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Release, Send
from modelarts_nodepool.decide.deletion.duplicates import handed_over, unreadable
from modelarts_nodepool.decide.deletion.guards import (
    budget_exhausted,
    confirmation_required,
    definition_terminating,
    last_node_pool,
    namespace_terminating,
    owned,
)
from modelarts_nodepool.decide.deletion.in_flight import decide_in_effect, decide_reverted, decide_send_failed
from modelarts_nodepool.decide.failures import FAILURES, hold_for
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.ports import Moment

Row = Callable[[DeletionObserved, Moment], Decision | None]

# A held object is looked at again this often without being asked, and at once when it or its account changes.
HELD = timedelta(minutes=1)
_NAMED_FINALIZERS = 5


def decide_deletion(observed: DeletionObserved, moment: Moment) -> Decision:
    """The decision of the first row that applies."""
    for _reasons, row in ROWS:
        decision = row(observed, moment)
        if isinstance(decision, Hold):
            remark = useless_override(observed.node_pool, decision.reason)
            return replace(decision, message=remark + decision.message) if remark else decision
        if decision is not None:
            return decision
    return Send()


def retained(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Row 1: the policy is Retain, or was once since the deletion: no call to the cloud, no way back."""
    node_pool = observed.node_pool
    if node_pool.spec.deletion_policy is not DeletionPolicy.RETAIN and not observed.retain_seen:
        return None
    name = observed.node_pool_name
    if observed.record.sent_time is not None:
        words = f"a DELETE of node pool {name} was sent before the policy became Retain: look at it in the cloud"
        return Release(Reason.RETAINED_AFTER_SEND, words, is_orphan=True)
    blocked = find_condition(node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
    # A release that the API server refuses was decided before: it does not make an orphan of what was retained.
    was_blocked = (
        blocked is not None and blocked.status is ConditionStatus.TRUE and blocked.reason != Reason.RELEASE_REFUSED
    )
    if was_blocked or observed.record.attempt > 0:
        words = f"node pool {name} stays in the cloud and no object stands for it; its deletion was held"
        return Release(Reason.ORPHANED, words, is_orphan=True)
    return Release(Reason.RETAINED, f"node pool {name} stays in the cloud, as the policy Retain asks")


def account_in_the_way(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Row 2: without the account, or without its grant, nothing may be looked at or deleted."""
    node_pool = observed.node_pool
    name = node_pool.spec.account_ref.name
    if observed.account is None:
        words = f"ModelArtsAccount {name} does not exist; create it: {remedies.create_account()}"
        return Hold(Reason.ACCOUNT_NOT_FOUND, f"{words}; {remedies.way_out(node_pool)}", HELD)
    if not observed.account.is_granted:
        words = (
            f"ModelArtsAccount {name} grants namespace {node_pool.metadata.namespace} no access to resource pool "
            f"{node_pool.spec.pool_name}; add it to "
            f"spec.grants{remedies.by_hand(observed.account.account.metadata, remedies.edit_account(name))}"
        )
        return Hold(Reason.NOT_GRANTED, f"{words}; {remedies.way_out(node_pool)}", HELD)
    return None


def identity_differs(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Row 3: what account and spec say now is not the node pool that was seen."""
    pinned = observed.node_pool.status.identity
    if pinned is None or observed.account is None or pinned == observed.account.identity:
        return None
    words = (
        f"the object stood for node pool {pinned.node_pool_name} of resource pool {pinned.pool_name} in project "
        f"{pinned.project_id} ({pinned.region}); account or spec now say another "
        f"{observed.account.changed_from(pinned)}; create the account again as it was; what the account says now: "
        f"{remedies.describe_account(observed.node_pool.spec.account_ref.name)}"
    )
    return Hold(Reason.IDENTITY_MISMATCH, f"{words}; {remedies.way_out(observed.node_pool)}", HELD)


def absence(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Rows 4, 6 and 7: released where proven gone, held where that cannot be known."""
    node_pool, identity = observed.node_pool, observed.identity
    if identity is None or not (
        is_valid_resource_pool_name(identity.pool_name) and is_valid_node_pool_name(identity.node_pool_name)
    ):
        words = (
            "spec.poolName or the node pool's name is not a valid ModelArts name: it would change the URL of the call, "
            f"so nothing is sent; names cannot be changed; let the object go: {remedies.retain(node_pool)}"
        )
        return Hold(Reason.INVALID_OBJECT, words, HELD)
    proof = prove_absence(observed, identity, moment)
    if isinstance(proof, Missing):
        return Look(proof.facts)
    if isinstance(proof, Unclear):
        what = "it is not known whether the node pool still exists"
        return hold_for(node_pool, proof.failure, what, proof.retry_after)
    if isinstance(proof, Absent):
        return _gone(observed, with_resource_pool=proof.with_resource_pool)
    shown = proof.node_pool
    if shown.counts is not None:
        return None
    words = (
        f"ModelArts shows node pool {shown.name} with unreadable counts ({shown.problem or 'no numbers'}); tried again "
        f"by itself; details: {remedies.describe(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.CLOUD_UNAVAILABLE, words, HELD, is_transient=True)


def paused(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Row 10: behind the proof, for what is gone is released all the same."""
    if not observed.node_pool.is_paused:
        return None
    node_pool = observed.node_pool
    words = (
        f"the object is paused{unusual_pause(node_pool)}: nothing is sent to the cloud; to resume: "
        f"{remedies.unpause(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.PAUSED, words, HELD)


def other_finalizers(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Row 11: somebody else has not finished with the object."""
    node_pool = observed.node_pool
    others = node_pool.other_finalizers
    if not others or Reason.OTHER_FINALIZERS in node_pool.overrides:
        return None
    named = ", ".join(others[:_NAMED_FINALIZERS]) + (", …" if len(others) > _NAMED_FINALIZERS else "")
    words = (
        f"other finalizers are on the object ({named}); the node pool is deleted when they are gone, "
        f"or before{ineffective_override(node_pool, Reason.OTHER_FINALIZERS)}: "
        f"{remedies.override(node_pool, Reason.OTHER_FINALIZERS)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.OTHER_FINALIZERS, words, HELD)


def _gone(observed: DeletionObserved, *, with_resource_pool: bool) -> Release:
    name = observed.node_pool_name
    what = f"node pool {name} and its resource pool are" if with_resource_pool else f"node pool {name} is"
    if observed.record.attempt > 0:
        return Release(Reason.GONE, f"{what} gone: two looks at the cloud agree")
    return Release(Reason.ALREADY_GONE, f"{what} not in the cloud: two looks agree; nothing was sent")


# Top to bottom, with the reasons that each guard may give. FAILURES: a request to ModelArts or the API server failed.
ROWS: tuple[tuple[tuple[Reason, ...], Row], ...] = (
    ((Reason.RETAINED, Reason.RETAINED_AFTER_SEND, Reason.ORPHANED), retained),
    ((Reason.ACCOUNT_NOT_FOUND, Reason.NOT_GRANTED), account_in_the_way),
    ((Reason.IDENTITY_MISMATCH,), identity_differs),
    ((Reason.HANDED_OVER, Reason.DUPLICATE_OBJECT), handed_over),
    ((Reason.INVALID_OBJECT, Reason.GONE, Reason.ALREADY_GONE, *FAILURES), absence),
    ((Reason.DELETING_NODE_POOL, Reason.DELETION_STUCK), decide_in_effect),
    ((Reason.REFUSED_BY_MODELARTS, Reason.DELETION_REVERTED), decide_reverted),
    (FAILURES, decide_send_failed),
    ((Reason.DUPLICATE_OBJECT,), unreadable),
    ((Reason.PAUSED,), paused),
    ((Reason.OTHER_FINALIZERS,), other_finalizers),
    ((Reason.CRD_TERMINATING, *FAILURES), definition_terminating),
    ((Reason.NAMESPACE_TERMINATING, *FAILURES), namespace_terminating),
    ((Reason.OWNER_GONE, Reason.OWNED_OBJECT), owned),
    ((Reason.CONFIRMATION_REQUIRED,), confirmation_required),
    ((Reason.YEARLY_MONTHLY_BILLING, Reason.NODE_LOCKED, Reason.BILLING_UNKNOWN, *FAILURES), decide_billing),
    ((Reason.LAST_NODE_POOL,), last_node_pool),
    ((Reason.DELETION_BUDGET_EXHAUSTED,), budget_exhausted),
)
