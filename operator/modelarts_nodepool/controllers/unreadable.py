"""Objects that this version cannot read: their status says so.

Only conditions and observedGeneration are written: other fields of a later version's status stay. No finalizer is
added or removed, and no request goes to ModelArts.
"""

from datetime import timedelta

from modelarts_nodepool import metrics
from modelarts_nodepool.api.meta import Condition, ConditionType, find_condition
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.workqueue import Outcome, Result
from modelarts_nodepool.controllers.writes import Write, Writes
from modelarts_nodepool.decide.unreadable import decide_unreadable_conditions
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import build_conditions
from modelarts_nodepool.kube.events import EventRecorder, EventType
from modelarts_nodepool.ports import Clock

SOON = timedelta(milliseconds=100)


class UnreadableReconciler:
    """Keeps the conditions of unreadable objects up to date."""

    def __init__(self, cache: Cache, writes: Writes, recorder: EventRecorder, clock: Clock) -> None:
        self._cache = cache
        self._writes = writes
        self._recorder = recorder
        self._clock = clock

    async def reconcile(self, found: UnreadableObject) -> Result:
        """Write that the object is unreadable. Raises errors.ClusterError if a read after a conflict fails."""
        if not found.is_node_pool or not found.is_in_our_hands:
            return Result()
        try:
            await self._show(found)
        except (ObjectChanged, ObjectGone) as error:
            await self._writes.refresh(found, error)
            return Result(SOON, Outcome.CONFLICT)
        except ClusterError:
            self._writes.report_lasting(found)
            return Result(self._writes.pause(found.metadata.uid), Outcome.UNAVAILABLE)
        return Result(is_calm=True)

    async def _show(self, found: UnreadableObject) -> None:
        conditions = decide_unreadable_conditions(found, self._clock.now())
        if (found.conditions, found.observed_generation) == (conditions, found.metadata.generation):
            return
        patch = build_conditions(found, conditions)
        body = await self._writes.patch(found, Write.STATUS, paths.status_path_of(found), patch)
        metrics.STATUS_WRITES.inc()
        self._cache.upsert_node_pool(body, is_written=True)
        self._report(found, conditions)

    def _report(self, found: UnreadableObject, after: tuple[Condition, ...]) -> None:
        """One Event per transition, as for every other object."""
        is_deleted = found.metadata.deleted is not None
        kind = ConditionType.DELETION_BLOCKED if is_deleted else ConditionType.STALLED
        old, new = find_condition(found.conditions, kind), find_condition(after, kind)
        if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
            return
        if is_deleted:
            reason, words = Reason.DELETION_BLOCKED, f"{new.reason}: {new.message}"
        else:
            reason, words = Reason.INVALID_OBJECT, new.message
        self._recorder.record(found, EventType.WARNING, reason.value, words)
