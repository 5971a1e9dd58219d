"""What status says about an object that is being deleted: rows 1, 2 and 2a of the status table.

Called by controllers/deletion/reconciler.py after each decision. Answers None where nothing may be written yet.
"""

from datetime import datetime, timedelta

from modelarts_nodepool.api.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Said,
    find_condition,
    set_conditions,
)
from modelarts_nodepool.api.node_pool import DeletionRecord, Identity, NodePoolStatus
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Wait
from modelarts_nodepool.decide.deletion.in_flight import shown_counts
from modelarts_nodepool.decide.deletion.record import write_ahead
from modelarts_nodepool.decide.failures import steady_words
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.decide.status.table import say_paused

# A hold shorter than this is not worth a word: finalizers of others come and go, transient faults too.
GRACE = timedelta(seconds=5)
TRANSIENT_GRACE = timedelta(minutes=5)
# These are answers of the cloud to a DELETE: they are written at once, so that no restart forgets them.
AT_ONCE = frozenset({Reason.REFUSED_BY_MODELARTS, Reason.DELETION_REVERTED})


def decide_deleting_status(
    observed: DeletionObserved, decision: Decision, held_for: timedelta, now: datetime
) -> NodePoolStatus | None:
    """The whole status, or None where nothing may be written: the write-ahead must not collide with a mirror."""
    blocked = _blocked_now(observed)
    match decision:
        case Wait(_, message, _, is_stuck=False):
            return _build(observed, observed.record, _deleting(message), now)
        case Wait(reason, message):
            return _build(observed, observed.record, _blocked(reason, message, blocked), now)
        case Hold(reason, message) if _is_told(decision, blocked, held_for):
            return _build(observed, observed.record, _blocked(reason, message, blocked), now)
        case Hold(_, message) if observed.record != DeletionRecord():
            # Written ahead already: what came of that DELETE is shown and kept, the hold not yet.
            said = _blocked(blocked.reason, blocked.message, blocked) if blocked else _deleting(message)
            return _build(observed, observed.record, said, now)
        case Hold(_, message) if held_for >= GRACE and _proposes_deletion(*observed.node_pool.status.conditions):
            # Passing faults are not worth a word for long, but the words from before the deletion are wrong now.
            return _build(observed, observed.record, _deleting(message), now)
        case _:
            return None


def build_write_ahead(observed: DeletionObserved, now: datetime) -> NodePoolStatus:
    """The status that goes before a DELETE: one attempt more, identity pinned, DeletingNodePool."""
    blocked = _blocked_now(observed)
    message = f"the DELETE of node pool {observed.node_pool_name} is being sent"
    if blocked is not None and blocked.reason == Reason.DELETION_STUCK:
        # One more attempt does not make it less stuck: the alert goes on.
        said = _blocked(blocked.reason, blocked.message, blocked)
    else:
        said = _deleting(message)
    return _build(observed, write_ahead(observed.record, now), said, now)


def queued(identity: Identity, retry_after: timedelta) -> Wait:
    """The Wait of an object that is in the queue for long (controllers/deletion/places.py)."""
    words = (
        f"the DELETE of node pool {identity.node_pool_name} waits for its turn: of resource pool {identity.pool_name} "
        f"a few deletions are prepared at once, and their DELETEs sent one after the other; it goes on by itself; how "
        f"far the others are: {remedies.list_all()}"
    )
    return Wait(Reason.DELETING_NODE_POOL, words, retry_after)


def is_worth_a_write(before: NodePoolStatus, after: NodePoolStatus) -> bool:
    """Whether they differ in more than an answer that may be recorded with the next write.

    A deletion costs the API server two writes and one for each change of the counts; the cloud's acceptance
    and the words about progress ride along. After a crash between them the outcome counts as unknown.
    """
    return _without_riders(before) != _without_riders(after)


def _is_told(hold: Hold, blocked: Condition | None, held_for: timedelta) -> bool:
    if hold.reason in AT_ONCE or (blocked is not None and not hold.is_transient):
        return True
    return held_for >= (TRANSIENT_GRACE if hold.is_transient else GRACE)


def _proposes_deletion(*conditions: Condition) -> bool:
    """Whether they still say what they said while the object lived: that it may be deleted."""
    return any(remedies.DELETES in condition.message for condition in conditions)


def _blocked_now(observed: DeletionObserved) -> Condition | None:
    """DeletionBlocked as it stands, where it is true."""
    found = find_condition(observed.node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
    return found if found is not None and found.status is ConditionStatus.TRUE else None


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


def _blocked(reason: str, message: str, last: Condition | None) -> dict[ConditionType, Said]:
    words = steady_words(reason, last.message, message) if last is not None and last.reason == reason else message
    general = Reason.DELETION_BLOCKED
    return {
        ConditionType.RECONCILING: Said(status=ConditionStatus.TRUE, reason=general, message=words),
        ConditionType.READY: Said(status=ConditionStatus.FALSE, reason=general, message=words),
        ConditionType.DELETION_BLOCKED: Said(status=ConditionStatus.TRUE, reason=reason, message=words),
    }


def _build(
    observed: DeletionObserved, record: DeletionRecord, said: dict[ConditionType, Said], now: datetime
) -> NodePoolStatus:
    node_pool = observed.node_pool
    before = node_pool.status
    healthy = find_condition(before.conditions, ConditionType.NODES_HEALTHY)
    if healthy is not None:
        # Kept as it was: a node pool on its way out is neither healthy nor not. Without its advice: that was taken.
        words = "the object is being deleted" if _proposes_deletion(healthy) else healthy.message
        said[ConditionType.NODES_HEALTHY] = Said(status=healthy.status, reason=healthy.reason, message=words)
    conditions = set_conditions(said | say_paused(node_pool), before.conditions, node_pool.metadata.generation, now)
    return before.model_copy(
        update={
            "observed_generation": node_pool.metadata.generation,
            "counts": shown_counts(observed) or before.counts,
            "identity": before.identity or _seen_identity(observed),
            "deletion": record if record != DeletionRecord() else None,
            "last_handled_reconcile_at": _handled_reconcile_at(observed),
            "conditions": conditions,
        }
    )


def _seen_identity(observed: DeletionObserved) -> Identity | None:
    """Pinned by a LIST that shows the name, and only where the account lets this object name it."""
    if observed.account is None or not observed.account.is_granted or shown_counts(observed) is None:
        return None
    return observed.identity


def _handled_reconcile_at(observed: DeletionObserved) -> str | None:
    """The new value once a look that began after it was set has been decided on."""
    node_pool, asked = observed.node_pool, observed.reconcile_requested
    if asked is not None and (observed.listing is None or observed.listing.begun < asked):
        return node_pool.status.last_handled_reconcile_at
    return node_pool.reconcile_at or node_pool.status.last_handled_reconcile_at
