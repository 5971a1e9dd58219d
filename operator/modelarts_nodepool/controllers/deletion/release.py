"""The release of an object: audit entry written, our finalizer removed, then log, Event and metrics.

Called by reconciler.py when the table says Release. `_remove_finalizer` is the one function that removes our finalizer.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from modelarts_nodepool import metrics
from modelarts_nodepool.api.account import RecentDeletion
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers import audit
from modelarts_nodepool.controllers.audit import AuditTrail
from modelarts_nodepool.controllers.deletion.gather import Gather, Memory
from modelarts_nodepool.controllers.workqueue import KeyedLocks
from modelarts_nodepool.controllers.writes import Write, Writes
from modelarts_nodepool.decide.deletion.audit_entry import build_entry, keep_known
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import build_finalizer_removed
from modelarts_nodepool.kube.events import EventRecorder, EventType
from modelarts_nodepool.ports import Clock, Moment

logger = logging.getLogger(__name__)

# If no DELETE was sent and the account cannot be written, log and Event replace the entry.
BEST_EFFORT = timedelta(seconds=10)
# The account has its own backoff: to check whether it was written costs nothing.
PATIENCE = timedelta(seconds=5)
# When the process stops, a release in progress has this time to be answered and reported.
SEE_THROUGH_SECONDS = 1.0


class EntryNotWritten(ClusterUnavailable):
    """The account cannot be written, so the object is not released yet: why, and for how long already."""

    def __init__(self, error: ClusterError, lasts: timedelta) -> None:
        """`lasts`: for how long already."""
        super().__init__(str(error), status=error.status)
        self.error = error
        self.lasts = lasts


class Releaser:
    """Releases objects."""

    def __init__(
        self,
        cache: Cache,
        gather: Gather,
        writes: Writes,
        trail: AuditTrail,
        in_flight: InFlight,
        recorder: EventRecorder,
        clock: Clock,
        may_act: Callable[[], bool],
    ) -> None:
        """`may_act`: whether this process still holds the Lease, in the term that this object belongs to."""
        self._cache = cache
        self._gather = gather
        self._writes = writes
        self._trail = trail
        self._in_flight = in_flight
        self._recorder = recorder
        self._clock = clock
        self._may_act = may_act
        self._locks = KeyedLocks()

    async def release(self, memory: Memory, observed: DeletionObserved, decision: Release) -> None:
        """Write the audit entry, then remove the finalizer. Raises errors.ClusterError, also EntryNotWritten."""
        release = asyncio.create_task(self._release(memory, observed, decision), name="release")
        try:
            await asyncio.shield(release)
        except asyncio.CancelledError:
            # The process stops. The patch may have been sent: its answer is worth a log line and an Event.
            done, late = await asyncio.wait({release}, timeout=SEE_THROUGH_SECONDS)
            for task in late:
                task.cancel()
            for task in done:
                _log_unread(task, observed.node_pool)
            raise

    async def _release(self, memory: Memory, observed: DeletionObserved, decision: Release) -> None:
        """Serialise hand-over per node pool: two duplicates could release in favour of each other."""
        if decision.heir is None or observed.identity is None:
            await self._write_and_remove(observed, decision)
            return
        async with self._locks.of(*observed.identity.place):
            # Read the other object: a watch that lags can show an object as living that is being deleted.
            await self._writes.refresh(decision.heir)
            node_pool = self._cache.node_pools.get(observed.node_pool.metadata.uid)
            if node_pool is None or not node_pool.is_protected:
                return
            again = self._gather.observe(memory, node_pool)
            confirmed = decide_deletion(again, Moment.of(self._clock))
            heir = confirmed.heir if isinstance(confirmed, Release) else None
            is_same = heir is None or heir.metadata.uid == decision.heir.metadata.uid
            if isinstance(confirmed, Release) and is_same:
                await self._write_and_remove(again, confirmed)

    async def _write_and_remove(self, observed: DeletionObserved, decision: Release) -> None:
        entry = build_entry(observed, decision, self._clock.now())
        await self._write_entry(observed.node_pool, entry)
        if decision.heir is not None and not self._may_act():
            # The current leader may be handing the other object over to this one.
            raise ClusterUnavailable("the Lease is not held: nothing is handed over")
        await self._remove_finalizer(observed.node_pool, lambda: self._report(observed, decision))

    async def _remove_finalizer(self, node_pool: NodePool, report: Callable[[], None]) -> None:
        """The only function that removes our finalizer. The patch tests uid and resourceVersion."""
        uid, patch = node_pool.metadata.uid, build_finalizer_removed(node_pool)
        was_unanswered = self._in_flight.is_releasing(uid)
        self._in_flight.release(uid, is_releasing=True)
        try:
            body = await self._writes.patch(node_pool, Write.FINALIZER, paths.path_of(node_pool), patch)
        except ObjectChanged:
            # Certainly refused: if the finalizer goes now, another client removed it.
            self._in_flight.release(uid, is_releasing=False)
            raise
        except ObjectGone:
            # Another client removed it, unless an earlier patch of ours succeeded and its answer was lost.
            self._in_flight.release(uid, is_releasing=was_unanswered)
            raise
        report()
        if body["metadata"].get("finalizers"):
            self._cache.upsert_node_pool(body)
        else:
            # Gone with the last finalizer. The body has the version from before: a watch that lags would bring that
            # version back, with the finalizer.
            self._cache.drop_node_pool(uid)

    async def _write_entry(self, node_pool: NodePool, entry: RecentDeletion | None) -> None:
        """Return when the entry is in recentDeletions: certainly, if a DELETE was sent and the account exists.

        Raises EntryNotWritten if the account cannot be written; controllers/account.py continues to try.
        """
        name, trail = node_pool.spec.account_ref.name, self._trail
        account = self._cache.accounts.get(name)
        if entry is None or account is None:
            return
        # A refused release is retried, and costs the account no further write.
        entry = keep_known(trail.find(account, entry.uid), entry)
        if trail.is_written(account, entry):
            return
        written = trail.finish(name, entry)
        if entry.sent_time is None:
            await asyncio.wait({written}, timeout=BEST_EFFORT.total_seconds())
            if not written.done() and self._writes.may_log("entries"):
                logger.warning("the release is not in the account's recentDeletions", extra=node_pool.log_fields)
            return
        while not written.done():
            await asyncio.wait({written}, timeout=PATIENCE.total_seconds())
            lasting = self._writes.lasting(account.metadata.uid, Write.STATUS)
            if lasting is not None and not written.done():
                raise EntryNotWritten(*lasting)

    def _report(self, observed: DeletionObserved, release: Release) -> None:
        """Our finalizer is removed. The object that keeps the node pool gets an Event, too."""
        node_pool = observed.node_pool
        audit.log_release(node_pool, observed.identity, observed.record, release)
        count_release(observed, release, self._clock)
        kind = EventType.WARNING if release.is_orphan else EventType.NORMAL
        reason = "NodePoolGone" if release.reason is Reason.GONE else release.reason.value
        self._recorder.record(node_pool, kind, reason, release.message)
        if release.heir is not None:
            words = f"{node_pool.title} was deleted and handed node pool {node_pool.node_pool_name} over to this object"
            self._recorder.record(release.heir, EventType.NORMAL, release.reason.value, words)


def count_release(observed: DeletionObserved, release: Release, clock: Clock) -> None:
    """Count the removal of our finalizer from an object."""
    metrics.DELETIONS.labels(release.reason.value).inc()
    if release.is_orphan:
        metrics.ORPHANS.inc()
    deleted = observed.node_pool.metadata.deleted
    if deleted is not None and observed.record.sent_time is not None:
        metrics.DELETION_SECONDS.observe(max((clock.now() - deleted).total_seconds(), 0.0))


def _log_unread(release: asyncio.Task[None], node_pool: NodePool) -> None:
    """Log a failed release that nothing awaits any more: the next process decides again."""
    error = None if release.cancelled() else release.exception()
    if error is None or isinstance(error, ObjectChanged | ObjectGone):
        return
    logger.warning("a release was not seen through: %s", error, extra=node_pool.log_fields)
