"""What status says about an object that is being deleted: rows 1, 2 and 2a of the status table.

Called by engine/deletion.py after each decision. Answers None where nothing may be written yet.
"""

from datetime import datetime, timedelta

from modelarts_nodepool.decide.decision import Decision, Hold, Wait
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.decide.progress import shown_counts
from modelarts_nodepool.decide.record import write_ahead
from modelarts_nodepool.decide.status import say_paused
from modelarts_nodepool.resource.conditions import (
    ConditionStatus,
    ConditionType,
    Said,
    find_condition,
    set_conditions,
)
from modelarts_nodepool.resource.node_pool import DeletionRecord, NodePoolStatus
from modelarts_nodepool.resource.reasons import Reason

# A hold shorter than this is not worth a word: finalizers of others come and go, transient faults too.
GRACE = timedelta(seconds=5)
TRANSIENT_GRACE = timedelta(minutes=5)
# These are answers of the cloud to a DELETE: they are written at once, so that no restart forgets them.
AT_ONCE = frozenset({Reason.REFUSED_BY_MODELARTS, Reason.DELETION_REVERTED})


def decide_deleting_status(
    observed: DeletionObserved, decision: Decision, held_for: timedelta, now: datetime
) -> NodePoolStatus | None:
    """The whole status, or None where nothing may be written: the write-ahead must not collide with a mirror."""
    match decision:
        case Wait(_, message, _, is_stuck=False):
            return _build(observed, observed.record, _deleting(message), now)
        case Wait(reason, message, _):
            return _build(observed, observed.record, _blocked(reason, message), now)
        case Hold(reason, message, _, is_transient) if _is_told(observed, reason, held_for, transient=is_transient):
            return _build(observed, observed.record, _blocked(reason, message), now)
        case Hold() if observed.record.sent_time is not None:
            return _build(observed, observed.record, _as_last(observed), now)
        case _:
            return None


def build_write_ahead(observed: DeletionObserved, now: datetime) -> NodePoolStatus:
    """The status that goes before a DELETE: one attempt more, identity pinned, DeletingNodePool."""
    name = observed.node_pool.node_pool_name
    return _build(
        observed,
        write_ahead(observed.record, now),
        _deleting(f"the DELETE of node pool {name} is being sent"),
        now,
    )


def is_worth_a_write(before: NodePoolStatus, after: NodePoolStatus) -> bool:
    """Whether they differ in more than an answer that may be recorded with the next write.

    A deletion costs the API server two writes and one for each change of the counts; the cloud's acceptance
    and the words about progress ride along. After a crash between them the outcome counts as unknown.
    """
    return _without_riders(before) != _without_riders(after)


def _is_told(observed: DeletionObserved, reason: Reason, held_for: timedelta, *, transient: bool) -> bool:
    blocked = find_condition(observed.node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
    if reason in AT_ONCE or (blocked is not None and not transient):
        return True
    return held_for >= (TRANSIENT_GRACE if transient else GRACE)


def _without_riders(status: NodePoolStatus) -> NodePoolStatus:
    record = status.deletion or DeletionRecord()
    quiet = record.model_copy(update={"accepted_time": None, "request_id": None, "outcome": None, "last_error": None})
    conditions = tuple(
        condition.model_copy(update={"message": ""}) if condition.reason == Reason.DELETING_NODE_POOL else condition
        for condition in status.conditions
    )
    return status.model_copy(update={"deletion": quiet, "conditions": conditions})


def _deleting(message: str) -> dict[ConditionType, Said]:
    reason = Reason.DELETING_NODE_POOL
    return {
        ConditionType.RECONCILING: Said(status=ConditionStatus.TRUE, reason=reason, message=message),
        ConditionType.READY: Said(status=ConditionStatus.FALSE, reason=reason, message=message),
    }


def _blocked(reason: Reason, message: str) -> dict[ConditionType, Said]:
    general = Reason.DELETION_BLOCKED
    return {
        ConditionType.RECONCILING: Said(status=ConditionStatus.TRUE, reason=general, message=message),
        ConditionType.READY: Said(status=ConditionStatus.FALSE, reason=general, message=message),
        ConditionType.DELETION_BLOCKED: Said(status=ConditionStatus.TRUE, reason=reason, message=message),
    }


def _as_last(observed: DeletionObserved) -> dict[ConditionType, Said]:
    return {
        condition.type: Said(status=condition.status, reason=condition.reason, message=condition.message)
        for condition in observed.node_pool.status.conditions
        if condition.type not in (ConditionType.PAUSED, ConditionType.NODES_HEALTHY)
    }


def _build(
    observed: DeletionObserved, record: DeletionRecord, said: dict[ConditionType, Said], now: datetime
) -> NodePoolStatus:
    node_pool = observed.node_pool
    before = node_pool.status
    healthy = find_condition(before.conditions, ConditionType.NODES_HEALTHY)
    if healthy is not None:
        # Kept as it was: a node pool on its way out is neither healthy nor not.
        said[ConditionType.NODES_HEALTHY] = Said(status=healthy.status, reason=healthy.reason, message=healthy.message)
    counts = shown_counts(observed)
    conditions = set_conditions(said | say_paused(node_pool), before.conditions, node_pool.metadata.generation, now)
    return before.model_copy(
        update={
            "observed_generation": node_pool.metadata.generation,
            "counts": counts or before.counts,
            "identity": before.identity or (observed.identity if counts is not None else None),
            "deletion": record if record != DeletionRecord() else None,
            "last_handled_reconcile_at": node_pool.reconcile_at or before.last_handled_reconcile_at,
            "conditions": conditions,
        }
    )
