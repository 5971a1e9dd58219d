"""What status says about an object that lives: the status table, row by row, first that applies.

Called by engine/mirror.py at each look at the cloud and each change of the object. Deletions: deleting.py.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelarts_nodepool.decide import commands
from modelarts_nodepool.decide.health import say_healthy, say_ready
from modelarts_nodepool.decide.observed import LiveObserved
from modelarts_nodepool.decide.trouble import Trouble, find_trouble
from modelarts_nodepool.ports import CloudNodePool
from modelarts_nodepool.resource.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Said,
    find_condition,
    set_conditions,
)
from modelarts_nodepool.resource.node_pool import NodePoolStatus
from modelarts_nodepool.resource.objects import NodePool
from modelarts_nodepool.resource.reasons import Reason

STALLED_AFTER = timedelta(minutes=5)
STALE_AFTER = timedelta(minutes=5)
STALE_POLLS = 3


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """The status that should stand, and when time alone may change it (None: only a change can)."""

    status: NodePoolStatus
    recheck_after: timedelta | None = None


def decide_status(observed: LiveObserved, now: datetime) -> LiveVerdict:
    """The whole status. Equal to the object's own where nothing has to be written."""
    trouble = find_trouble(observed)
    if trouble is not None:
        return _troubled(observed, trouble, now)
    shown = _readable(observed)
    if shown is None:
        return _out_of_reach(observed, now)
    return LiveVerdict(_mirrored(observed, shown, now))


def say_paused(node_pool: NodePool) -> dict[ConditionType, Said]:
    """Paused beside everything else, only while it is so."""
    if not node_pool.is_paused:
        return {}
    words = f"nothing is sent to the cloud; observation goes on; unpause: {commands.unpause(node_pool)}"
    return {ConditionType.PAUSED: Said(status=ConditionStatus.TRUE, reason=Reason.PAUSED, message=words)}


def _readable(observed: LiveObserved) -> CloudNodePool | None:
    """What the newest look shows, None where that look failed or is not to be read."""
    if observed.failure is not None or observed.seen is None:
        return None
    shown = observed.seen.node_pools.get(observed.node_pool.node_pool_name)
    return shown if shown is not None and shown.counts is not None else None


def _mirrored(observed: LiveObserved, shown: CloudNodePool, now: datetime) -> NodePoolStatus:
    """Rows 6 to 10."""
    counts = shown.counts
    if counts is None or observed.account is None:  # excluded by the rows before; keeps the types honest
        return observed.node_pool.status
    said = say_ready(shown.name, counts, shown.shape)
    said[ConditionType.NODES_HEALTHY] = say_healthy(shown.name, counts, shown.shape)
    return _build(
        observed,
        said,
        now,
        counts=counts,
        node_pool=shown.shape,
        identity=observed.node_pool.status.identity or observed.account.identity,
    )


def _troubled(observed: LiveObserved, trouble: Trouble, now: datetime) -> LiveVerdict:
    """Row 3: in progress at first, Stalled after five minutes: GitOps tools fail at once on Stalled."""
    left = _until_stalled(observed.node_pool, now)
    kind = ConditionType.RECONCILING if left > timedelta() else ConditionType.STALLED
    said = {
        kind: Said(status=ConditionStatus.TRUE, reason=trouble.reason, message=trouble.message),
        ConditionType.READY: Said(status=ConditionStatus.FALSE, reason=trouble.reason, message=trouble.message),
        ConditionType.NODES_HEALTHY: _unobserved(trouble.reason, trouble.message),
    }
    return LiveVerdict(_build(observed, said, now), left if left > timedelta() else None)


def _until_stalled(node_pool: NodePool, now: datetime) -> timedelta:
    conditions = node_pool.status.conditions
    stalled = find_condition(conditions, ConditionType.STALLED)
    if stalled is not None and stalled.observed_generation == node_pool.metadata.generation:
        return timedelta()
    reconciling = find_condition(conditions, ConditionType.RECONCILING)
    since = now
    if reconciling is not None and reconciling.status is ConditionStatus.TRUE:
        since = reconciling.last_transition_time
    elif not conditions:
        since = node_pool.metadata.created
    return STALLED_AFTER - (now - since)


def _out_of_reach(observed: LiveObserved, now: datetime) -> LiveVerdict:
    """Rows 4 and 5: the last word stands for a while, then it is called stale."""
    status = observed.node_pool.status
    interval = observed.account.poll_interval if observed.account else timedelta()
    left = max(STALE_AFTER, STALE_POLLS * interval) - observed.seen_age
    if status.conditions and left > timedelta():
        return LiveVerdict(_as_last(observed, now), left)
    words = f"{_why_unreadable(observed)}; counts are of the last good answer; tried again by itself"
    said = {
        ConditionType.RECONCILING: Said(status=ConditionStatus.TRUE, reason=Reason.OBSERVATION_STALE, message=words),
        ConditionType.READY: Said(status=ConditionStatus.UNKNOWN, reason=Reason.OBSERVATION_STALE, message=words),
        ConditionType.NODES_HEALTHY: _unobserved(Reason.OBSERVATION_STALE, words),
    }
    return LiveVerdict(_build(observed, said, now))


def _why_unreadable(observed: LiveObserved) -> str:
    if observed.failure is not None:
        return str(observed.failure)
    if observed.seen is None:
        return "the resource pool was not looked at yet"
    shown = observed.seen.node_pools.get(observed.node_pool.node_pool_name)
    return f"ModelArts shows unreadable counts ({shown.problem if shown else 'none'})"


def _as_last(observed: LiveObserved, now: datetime) -> NodePoolStatus:
    """The last words, stamped with the generation of now."""
    said = {
        condition.type: Said(status=condition.status, reason=condition.reason, message=condition.message)
        for condition in observed.node_pool.status.conditions
        if condition.type is not ConditionType.PAUSED
    }
    return _build(observed, said, now)


def _unobserved(reason: Reason, message: str) -> Said:
    return Said(status=ConditionStatus.UNKNOWN, reason=reason, message=message)


def _build(observed: LiveObserved, said: dict[ConditionType, Said], now: datetime, **changes: object) -> NodePoolStatus:
    node_pool = observed.node_pool
    generation = node_pool.metadata.generation
    conditions: tuple[Condition, ...] = set_conditions(
        said | say_paused(node_pool), node_pool.status.conditions, generation, now
    )
    return node_pool.status.model_copy(
        update={
            **changes,
            "observed_generation": generation,
            "conditions": conditions,
            "last_handled_reconcile_at": observed.reconcile_at,
        }
    )
