"""All pollers: one for each resource pool that has objects. They end by themselves; here they begin."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from datetime import timedelta

from modelarts_nodepool.access.gateway import Clouds
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.cache.index import Index
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.polling.poller import Poller, PollKey
from modelarts_nodepool.ports import Clock


class Pollers:
    """Finds or starts the poller of a resource pool."""

    def __init__(self, registry: Registry, clouds: Clouds, clock: Clock) -> None:
        """Tell `on_look` of every look, failed ones included."""
        self._registry = registry
        self._clouds = clouds
        self._clock = clock
        self._running: dict[PollKey, tuple[Poller, asyncio.Task[None]]] = {}
        self._key_of: dict[str, PollKey] = {}
        self._members: Index[PollKey] = Index()
        self._deleting: Index[PollKey] = Index()
        self._beginning: set[PollKey] = set()
        self.on_look: Callable[[Poller], None] = lambda _poller: None

    def join(self, uid: str, account: Account, resource_pool: str, *, is_deleting: bool) -> Poller:
        """The poller for this object, started where there is none. Joining again changes nothing."""
        key = PollKey.of(account, resource_pool)
        self._move(uid, key)
        if is_deleting:
            self._deleting.add(key, uid)
        poller, task = self._running.get(key, (None, None))
        if poller is None or task is None or task.done():
            poller = self._start(key)
        if is_deleting:
            poller.poke()  # the short interval begins
        return poller

    def leave(self, uid: str) -> None:
        """The object needs no poller any more."""
        self._move(uid, None)

    def members(self, key: PollKey) -> Collection[str]:
        """The uids that a look at this resource pool is news to."""
        return self._members.of(key)

    def is_needed_by(self, account: str) -> bool:
        """Whether any resource pool is looked at with this account's credentials."""
        return any(key.account == account for key in self._members)

    @property
    def count(self) -> int:
        """How many resource pools are being looked at."""
        return sum(not task.done() for _, task in self._running.values())

    def lag(self) -> timedelta:
        """How overdue the most overdue look is, zero while all begin in time; from any thread."""
        now = self._clock.monotonic()
        running = tuple(self._running.values())
        return max((poller.overdue(now) for poller, task in running if not task.done()), default=timedelta())

    def unreadable(self) -> dict[tuple[str, str], int]:
        """How many node pools the newest good look shows with unreadable counts, by account and resource pool.

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
        """End them all."""
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
            on_look=self._tell,
            crowd=lambda: len(self._beginning),
        )
        self._beginning.add(key)
        task = asyncio.create_task(poller.run(), name=f"poll {key.resource_pool}")
        task.add_done_callback(lambda done: self._forget(key, done))
        self._running[key] = (poller, task)
        return poller

    def _forget(self, key: PollKey, done: asyncio.Task[None]) -> None:
        """It has ended. By then another one may have begun under the same key."""
        poller, task = self._running.get(key, (None, None))
        if poller is not None and task is done:
            self._beginning.discard(key)
            del self._running[key]

    def _tell(self, poller: Poller) -> None:
        self._beginning.discard(poller.key)
        self.on_look(poller)

    def _account(self, key: PollKey) -> Account | None:
        """The account, if it still is what the key says."""
        account = self._registry.accounts.get(key.account)
        if account is None or PollKey.of(account, key.resource_pool) != key:
            return None
        return account

    def _move(self, uid: str, key: PollKey | None) -> None:
        """Note which resource pool the object is in now; its former poller may have become idle."""
        former = self._key_of.get(uid)
        if former == key:
            return
        if former is not None:
            self._members.remove(former, uid)
            self._deleting.remove(former, uid)
            if former in self._running:
                self._running[former][0].poke()
        if key is None:
            self._key_of.pop(uid, None)
        else:
            self._key_of[uid] = key
            self._members.add(key, uid)
