"""Objects that live: our finalizer first, then the status, each written only on a difference.

The queue's work for one uid. Deletions are controllers/deletion/reconciler.py's alone: from the deletionTimestamp on
nothing here writes to the object.
"""

import logging
from datetime import timedelta

from modelarts_nodepool.api.conditions import ConditionType, find_condition
from modelarts_nodepool.api.node_pool import NodePoolStatus
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.controllers.counting import counted
from modelarts_nodepool.controllers.deletion.homeless import warn_of_homeless
from modelarts_nodepool.controllers.tools import Tools, log_fields
from modelarts_nodepool.controllers.workqueue import KeyedQueue
from modelarts_nodepool.controllers.writes import FIRST_PAUSE, Write
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.observed import AccountView, LiveObserved
from modelarts_nodepool.decide.status.table import LiveVerdict, decide_status
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.kube.events import EventType
from modelarts_nodepool.polling.poller import Poller

logger = logging.getLogger(__name__)

WORKERS = 8
SOON = timedelta(milliseconds=100)
AFTER_A_FAULT = timedelta(seconds=30)


class Mirror:
    """Keeps finalizer and status of living objects as they should be."""

    def __init__(self, tools: Tools) -> None:
        """Add uids to `queue`; run it with `queue.run()`."""
        self._tools = tools
        self.queue = KeyedQueue(self._work, WORKERS)
        self._waiting: set[str] = set()

    def is_waiting(self, uid: str) -> bool:
        """Whether the next look at its resource pool is waited for, whatever it finds."""
        return uid in self._waiting

    def forget(self, uid: str) -> None:
        """The object is gone, or not ours any more."""
        self._waiting.discard(uid)
        self.queue.cancel_timer(uid)

    async def _work(self, uid: str) -> None:
        self._waiting.discard(uid)
        node_pool = self._tools.registry.node_pools.get(uid)
        if node_pool is None or node_pool.metadata.deleted is not None:
            self.queue.cancel_timer(uid)
            return
        try:
            with counted():
                await self._bring_up_to_date(node_pool)
        except ObjectChanged:
            await self._refresh(node_pool)
        except ObjectGone:
            await self._refresh(node_pool)
            await warn_of_homeless(self._tools, node_pool)
        except ClusterError:
            # controllers/writes.py logs it, for all objects together.
            self.queue.add_after(uid, self._tools.writes.pause(uid))
        except Exception:
            logger.exception("mirroring failed; tried again", extra=log_fields(node_pool))
            self.queue.add_after(uid, AFTER_A_FAULT)

    async def _refresh(self, node_pool: NodePool) -> None:
        uid = node_pool.metadata.uid
        try:
            await self._tools.refresh(node_pool)
        except ClusterError as error:
            self._tools.writes.warn(node_pool, error)
            self.queue.add_after(uid, max(self._tools.writes.pause(uid), FIRST_PAUSE))
        else:
            self.queue.add_after(uid, SOON)

    async def _bring_up_to_date(self, node_pool: NodePool) -> None:
        current = node_pool
        if not node_pool.is_protected:
            written = await self._protect(node_pool)
            if written is None or written.metadata.deleted is not None:
                return
            current = written
            self._report_restored(node_pool)
        verdict = self._decide(current)
        if verdict is None:
            return
        if verdict.recheck_after is not None:
            self.queue.add_after(current.metadata.uid, verdict.recheck_after)
        else:
            self.queue.cancel_timer(current.metadata.uid)
        if verdict.status != current.status:
            try:
                await self._tools.write_status(current, verdict.status)
            except (ObjectChanged, ObjectGone):
                raise
            except ClusterError:
                self._tools.tell_unwritten(current)
                raise
            self._report(current, verdict.status)

    async def _protect(self, node_pool: NodePool) -> NodePool | None:
        """Add the finalizer. Raises errors.ClusterError, once the object says that it is not protected.

        The one status that is written without our finalizer, and no other PATCH can cross it: this worker alone
        writes to the object, and tries the finalizer again only with the version that this write leads to.
        """
        try:
            return await self._tools.add_finalizer(node_pool)
        except (ObjectChanged, ObjectGone):
            raise
        except ClusterError:
            await self._say_not_protected(node_pool)
            raise

    async def _say_not_protected(self, node_pool: NodePool) -> None:
        tools, uid = self._tools, node_pool.metadata.uid
        lasting = tools.writes.lasting(uid, Write.FINALIZER)
        if lasting is None:
            return
        observed = LiveObserved(
            node_pool=node_pool,
            account=tools.account_view(node_pool),
            finalizer_refused=lasting[0],
            reconcile_at=node_pool.status.last_handled_reconcile_at,
        )
        verdict = decide_status(observed, tools.clock.now())
        ready = find_condition(verdict.status.conditions, ConditionType.READY)
        is_told = _says_not_protected(node_pool.status)
        if tools.writes.tell_once(uid, Write.FINALIZER) and ready is not None and not is_told:
            tools.recorder.record(node_pool, EventType.WARNING, Reason.NOT_PROTECTED, ready.message)
        if verdict.status != node_pool.status:
            await tools.write_status(node_pool, verdict.status)

    def _decide(self, node_pool: NodePool) -> LiveVerdict | None:
        """None where a look at the cloud has to come first; that one puts the uid into the queue again."""
        tools = self._tools
        view = tools.account_view(node_pool)
        poller = self._poller(node_pool, view)
        if poller is not None and not self._has_looked(node_pool, poller):
            self._waiting.add(node_pool.metadata.uid)
            return None
        twin = self._older_duplicate(node_pool, view)
        observed = LiveObserved(
            node_pool=node_pool,
            account=view,
            failure=poller.latest.failure if poller and poller.latest else None,
            seen=poller.good.value if poller and poller.good else None,
            seen_age=self._seen_age(node_pool, poller),
            older_duplicate=twin.title if twin else None,
            reconcile_at=node_pool.reconcile_at or node_pool.status.last_handled_reconcile_at,
        )
        return decide_status(observed, tools.clock.now())

    def _older_duplicate(self, node_pool: NodePool, view: AccountView | None) -> NodePool | None:
        """The oldest other object, not being deleted, that stands for the same node pool."""
        if view is None or not view.is_granted:
            return None
        mine = (node_pool.metadata.created, node_pool.metadata.uid)
        for twin in self._tools.duplicates(node_pool, node_pool.status.identity or view.identity):
            if twin.metadata.deleted is None and (twin.metadata.created, twin.metadata.uid) < mine:
                return twin
        return None

    def _poller(self, node_pool: NodePool, view: AccountView | None) -> Poller | None:
        """The poller of its resource pool; none where nothing may be looked at for this object."""
        pollers = self._tools.pollers
        pinned = node_pool.status.identity
        uid = node_pool.metadata.uid
        if view is None or not view.is_granted or (pinned is not None and pinned != view.identity):
            pollers.leave(uid)
            return None
        if pinned is None and view.account.is_terminating:
            pollers.leave(uid)
            return None
        return pollers.join(uid, view.account, node_pool.spec.pool_name, is_deleting=False)

    def _has_looked(self, node_pool: NodePool, poller: Poller) -> bool:
        """Whether the newest look is news enough: there is one, and where it matters it is young enough."""
        registry, uid = self._tools.registry, node_pool.metadata.uid
        if poller.latest is None:
            return False
        needed = float("-inf")
        asked = registry.reconcile_seen.get(uid)
        if asked is not None and asked[0] != node_pool.status.last_handled_reconcile_at:
            needed = asked[1]
        listing = poller.latest.value
        if listing is not None and node_pool.node_pool_name not in listing.node_pools:
            # A look from before this object was seen may just be too early to show its node pool.
            needed = max(needed, registry.first_seen.get(uid, needed))
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
        return timedelta(seconds=self._tools.clock.monotonic() - since)

    def _report_restored(self, node_pool: NodePool) -> None:
        """Only an object that was protected before has a status, or one that says that it could not be protected."""
        if node_pool.status.observed_generation < 0 or _says_not_protected(node_pool.status):
            return
        words = (
            "somebody removed this operator's finalizer, without which deleting the object loses sight of its node "
            "pool; it is back; to drop the object and keep the node pool, set the policy, then delete it: "
            f"{remedies.retain(node_pool)}"
        )
        self._tools.recorder.record(node_pool, EventType.WARNING, "FinalizerRestored", words)

    def _report(self, before: NodePool, after: NodePoolStatus) -> None:
        old = find_condition(before.status.conditions, ConditionType.NODES_HEALTHY)
        new = find_condition(after.conditions, ConditionType.NODES_HEALTHY)
        if new is None or new.reason != Reason.NODES_ABNORMAL or (old is not None and old.reason == new.reason):
            return
        self._tools.recorder.record(before, EventType.WARNING, Reason.NODES_ABNORMAL, new.message)


def _says_not_protected(status: NodePoolStatus) -> bool:
    ready = find_condition(status.conditions, ConditionType.READY)
    return ready is not None and ready.reason == Reason.NOT_PROTECTED
