"""Maps watch events and snapshots of resource pools to keys of the workqueue, and keys to reconcilers.

No key is added before `begin`, which the supervisor calls when our own first LISTs are complete.
"""

from collections.abc import Collection
from datetime import datetime

from modelarts_nodepool import metrics
from modelarts_nodepool.api.account import AccountSpec
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.abnormal_nodes import AbnormalNodesReader
from modelarts_nodepool.controllers.account import AccountCalls, AccountCheck, AccountReconciler
from modelarts_nodepool.controllers.deletion.reconciler import DeletionReconciler
from modelarts_nodepool.controllers.node_pool import NodePoolReconciler
from modelarts_nodepool.controllers.orphans import Orphans
from modelarts_nodepool.controllers.unreadable import UnreadableReconciler
from modelarts_nodepool.controllers.workqueue import Key, Kind, Lane, Result, Workqueue
from modelarts_nodepool.controllers.writes import Writes
from modelarts_nodepool.polling import Poller, Pollers, changed_names

# A deletion never queues behind other work. An account whose write is not answered must not delay the releases of the
# others. An endpoint that answers nothing blocks a worker of the checks until the call times out.
DELETING = Lane("deletion")
LIVING = Lane("node pool", 8)
ACCOUNTS = Lane("account", 4)
CHECKS = Lane("account check", 16)
ABNORMAL = Lane("abnormal nodes", 4)


