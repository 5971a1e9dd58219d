"""The status of an object that is being deleted: DeletionBlocked or DeletingNodePool.

Called by controllers/deletion/reconciler.py after each decision. Returns None while nothing may be written.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelarts_nodepool.api.meta import (
    Condition,
    ConditionStatus,
    ConditionType,
    Said,
    find_condition,
    set_conditions,
)
from modelarts_nodepool.api.node_pool import DeletionRecord, Identity, NodePoolStatus
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Wait
from modelarts_nodepool.decide.deletion.in_flight import shown_counts
from modelarts_nodepool.decide.deletion.record import write_ahead
from modelarts_nodepool.decide.failures import steady_words
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.decide.status import say_paused

# A hold shorter than this is not shown: other finalizers and transient faults come and go.
GRACE = timedelta(seconds=5)
TRANSIENT_GRACE = timedelta(minutes=5)
# Answers of ModelArts to a DELETE are written at once: a restart must not lose them.
AT_ONCE = frozenset({Reason.REFUSED_BY_MODELARTS, Reason.DELETION_REVERTED})


@dataclass(frozen=True, slots=True)
class ShownHold:
    """A hold as the object's status shows it. `reason`: any client may have written it."""

    reason: str
    since: datetime


def shown_hold(node_pool: NodePool) -> ShownHold | None:
    """The hold that keeps a node pool from being deleted; None without one.

    ReleaseRefused is none: it keeps only the object, after the work in the cloud is complete.
    """
    if node_pool.metadata.deleted is None or not node_pool.is_protected:
        return None
    blocked = _blocked_now(node_pool)
    if blocked is None or blocked.reason == Reason.RELEASE_REFUSED:
        return None
    return ShownHold(blocked.reason, blocked.last_transition_time)


def decide_deleting_status(
    observed: DeletionObserved, decision: Decision, held_for: timedelta, now: datetime
) -> NodePoolStatus | None:
    """The whole status, or None if nothing may be written: a status write would collide with the write-ahead."""
    blocked = _blocked_now(observed.node_pool)
    match decision:
        case Wait(_, message, _, is_stuck=False):
            return _build(observed, observed.record, _deleting(message), now)
        case Wait(reason, message):
            return _build(observed, observed.record, _blocked(reason, message, blocked), now)
        case Hold(reason, message) if _is_shown(decision, blocked, held_for):
            return _build(observed, observed.record, _blocked(reason, message, blocked), now)
        case Hold(_, message) if observed.record != DeletionRecord():
            # A DELETE was written ahead before: show and keep its outcome, but not the hold yet.
            said = _blocked(blocked.reason, blocked.message, blocked) if blocked else _deleting(message)
            return _build(observed, observed.record, said, now)
        case Hold(_, message) if held_for >= GRACE and _proposes_deletion(*observed.node_pool.status.conditions):
            # A transient fault is not shown for five minutes, but the message from before the deletion is wrong now.
            return _build(observed, observed.record, _deleting(message), now)
        case _:
            return None


def build_write_ahead(observed: DeletionObserved, now: datetime) -> NodePoolStatus:
    """The status that is written before a DELETE: one more attempt, identity pinned, DeletingNodePool."""
    blocked = _blocked_now(observed.node_pool)
    message = f"the DELETE of node pool {observed.node_pool_name} is being sent; its answer follows with the next poll"
    if blocked is not None and blocked.reason == Reason.DELETION_STUCK:
        # One more attempt does not end DeletionStuck, or the alert would stop.
        said = _blocked(blocked.reason, blocked.message, blocked)
    else:
        said = _deleting(message)
    return _build(observed, write_ahead(observed.record, now), said, now)


def queued(identity: Identity, retry_after: timedelta) -> Wait:
    """The Wait of an object that is in the queue for a long time."""
    words = (
        f"the DELETE of node pool {identity.node_pool_name} is queued; the operator prepares a few deletions of "
        f"resource pool {identity.pool_name} at a time and sends their DELETEs one by one; continues automatically; "
        f"to see the other deletions: {remedies.list_all()}"
    )
    return Wait(Reason.DELETING_NODE_POOL, words, retry_after)


def is_worth_a_write(before: NodePoolStatus, after: NodePoolStatus) -> bool:
    """Whether they differ in more than what may be recorded with the next write.

    A deletion costs two writes, and one for each change of the counts. The acceptance by ModelArts and messages about
    progress are written together with these. After a crash in between, the outcome counts as unknown.
    """
    return _without_deferred(before) != _without_deferred(after)


def _is_shown(hold: Hold, blocked: Condition | None, held_for: timedelta) -> bool:
    if hold.reason in AT_ONCE or (blocked is not None and not hold.is_transient):
        return True
    return held_for >= (TRANSIENT_GRACE if hold.is_transient else GRACE)


def _proposes_deletion(*conditions: Condition) -> bool:
    """Whether a message from before the deletion still proposes to delete the object."""
    return any(remedies.DELETES in condition.message for condition in conditions)


def _blocked_now(node_pool: NodePool) -> Condition | None:
    """The condition DeletionBlocked, if it is true."""
    found = find_condition(node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
    return found if found is not None and found.status is ConditionStatus.TRUE else None


def _without_deferred(status: NodePoolStatus) -> NodePoolStatus:
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
        # Kept as it was: health has no meaning for a node pool that is being deleted. Without advice to delete it.
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
    """Pinned by a LIST that shows the name, and only if the account grants it to this object."""
    if observed.account is None or not observed.account.is_granted or shown_counts(observed) is None:
        return None
    return observed.identity


def _handled_reconcile_at(observed: DeletionObserved) -> str | None:
    """The new value after a decision on a LIST that began after it was set."""
    node_pool, asked = observed.node_pool, observed.reconcile_requested
    if asked is not None and (observed.listing is None or observed.listing.begun < asked):
        return node_pool.status.last_handled_reconcile_at
    return node_pool.reconcile_at or node_pool.status.last_handled_reconcile_at
