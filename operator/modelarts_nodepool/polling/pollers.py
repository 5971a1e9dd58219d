"""Starts one poller for each resource pool that has objects. A poller ends itself when it has none any more."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from datetime import timedelta

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.cache.index import Index
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.polling.poller import Poller, PollKey
from modelarts_nodepool.ports import Clock

OnSnapshot = Callable[[Poller, Collection[str]], None]


class Pollers:
    """The pollers of all resource pools."""

    def __init__(
        self,
        registry: Registry,
        clouds: Gateway,
        clock: Clock,
        on_snapshot: OnSnapshot = lambda _poller, _members: None,
    ) -> None:
        """`on_snapshot` gets each poller after each of its LISTs, also failed ones, and the uids of its objects."""
        self._registry = registry
        self._clouds = clouds
        self._clock = clock
        self._running: dict[PollKey, tuple[Poller, asyncio.Task[None]]] = {}
        self._key_of: dict[str, PollKey] = {}
        self._members: Index[PollKey] = Index()
        self._deleting: Index[PollKey] = Index()
        self._starting: set[PollKey] = set()
        self._on_snapshot = on_snapshot

    def join(self, uid: str, account: Account, resource_pool: str, *, is_deleting: bool) -> Poller:
        """The poller for this object; starts it if there is none. Idempotent."""
        key = PollKey.of(account, resource_pool)
        self._move(uid, key)
        is_new = is_deleting and not self._deleting.has(key, uid)
        if is_new:
            self._deleting.add(key, uid)
        poller, task = self._running.get(key, (None, None))
        if poller is None or task is None or task.done():
            poller = self._start(key)
        if is_new:
            poller.wake()  # the active interval begins
        return poller

    def find(self, account: Account, resource_pool: str) -> Poller | None:
        """The poller of this resource pool, None if there is none."""
        poller, _ = self._running.get(PollKey.of(account, resource_pool), (None, None))
        return poller

    def leave(self, uid: str) -> None:
        """The object does not need a poller any more."""
        self._move(uid, None)

    def is_needed_by(self, account: str) -> bool:
        """Whether any resource pool is polled with this account's credentials."""
        return any(key.account == account for key in self._members)

    def lag(self) -> timedelta:
        """The longest time by which a poll is overdue, zero if none is; from any thread."""
        now = self._clock.monotonic()
        running = tuple(self._running.values())
        return max((poller.overdue(now) for poller, task in running if not task.done()), default=timedelta())

    def unreadable(self) -> dict[tuple[str, str], int]:
        """The number of node pools with unreadable counts in the newest good snapshot, by account and resource pool.

        From any thread.
        """
        found = Counter[tuple[str, str]]()
        for poller, task in tuple(self._running.values()):
            good = poller.good
            if good is None or good.value is None or task.done():
                continue
            where = (poller.key.account, poller.key.resource_pool)
            found[where] += sum(shown.counts is None for shown in good.value.node_pools.values())
        return dict(found)

    async def stop(self) -> None:
        """End all pollers."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    def _start(self, key: PollKey) -> Poller:
        poller = Poller(
            key=key,
            account=lambda: self._account(key),
            is_needed=lambda: key in self._members and self._account(key) is not None,
            is_deleting=lambda: key in self._deleting,
            clouds=self._clouds,
            clock=self._clock,
            on_snapshot=self._notify,
            starting=lambda: len(self._starting),
        )
        self._starting.add(key)
        task = asyncio.create_task(poller.run(), name=f"poll {key.resource_pool}")
        task.add_done_callback(lambda done: self._remove(key, done))
        self._running[key] = (poller, task)
        return poller

    def _remove(self, key: PollKey, done: asyncio.Task[None]) -> None:
        """A poller has ended. Another may run under the same key by now."""
        poller, task = self._running.get(key, (None, None))
        if poller is not None and task is done:
            self._starting.discard(key)
            del self._running[key]

    def _notify(self, poller: Poller) -> None:
        self._starting.discard(poller.key)
        self._on_snapshot(poller, self._members.of(poller.key))

    def _account(self, key: PollKey) -> Account | None:
        """The account, if its spec still matches the key."""
        account = self._registry.accounts.get(key.account)
        if account is None or PollKey.of(account, key.resource_pool) != key:
            return None
        return account

    def _move(self, uid: str, key: PollKey | None) -> None:
        """Record the object's resource pool. The former poller may have no object any more."""
        former = self._key_of.get(uid)
        if former == key:
            return
        if former is not None:
            self._members.remove(former, uid)
            self._deleting.remove(former, uid)
            if former in self._running:
                self._running[former][0].wake()
        if key is None:
            self._key_of.pop(uid, None)
        else:
            self._key_of[uid] = key
            self._members.add(key, uid)