class Lanes:
    """Which workers a key gets."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def __call__(self, key: Key) -> Lane:
        """The lane by the current state of the object."""
        if key.kind is Kind.ACCOUNT:
            return ACCOUNTS
        if key.kind is Kind.ACCOUNT_CHECK:
            return CHECKS
        if key.kind is Kind.ABNORMAL_NODES:
            return ABNORMAL
        node_pool = self._cache.node_pools.get(key.name)
        is_deleting = key.name not in self._cache.unreadable if node_pool is None else node_pool.metadata.deleted
        return DELETING if is_deleting else LIVING


class EventMap:
    """The listener of the cache and of the pollers: adds keys."""

    def __init__(
        self, cache: Cache, queue: Workqueue, in_flight: InFlight, calls: AccountCalls, orphans: Orphans
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._in_flight = in_flight
        self._calls = calls
        self._orphans = orphans
        self._terms: dict[str, tuple[str, datetime | None, AccountSpec]] = {}
        self._calm: set[str] = set()
        self._has_begun = False

    def begin(self) -> None:
        """The cache is complete: reconcile everything in it. Again after each later full LIST."""
        self._has_begun = True
        for uid in (*self._cache.node_pools, *self._cache.unreadable):
            self.node_pool_changed(uid)
        for name in self._cache.accounts:
            self._calls.plan_check(name)
            self._queue.add(Key(Kind.ACCOUNT, name))

    def node_pool_changed(self, uid: str) -> None:
        """An object was added, changed or deleted, or has become unreadable."""
        if not self._has_begun:
            return
        node_pool = self._cache.node_pools.get(uid)
        self._queue.add(Key(Kind.NODE_POOL, uid))
        if node_pool is None:
            self._add_terminating_accounts()
        else:
            self._add_duplicates(node_pool)

    def node_pool_written(self, uid: str) -> None:
        """The reconciler that wrote it knows the change; reconcilers of duplicates do not."""
        node_pool = self._cache.node_pools.get(uid)
        if self._has_begun and node_pool is not None:
            self._add_duplicates(node_pool)

    def node_pool_gone(self, node_pool: NodePool) -> None:
        """An object is gone; this was its last version."""
        if self._has_begun:
            self._orphans.report(node_pool)
            self._add_duplicates(node_pool)

    def account_changed(self, name: str) -> None:
        """An account was added, changed or deleted."""
        if not self._has_begun:
            return
        self._calls.plan_check(name)
        self._queue.add(Key(Kind.ACCOUNT, name))
        account, before = self._cache.accounts.get(name), self._terms.pop(name, None)
        if account is not None:
            self._terms[name] = (account.metadata.uid, account.metadata.deleted, account.spec)
        if account is not None and self._terms[name] == before:
            # Only its status changed. It changes every second while objects are deleted, and only the budget depends on
            # it.
            uids: Collection[str] = self._in_flight.waiting(name)
        else:
            uids = self._cache.of_account.of(name)
        for uid in uids:
            self.node_pool_changed(uid)

    def namespace_changed(self, name: str) -> None:
        """A namespace was added, changed or deleted."""
        if not self._has_begun:
            return
        for uid, node_pool in tuple(self._cache.node_pools.items()):
            if node_pool.metadata.namespace == name:
                self.node_pool_changed(uid)

    def snapshot_taken(self, poller: Poller, members: Collection[str]) -> None:
        """A LIST of a resource pool ended or failed: add the objects for which it shows a change."""
        latest, node_pools = poller.latest, self._cache.node_pools
        if latest is None or not self._has_begun:
            return
        self._calls.record_poll(poller.key.account, latest.failure, latest.begun)
        changed = changed_names(poller.before, latest)
        for uid in members:
            node_pool = node_pools.get(uid)
            is_calm = changed is not None and node_pool is not None and uid in self._calm
            if not is_calm or (changed and node_pool is not None and node_pool.node_pool_name in changed):
                self._queue.add(Key(Kind.NODE_POOL, uid))

    def reconciled(self, key: Key, result: Result, seconds: float) -> None:
        """Count a reconcile of an object, and record whether it needs snapshots without changes."""
        if key.kind is not Kind.NODE_POOL:
            return
        metrics.RECONCILES.labels(result.outcome.value).inc()
        metrics.RECONCILE_SECONDS.observe(seconds)
        if result.is_calm and key.name in self._cache.node_pools:
            self._calm.add(key.name)
        else:
            self._calm.discard(key.name)

    def _add_duplicates(self, node_pool: NodePool) -> None:
        """Reconcile the duplicates of this object too, of any account: their decisions can depend on it."""
        named = (node_pool.spec.pool_name, node_pool.node_pool_name)
        for account in self._cache.accounts:
            for other in self._cache.naming(account, *named):
                if other.metadata.uid != node_pool.metadata.uid and other.metadata.deleted is None:
                    self._queue.add(Key(Kind.NODE_POOL, other.metadata.uid))

    def _add_terminating_accounts(self) -> None:
        """An account that is being deleted may have lost its last object."""
        for name, account in self._cache.accounts.items():
            if account.is_terminating:
                self._queue.add(Key(Kind.ACCOUNT, name))


class Manager:
    """Runs the workqueue: each key goes to the reconciler of what its object is now."""

    def __init__(
        self,
        cache: Cache,
        queue: Workqueue,
        events: EventMap,
        node_pools: NodePoolReconciler,
        deletions: DeletionReconciler,
        unreadable: UnreadableReconciler,
        accounts: AccountReconciler,
        checks: AccountCheck,
        abnormal: AbnormalNodesReader,
        pollers: Pollers,
        in_flight: InFlight,
        writes: Writes,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._events = events
        self._node_pools = node_pools
        self._deletions = deletions
        self._unreadable = unreadable
        self._accounts = accounts
        self._checks = checks
        self._abnormal = abnormal
        self._pollers = pollers
        self._in_flight = in_flight
        self._writes = writes

    def begin(self) -> None:
        """The cache is complete: reconcile everything in it. Again after each later full LIST."""
        self._events.begin()

    def requeue(self, uid: str) -> None:
        """Reconcile this object."""
        self._events.node_pool_changed(uid)

    def is_queued(self, uid: str) -> bool:
        """Whether the object is being reconciled, waits for it, or is planned for later."""
        return self._queue.has(Key(Kind.NODE_POOL, uid))

    async def run(self) -> None:
        """Work until cancelled. Reconciles and pollers end then, whatever they wait for."""
        try:
            await self._queue.run(self.reconcile, self._events.reconciled)
        finally:
            await self._pollers.stop()

    async def reconcile(self, key: Key) -> Result:
        """Hand the key to its reconciler."""
        if key.kind is Kind.ACCOUNT:
            return await self._accounts.reconcile(key.name)
        if key.kind is Kind.ACCOUNT_CHECK:
            return await self._checks.reconcile(key.name)
        if key.kind is Kind.ABNORMAL_NODES:
            return await self._abnormal.reconcile(key.name)
        return await self._reconcile_node_pool(key)

    async def _reconcile_node_pool(self, key: Key) -> Result:
        uid = key.name
        node_pool, found = self._cache.node_pools.get(uid), self._cache.unreadable.get(uid)
        if node_pool is None or (node_pool.metadata.deleted is not None and not node_pool.is_protected):
            # Gone, unreadable, released, or never protected.
            self._deletions.forget(uid)
            self._pollers.release(uid)
            self._abnormal.forget(uid)
            if found is not None:
                # A DELETE of the object may be in effect although the object has become unreadable.
                return await self._unreadable.reconcile(found)
            self._in_flight.forget(uid)
            if node_pool is None:
                self._writes.forget(uid)
            self._queue.forget(key)
            return Result()
        if node_pool.metadata.deleted is None:
            return await self._node_pools.reconcile(node_pool)
        if uid not in self._cache.deletion_observed:
            # A duplicate that takes over may not be in the cache yet: the watch reports the deletion in order.
            return Result()
        return await self._deletions.reconcile(node_pool)
