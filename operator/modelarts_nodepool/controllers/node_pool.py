"""Living objects: our finalizer first, then the status, each written only on a difference.

From the deletionTimestamp on, only deletion/reconciler.py writes to the object.
"""

from datetime import timedelta

from modelarts_nodepool.api.meta import ConditionType, find_condition
from modelarts_nodepool.api.node_pool import NodePoolStatus
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.cache.objects import Cache, Duplicates
from modelarts_nodepool.controllers.abnormal_nodes import AbnormalNodesReader
from modelarts_nodepool.controllers.workqueue import Outcome, Result
from modelarts_nodepool.controllers.writes import FIRST_PAUSE, Write, Writes
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.observed import AbnormalNodes, AccountView, LiveObserved
from modelarts_nodepool.decide.status import LiveVerdict, decide_status
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.kube.events import EventRecorder, EventType
from modelarts_nodepool.polling import Poller, Pollers
from modelarts_nodepool.ports import Clock

SOON = timedelta(milliseconds=100)


class NodePoolReconciler:
    """Keeps the finalizer and the status of living objects up to date."""

    def __init__(
        self,
        cache: Cache,
        duplicates: Duplicates,
        pollers: Pollers,
        abnormal: AbnormalNodesReader,
        writes: Writes,
        recorder: EventRecorder,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._duplicates = duplicates
        self._pollers = pollers
        self._abnormal = abnormal
        self._writes = writes
        self._recorder = recorder
        self._clock = clock

    async def reconcile(self, node_pool: NodePool) -> Result:
        """Protect and mirror the object."""
        uid = node_pool.metadata.uid
        try:
            return await self._bring_up_to_date(node_pool)
        except (ObjectChanged, ObjectGone) as error:
            try:
                await self._writes.refresh(node_pool, error)
            except ClusterError:
                return Result(max(self._writes.pause(uid), FIRST_PAUSE), Outcome.UNAVAILABLE)
            return Result(SOON, Outcome.CONFLICT)
        except ClusterError:
            # controllers/writes.py logs it, in one line for all objects.
            return Result(self._writes.pause(uid), Outcome.UNAVAILABLE)

    async def _bring_up_to_date(self, node_pool: NodePool) -> Result:
        current = node_pool
        if not node_pool.is_protected:
            written = await self._protect(node_pool)
            if written is None or written.metadata.deleted is not None:
                return Result()
            current = written
            self._report_restored(node_pool)
        verdict = self._decide(current)
        if verdict is None:
            # Every next LIST of its resource pool counts, also one without a change.
            return Result()
        if isinstance(verdict, timedelta):
            return Result(verdict)
        if verdict.status != current.status:
            try:
                await self._writes.write_status(current, verdict.status)
            except (ObjectChanged, ObjectGone):
                raise
            except ClusterError:
                self._writes.report_lasting(current)
                raise
            self._report(current, verdict.status)
        return Result(verdict.recheck_after, is_calm=True)

    async def _protect(self, node_pool: NodePool) -> NodePool | None:
        """Add the finalizer. Raises errors.ClusterError, after the status says that the object is not protected.

        The only status that is written without our finalizer. No other PATCH can cross it: only this worker writes to
        the object, and it retries the finalizer only with the version that this write leads to.
        """
        try:
            return await self._writes.add_finalizer(node_pool)
        except (ObjectChanged, ObjectGone):
            raise
        except ClusterError:
            await self._show_not_protected(node_pool)
            raise

    async def _show_not_protected(self, node_pool: NodePool) -> None:
        uid = node_pool.metadata.uid
        lasting = self._writes.lasting(uid, Write.FINALIZER)
        if lasting is None:
            return
        observed = LiveObserved(
            node_pool=node_pool,
            account=self._duplicates.account_view(node_pool),
            finalizer_refused=lasting[0],
            reconcile_at=node_pool.status.last_handled_reconcile_at,
        )
        verdict = decide_status(observed, self._clock.now())
        ready = find_condition(verdict.status.conditions, ConditionType.READY)
        is_shown = _says_not_protected(node_pool.status)
        if self._writes.report_once(uid, Write.FINALIZER) and ready is not None and not is_shown:
            self._recorder.record(node_pool, EventType.WARNING, Reason.NOT_PROTECTED, ready.message)
        if verdict.status != node_pool.status:
            await self._writes.write_status(node_pool, verdict.status)

    def _decide(self, node_pool: NodePool) -> LiveVerdict | timedelta | None:
        """None if a poll is needed first; the poll adds the object again.

        A timedelta while the abnormal nodes are being read: how long to wait for them.
        """
        view = self._duplicates.account_view(node_pool)
        poller = self._poller(node_pool, view)
        if poller is not None and not self._is_listed(node_pool, poller):
            return None
        abnormal = self._find_abnormal(node_pool, view, poller)
        if isinstance(abnormal, timedelta):
            return abnormal
        duplicate = self._older_duplicate(node_pool, view)
        observed = LiveObserved(
            node_pool=node_pool,
            account=view,
            failure=poller.latest.failure if poller and poller.latest else None,
            seen=poller.good.value if poller and poller.good else None,
            seen_age=self._seen_age(node_pool, poller),
            abnormal=abnormal,
            older_duplicate=duplicate.title if duplicate else None,
            reconcile_at=node_pool.reconcile_at or node_pool.status.last_handled_reconcile_at,
        )
        return decide_status(observed, self._clock.now())

    def _find_abnormal(
        self, node_pool: NodePool, view: AccountView | None, poller: Poller | None
    ) -> AbnormalNodes | timedelta | None:
        """The abnormal nodes, if the newest LIST shows any."""
        listing = poller.latest.value if poller and poller.latest else None
        shown = listing.node_pools.get(node_pool.node_pool_name) if listing else None
        if view is None or shown is None or shown.counts is None:
            return None
        return self._abnormal.find(node_pool.metadata.uid, view, shown.counts.abnormal)

    def _older_duplicate(self, node_pool: NodePool, view: AccountView | None) -> NodePool | None:
        """The oldest duplicate that is not being deleted."""
        if view is None or not view.is_granted:
            return None
        mine = (node_pool.metadata.created, node_pool.metadata.uid)
        for other in self._duplicates.of(node_pool, node_pool.status.identity or view.identity).granted:
            if other.metadata.deleted is None and (other.metadata.created, other.metadata.uid) < mine:
                return other
        return None

    def _poller(self, node_pool: NodePool, view: AccountView | None) -> Poller | None:
        """The poller of its resource pool; None if the resource pool may not be listed for this object."""
        pollers = self._pollers
        pinned = node_pool.status.identity
        uid = node_pool.metadata.uid
        if view is None or not view.is_granted or (pinned is not None and pinned != view.identity):
            pollers.release(uid)
            return None
        if pinned is None and view.account.is_terminating:
            pollers.release(uid)
            return None
        return pollers.acquire(uid, view.account, node_pool.spec.pool_name, is_deleting=False)

    def _is_listed(self, node_pool: NodePool, poller: Poller) -> bool:
        """Whether the newest LIST is new enough for a decision."""
        cache, uid = self._cache, node_pool.metadata.uid
        if poller.latest is None:
            return False
        needed = float("-inf")
        asked = cache.reconcile_seen.get(uid)
        if asked is not None and asked[0] != node_pool.status.last_handled_reconcile_at:
            needed = asked[1]
        listing = poller.latest.value
        if listing is not None and node_pool.node_pool_name not in listing.node_pools:
            # A poll from before this object was seen can be too early to show its node pool.
            needed = max(needed, cache.first_seen.get(uid, needed))
        if poller.latest.begun >= needed:
            return True
        poller.request(needed)
        return False

    def _seen_age(self, node_pool: NodePool, poller: Poller | None) -> timedelta:
        if poller is None:
            return timedelta()
        since = poller.good.begun if poller.good else poller.tried_since
        if poller.good is not None and poller.good.value is not None:
            shown = poller.good.value.node_pools.get(node_pool.node_pool_name)
            if shown is not None and shown.counts is None:
                since = poller.readable.get(shown.name, poller.tried_since)
        return timedelta(seconds=self._clock.monotonic() - since)

    def _report_restored(self, node_pool: NodePool) -> None:
        """Report it only for an object that was protected before: it has a status, and not NotProtected."""
        if node_pool.status.observed_generation < 0 or _says_not_protected(node_pool.status):
            return
        words = (
            "this operator's finalizer was removed, without which deleting the object loses sight of its node "
            "pool; it is back; to drop the object and keep the node pool, set the policy, then delete it: "
            f"{remedies.retain(node_pool)}"
        )
        self._recorder.record(node_pool, EventType.WARNING, "FinalizerRestored", words)

    def _report(self, before: NodePool, after: NodePoolStatus) -> None:
        old = find_condition(before.status.conditions, ConditionType.NODES_HEALTHY)
        new = find_condition(after.conditions, ConditionType.NODES_HEALTHY)
        if new is None or new.reason != Reason.NODES_ABNORMAL or (old is not None and old.reason == new.reason):
            return
        self._recorder.record(before, EventType.WARNING, Reason.NODES_ABNORMAL, new.message)


def _says_not_protected(status: NodePoolStatus) -> bool:
    ready = find_condition(status.conditions, ConditionType.READY)
    return ready is not None and ready.reason == Reason.NOT_PROTECTED
