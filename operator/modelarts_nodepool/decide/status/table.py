"""What status says about an object that lives: the status table, row by row, first that applies.

Called by controllers/node_pool.py at each look at the cloud and each change of the object. Deletions: deleting.py.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelarts_nodepool.api.annotations import unusual_pause
from modelarts_nodepool.api.conditions import (
    ConditionStatus,
    ConditionType,
    Said,
    find_condition,
    set_conditions,
)
from modelarts_nodepool.api.node_pool import Counts, NodePoolStatus
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.failures import keep_steady
from modelarts_nodepool.decide.observed import AccountView, LiveObserved
from modelarts_nodepool.decide.status.problems import Trouble, find_trouble
from modelarts_nodepool.decide.status.ready import say_as_last, say_healthy, say_ready
from modelarts_nodepool.ports import CloudNodePool

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
    view, shown = observed.account, _shown(observed)
    if view is None or shown is None or shown.counts is None or _is_out_of_reach(observed):
        return _out_of_reach(observed, now)
    return LiveVerdict(_mirrored(observed, view, shown, shown.counts, now))


def say_paused(node_pool: NodePool) -> dict[ConditionType, Said]:
    """Paused beside everything else, only while it is so."""
    if not node_pool.is_paused:
        return {}
    go_on = remedies.by_hand(node_pool.metadata, remedies.unpause(node_pool))
    words = f"nothing is sent to the cloud{unusual_pause(node_pool)}; observation goes on; unpause{go_on}"
    return {ConditionType.PAUSED: Said(status=ConditionStatus.TRUE, reason=Reason.PAUSED, message=words)}


def _shown(observed: LiveObserved) -> CloudNodePool | None:
    """What the newest good LIST shows of the node pool."""
    return observed.seen.node_pools.get(observed.node_pool.node_pool_name) if observed.seen else None


def _is_out_of_reach(observed: LiveObserved) -> bool:
    # Also without a failure: where no look came back for so long, the last one is no news any more.
    return observed.failure is not None or _until_stale(observed) <= timedelta()


def _until_stale(observed: LiveObserved) -> timedelta:
    interval = observed.account.poll_interval if observed.account else timedelta()
    return max(STALE_AFTER, STALE_POLLS * interval) - observed.seen_age


def _mirrored(
    observed: LiveObserved, view: AccountView, shown: CloudNodePool, counts: Counts, now: datetime
) -> NodePoolStatus:
    """Rows 6 to 10."""
    said = say_ready(shown.name, counts, shown.shape)
    said[ConditionType.NODES_HEALTHY] = say_healthy(shown.name, counts, shown.shape)
    return _build(
        observed,
        said,
        now,
        counts=counts,
        node_pool=shown.shape,
        identity=observed.node_pool.status.identity or view.identity,
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
    if (
        stalled is not None
        and stalled.status is ConditionStatus.TRUE
        and stalled.observed_generation == node_pool.metadata.generation
    ):
        return timedelta()
    reconciling = find_condition(conditions, ConditionType.RECONCILING)
    since = now
    if reconciling is not None and reconciling.status is ConditionStatus.TRUE:
        since = reconciling.last_transition_time
    elif not conditions:
        since = node_pool.metadata.created
    # A beginning in the future is a clock that was put back: it is looked at again in time.
    return min(STALLED_AFTER - (now - since), STALLED_AFTER)


def _out_of_reach(observed: LiveObserved, now: datetime) -> LiveVerdict:
    """Rows 4 and 5: the last word stands for a while, then it is called stale."""
    status, left = observed.node_pool.status, _until_stale(observed)
    if left > timedelta():
        if not status.conditions:
            # Nothing was said yet: observedGeneration -1 goes on to read "in progress".
            return LiveVerdict(status, left)
        said = say_as_last(status.conditions)
        if said is not None:
            return LiveVerdict(_build(observed, said, now), left)
    words = f"{_why_unreadable(observed)}; counts are of the last good answer; tried again by itself"
    said = {
        ConditionType.RECONCILING: Said(status=ConditionStatus.TRUE, reason=Reason.OBSERVATION_STALE, message=words),
        ConditionType.READY: Said(status=ConditionStatus.UNKNOWN, reason=Reason.OBSERVATION_STALE, message=words),
        ConditionType.NODES_HEALTHY: _unobserved(Reason.OBSERVATION_STALE, words),
    }
    return LiveVerdict(_build(observed, said, now))


def _why_unreadable(observed: LiveObserved) -> str:
    if observed.failure is not None:
        return str(observed.failure).rstrip(". ")
    shown = _shown(observed)
    if shown is None or shown.counts is not None:
        return "no look at the resource pool has come back lately"
    return f"ModelArts shows node pool {shown.name} with unreadable counts ({shown.problem or 'no numbers'})"


def _unobserved(reason: Reason, message: str) -> Said:
    return Said(status=ConditionStatus.UNKNOWN, reason=reason, message=message)


def _build(observed: LiveObserved, said: dict[ConditionType, Said], now: datetime, **changes: object) -> NodePoolStatus:
    node_pool = observed.node_pool
    before = node_pool.status
    generation = node_pool.metadata.generation
    steady = keep_steady(said, before.conditions)
    return before.model_copy(
        update={
            **changes,
            "observed_generation": generation,
            "conditions": set_conditions(steady | say_paused(node_pool), before.conditions, generation, now),
            "last_handled_reconcile_at": observed.reconcile_at or before.last_handled_reconcile_at,
            # An object that lives was never deleted: a record here came out of a backup and would be believed.
            "deletion": None,
        }
    )
