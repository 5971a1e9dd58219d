"""The table of deletion: what to do about an object that is being deleted.

Called by controllers/deletion/reconciler.py, and guard by guard by commands/why/explain.py. Each row is a pure guard:
it returns a decision, or None if it does not apply. The first decision counts; if no guard applies, the DELETE is sent.
Only `retained`, `handed_over` and `absence` release an object.

To add a guard: CONTRIBUTING.md, "Your first change".
"""

from collections.abc import Callable
from dataclasses import replace

from modelarts_nodepool.api.annotations import useless_override
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.absence import absence
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Send
from modelarts_nodepool.decide.deletion.guards import (
    account_not_found,
    billing,
    budget_exhausted,
    confirmation_required,
    crd_terminating,
    handed_over,
    identity_mismatch,
    last_node_pool,
    namespace_terminating,
    not_granted,
    other_finalizers,
    owned,
    paused,
    retained,
    unreadable_duplicate,
)
from modelarts_nodepool.decide.deletion.in_flight import deleting, refused, reverted, send_failed
from modelarts_nodepool.decide.deletion.workloads import workloads
from modelarts_nodepool.decide.failures import FAILURES
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.ports import Moment

Guard = Callable[[DeletionObserved, Moment], Decision | None]

# Top to bottom, each guard with the reasons that it may give.
# FAILURES: a request to ModelArts or to the API server failed.
ROWS: tuple[tuple[tuple[Reason, ...], Guard], ...] = (
    ((Reason.RETAINED, Reason.RETAINED_AFTER_SEND, Reason.ORPHANED), retained),
    ((Reason.ACCOUNT_NOT_FOUND,), account_not_found),
    ((Reason.NOT_GRANTED,), not_granted),
    ((Reason.IDENTITY_MISMATCH,), identity_mismatch),
    ((Reason.HANDED_OVER, Reason.DUPLICATE_OBJECT), handed_over),
    ((Reason.INVALID_OBJECT, Reason.GONE, Reason.ALREADY_GONE, *FAILURES), absence),
    ((Reason.DELETING_NODE_POOL, Reason.DELETION_STUCK), deleting),
    ((Reason.REFUSED_BY_MODELARTS,), refused),
    ((Reason.DELETION_REVERTED,), reverted),
    (FAILURES, send_failed),
    ((Reason.DUPLICATE_OBJECT,), unreadable_duplicate),
    ((Reason.PAUSED,), paused),
    ((Reason.OTHER_FINALIZERS,), other_finalizers),
    ((Reason.CRD_TERMINATING, *FAILURES), crd_terminating),
    ((Reason.NAMESPACE_TERMINATING, *FAILURES), namespace_terminating),
    ((Reason.OWNER_GONE, Reason.OWNED_OBJECT), owned),
    ((Reason.CONFIRMATION_REQUIRED,), confirmation_required),
    ((Reason.YEARLY_MONTHLY_BILLING, Reason.NODE_LOCKED, Reason.BILLING_UNKNOWN, *FAILURES), billing),
    ((Reason.WORKLOADS_RUNNING, *FAILURES), workloads),
    ((Reason.LAST_NODE_POOL,), last_node_pool),
    ((Reason.DELETION_BUDGET_EXHAUSTED,), budget_exhausted),
)


def decide_deletion(observed: DeletionObserved, moment: Moment) -> Decision:
    """The decision of the first guard that applies, else Send."""
    for _reasons, guard in ROWS:
        decision = guard(observed, moment)
        if decision is not None:
            return name_useless_override(observed, decision)
    return Send()


def name_useless_override(observed: DeletionObserved, decision: Decision) -> Decision:
    """The message of a hold names an override that has no effect."""
    if not isinstance(decision, Hold):
        return decision
    remark = useless_override(observed.node_pool, decision.reason)
    return replace(decision, message=remark + decision.message) if remark else decision
