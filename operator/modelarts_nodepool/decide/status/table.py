"""The status of an object that is not being deleted.

The first that applies: a problem that a person must fix, ModelArts cannot be reached, or the counts. Called by
controllers/node_pool.py after each poll and each change of the object. While it is being deleted: deletion/status.py.
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
from modelarts_nodepool.decide.status.problems import Problem, find_problem
from modelarts_nodepool.decide.status.ready import say_as_last, say_healthy, say_ready
from modelarts_nodepool.ports import CloudNodePool

STALLED_AFTER = timedelta(minutes=5)
STALE_AFTER = timedelta(minutes=5)
STALE_POLLS = 3


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """The status to write, and when time alone may change it (None: only a change can)."""

    status: NodePoolStatus
    recheck_after: timedelta | None = None


def decide_status(observed: LiveObserved, now: datetime) -> LiveVerdict:
    """The whole status. Equal to the object's own status if nothing has to be written."""
    problem = find_problem(observed)
    if problem is not None:
        return _with_problem(observed, problem, now)
    view, shown = observed.account, _shown(observed)
    if view is None or shown is None or shown.counts is None or _is_out_of_reach(observed):
        return _out_of_reach(observed, now)
    return LiveVerdict(_mirrored(observed, view, shown, shown.counts, now))


def say_paused(node_pool: NodePool) -> dict[ConditionType, Said]:
    """The condition Paused, only while the object is paused."""
    if not node_pool.is_paused:
        return {}
    resume = remedies.by_hand(node_pool.metadata, remedies.unpause(node_pool))
    words = f"no DELETE is sent{unusual_pause(node_pool)}; the status is still updated; remove the annotation{resume}"
    return {ConditionType.PAUSED: Said(status=ConditionStatus.TRUE, reason=Reason.PAUSED, message=words)}


def _shown(observed: LiveObserved) -> CloudNodePool | None:
    """The node pool in the newest successful LIST."""
    return observed.seen.node_pools.get(observed.node_pool.node_pool_name) if observed.seen else None


def _is_out_of_reach(observed: LiveObserved) -> bool:
    # Also without a failure: if no poll finished for so long, the last one is out of date.
    return observed.failure is not None or _until_stale(observed) <= timedelta()


def _until_stale(observed: LiveObserved) -> timedelta:
    interval = observed.account.poll_interval if observed.account else timedelta()
    return max(STALE_AFTER, STALE_POLLS * interval) - observed.seen_age


def _mirrored(
    observed: LiveObserved, view: AccountView, shown: CloudNodePool, counts: Counts, now: datetime
) -> NodePoolStatus:
    """Ready and NodesHealthy from the counts."""
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


def _with_problem(observed: LiveObserved, problem: Problem, now: datetime) -> LiveVerdict:
    """Reconciling at first, Stalled after five minutes: GitOps tools fail at once on Stalled."""
    left = _until_stalled(observed.node_pool, now)
    kind = ConditionType.RECONCILING if left > timedelta() else ConditionType.STALLED
    said = {
        kind: Said(status=ConditionStatus.TRUE, reason=problem.reason, message=problem.message),
        ConditionType.READY: Said(status=ConditionStatus.FALSE, reason=problem.reason, message=problem.message),
        ConditionType.NODES_HEALTHY: _unobserved(problem.reason, problem.message),
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
    # A time in the future means that the clock was set back: check again after five minutes.
    return min(STALLED_AFTER - (now - since), STALLED_AFTER)


def _out_of_reach(observed: LiveObserved, now: datetime) -> LiveVerdict:
    """The last conditions stay for a while, then ObservationStale replaces them."""
    status, left = observed.node_pool.status, _until_stale(observed)
    if left > timedelta():
        if not status.conditions:
            # No conditions yet: observedGeneration -1 reads as "in progress".
            return LiveVerdict(status, left)
        said = say_as_last(status.conditions)
        if said is not None:
            return LiveVerdict(_build(observed, said, now), left)
    words = f"{_why_unreadable(observed)}; the counts are from the last successful poll; retries automatically"
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
        return "no poll of the resource pool has finished recently"
    return f"ModelArts returned unreadable counts for node pool {shown.name} ({shown.problem or 'no numbers'})"


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
            # This object was never deleted: a record here comes from a backup and would be believed.
            "deletion": None,
        }
    )
