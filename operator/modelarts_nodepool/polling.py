"""Polls one resource pool: one LIST of node pools per interval serves all objects of that resource pool.

`Pollers` starts a poller for the first object of a resource pool; it ends with the last one. A deletion calls `fetch`
for a LIST that began after a given time; concurrent callers share one request. `Schedule` puts the next request one
interval after the last one, with jitter, and with backoff after failures. Without jitter a hundred resource pools would
be polled at the same moment: after a start, after an outage, and from then on at every interval.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.access.rate_limiter import Lane, Priority
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.cache.objects import Cache, Index
from modelarts_nodepool.decide.observed import Evidence, Failure
from modelarts_nodepool.errors import CircuitOpen, CloudUnavailable, Throttled
from modelarts_nodepool.ports import Clock, NodePoolListing

# First polls are spread over this time for each poller that starts at the same time: a hundred over two seconds.
FIRST_POLL_SPREAD = timedelta(milliseconds=20)
# The jitter after a failure is up to this backoff.
FIRST_BACKOFF = timedelta(seconds=1)
MAX_BACKOFF = timedelta(minutes=5)
_BACKOFF = Backoff(FIRST_BACKOFF, MAX_BACKOFF)
# The jitter after a request that was not sent or was throttled; one interval if that is shorter.
MAX_JITTER = timedelta(minutes=1)


class Schedule:
    """Call `record` after each request and `draw` before each pause; then `pause` gives the length of the pause."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        """`jitter` returns random numbers from 0 to 1."""
        self._jitter = jitter
        self._drawn = 1.0
        self._failure: Failure | None = None
        self._failures = 0
        self._has_succeeded = False
        self._is_first_success = False

    def first(self, starting: int) -> timedelta:
        """The delay of the first request if so many pollers start at the same time."""
        return FIRST_POLL_SPREAD * (starting - 1) * self._jitter()

    def record(self, failure: Failure | None) -> None:
        """Record the result of a request. A request that was not sent is neither a success nor a failure."""
        self._failure = failure
        if isinstance(failure, CloudUnavailable):
            self._failures += 0 if isinstance(failure, CircuitOpen) else 1
        else:
            self._failures = 0

    def draw(self) -> None:
        """Draw the jitter of the next pause."""
        self._drawn = self._jitter()
        # Jitter after the first success only: from then on pollers that started together stay apart.
        self._is_first_success = self._failure is None and not self._has_succeeded
        self._has_succeeded = self._has_succeeded or self._failure is None

    def pause(self, interval: timedelta) -> timedelta:
        """The time from the start of the last request to the next one."""
        failure = self._failure
        retry_after = failure.retry_after if isinstance(failure, CloudUnavailable) else None
        if isinstance(failure, CircuitOpen):
            # Nothing was sent, so the interval is no minimum. The first request after it is the probe.
            return (retry_after or interval) + min(interval, MAX_JITTER) * self._drawn
        minimum = max(retry_after or interval, interval)
        if isinstance(failure, Throttled):
            return minimum + min(interval, MAX_JITTER) * self._drawn
        if self._failures:
            return minimum + _BACKOFF.after(self._failures) * self._drawn
        return interval * self._drawn if self._is_first_success else interval


logger = logging.getLogger(__name__)

ACTIVE_FOR = timedelta(minutes=30)
# While nodes are created or deleted, requests for one resource pool take at most a twentieth of the time, but there is
# at least one request per usual interval: polls must not add to the load of a slow cloud or a busy process.
DUTY_CYCLE = 20
# After this time a snapshot counts as changed for every object: the older one may have become stale in between.
MAX_UNCHANGED = timedelta(minutes=4)

Snapshot = Evidence[NodePoolListing]


def changed_names(before: Snapshot | None, latest: Snapshot) -> frozenset[str] | None:
    """The predicate for reconciles: the node pools whose latest snapshot differs from the one before. Pure.

    None means that all objects have to be reconciled. Everything else that a status depends on (the object, its
    account, its namespace, duplicates, time) queues the object itself.
    """
    if before is None or before.value is None or latest.value is None:
        # Whether the cloud answers matters for all objects.
        return None
    if latest.begun - before.begun > MAX_UNCHANGED.total_seconds():
        return None
    former, shown = before.value.node_pools, latest.value.node_pools
    # The time for which counts are unreadable grows with each snapshot.
    changed = {name for name, one in shown.items() if one.counts is None or one != former.get(name)}
    return frozenset(changed | (former.keys() - shown.keys()))


@dataclass(frozen=True, slots=True)
class PollKey:
    """What one poller polls. Another region or project of the same account is another key."""

    account: str
    region: str
    project_id: str
    workspace: str
    resource_pool: str

    @classmethod
    def of(cls, account: Account, resource_pool: str) -> "PollKey":
        """The key of a resource pool with the account's current spec."""
        spec = account.spec
        return cls(account.metadata.name, spec.region, spec.project_id, spec.workspace, resource_pool)


@dataclass(slots=True)
class Poller:
    """The snapshots of one resource pool.

    `latest` is the newest snapshot, possibly a failure, and `before` the one before it; `good` is the newest without a
    failure. `readable` says when each node pool last had readable counts, `tried_since` when polling began (monotonic
    seconds). `starting` says how many pollers are waiting for their first snapshot.
    """

    key: PollKey
    account: Callable[[], Account | None]
    is_needed: Callable[[], bool]
    is_deleting: Callable[[], bool]
    clouds: Gateway
    clock: Clock
    on_snapshot: Callable[["Poller"], None]
    starting: Callable[[], int] = lambda: 1
    jitter: Callable[[], float] = random.random
    tried_since: float = 0.0
    latest: Snapshot | None = None
    before: Snapshot | None = None
    good: Snapshot | None = None
    readable: dict[str, float] = field(default_factory=dict)
    _wanted: float = float("-inf")
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _waiters: list[tuple[float, asyncio.Future[Snapshot]]] = field(default_factory=list)
    _active_since: float | None = None
    _slowed: int = 0
    _request_seconds: float = 0.0
    _priority: Priority | None = None
    _schedule: Schedule = field(init=False)

    def __post_init__(self) -> None:
        """Each poller has its own jitter."""
        self._schedule = Schedule(self.jitter)

    async def run(self) -> None:
        """Poll until no object needs it."""
        self.tried_since = self.clock.monotonic()
        try:
            await self._sleep(self._schedule.first(self.starting()).total_seconds())
            while self.is_needed():
                await self._poll()
                await self._pause()
        finally:
            message = f"resource pool {self.key.resource_pool} is not polled any more"
            self._resolve_waiters(Evidence(float("inf"), failure=CloudUnavailable(message)))

    async def fetch(self, not_before: float) -> Snapshot:
        """A snapshot whose request began at `not_before` (monotonic seconds) or later; possibly a failure."""
        if self.latest is not None and self.latest.begun >= not_before:
            return self.latest
        answer: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        self._waiters.append((not_before, answer))
        self.request(not_before)
        if self._priority is not None:
            # The request may still wait for the rate limiter, in the lane of polls.
            self._priority.raise_to(Lane.READ)
        return await answer

    def request(self, not_before: float) -> None:
        """Poll now, unless the latest snapshot began at `not_before` or later."""
        if self.latest is None or self.latest.begun < not_before:
            self._wanted = max(self._wanted, not_before)
            self._woken.set()

    def wake(self) -> None:
        """Compute the interval again: a deletion began, or no object needs the poller any more."""
        self._woken.set()

    def interval(self) -> timedelta:
        """The account's poll interval: the active one while nodes are created or deleted, longer if requests are slow.

        After 30 minutes of activity it doubles with each snapshot, up to the usual one.
        """
        account = self.account()
        if account is None:
            return timedelta(seconds=60)
        usual = account.spec.poll_interval
        active = max(account.spec.active_poll_interval, timedelta(seconds=self._request_seconds * DUTY_CYCLE))
        if self._active_since is None:
            return usual
        if self.clock.monotonic() - self._active_since < ACTIVE_FOR.total_seconds():
            return min(active, usual)
        return Backoff(active, usual).after(self._slowed + 1)

    def overdue(self, now: float) -> timedelta:
        """How long before `now` (monotonic seconds) the next poll should have begun; never negative."""
        latest = self.latest
        due = self.tried_since if latest is None else latest.begun + self.interval().total_seconds()
        return timedelta(seconds=max(now - due, 0.0))

    async def _poll(self) -> None:
        account = self.account()
        if account is None:
            return
        snapshot = await self._list(account)
        if snapshot.value is not None:
            self._record(snapshot, snapshot.value)
        self._schedule.record(snapshot.failure)
        self.before, self.latest = self.latest, snapshot
        self._resolve_waiters(snapshot)
        self.on_snapshot(self)

    async def _list(self, account: Account) -> Snapshot:
        begun = self.clock.monotonic()
        self._priority = Priority(Lane.READ if self._waiters or self.is_deleting() else Lane.POLL)
        try:
            # It counts from when it is sent: a fetch that arrives while it waits for the rate limiter can use it, too.
            snapshot = await self.clouds.observe(
                account, lambda cloud: cloud.list_node_pools(self.key.resource_pool), self._priority
            )
        except Exception as error:
            # A bug must not end the poller: its objects would get no snapshots any more.
            logger.exception("polling a resource pool failed", extra={"resourcePool": self.key.resource_pool})
            snapshot = Evidence(begun, failure=CloudUnavailable(f"polling failed: {type(error).__name__}"))
        finally:
            self._priority = None
        self._request_seconds = self.clock.monotonic() - snapshot.begun
        return snapshot

    def _record(self, snapshot: Snapshot, listing: NodePoolListing) -> None:
        self.good = snapshot
        self.readable = {
            name: snapshot.begun if shown.counts is not None else self.readable.get(name, self.tried_since)
            for name, shown in listing.node_pools.items()
        }
        busy = any(
            shown.counts and (shown.counts.creating or shown.counts.deleting) for shown in listing.node_pools.values()
        )
        self._record_activity(busy=bool(busy))

    def _resolve_waiters(self, snapshot: Snapshot) -> None:
        waiters, self._waiters = self._waiters, []
        for not_before, answer in waiters:
            if answer.done():
                continue
            if snapshot.begun >= not_before:
                answer.set_result(snapshot)
            else:
                self._waiters.append((not_before, answer))

    def _record_activity(self, *, busy: bool) -> None:
        if not busy and not self.is_deleting():
            self._active_since, self._slowed = None, 0
        elif self._active_since is None:
            self._active_since = self.clock.monotonic()
        elif self.clock.monotonic() - self._active_since >= ACTIVE_FOR.total_seconds():
            self._slowed += 1

    async def _pause(self) -> None:
        """Until the next poll is due, a snapshot is requested, or no object needs the poller."""
        self._schedule.draw()
        while self.is_needed():
            self._woken.clear()
            if self.latest is not None and self._wanted > self.latest.begun:
                return
            if self._active_since is None and self.is_deleting():
                self._active_since = self.clock.monotonic()
            begun = self.latest.begun if self.latest else self.clock.monotonic()
            left = self._schedule.pause(self.interval()).total_seconds() - (self.clock.monotonic() - begun)
            if left <= 0:
                return
            await self._sleep(left)

    async def _sleep(self, seconds: float) -> None:
        """For so long, or until woken."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return


OnSnapshot = Callable[[Poller, Collection[str]], None]


class Pollers:
    """The pollers of all resource pools."""

    def __init__(
        self,
        cache: Cache,
        clouds: Gateway,
        clock: Clock,
        on_snapshot: OnSnapshot = lambda _poller, _members: None,
    ) -> None:
        """`on_snapshot` gets each poller after each of its LISTs, also failed ones, and the uids of its objects."""
        self._cache = cache
        self._clouds = clouds
        self._clock = clock
        self._running: dict[PollKey, tuple[Poller, asyncio.Task[None]]] = {}
        self._key_of: dict[str, PollKey] = {}
        self._members: Index[PollKey] = Index()
        self._deleting: Index[PollKey] = Index()
        self._starting: set[PollKey] = set()
        self._on_snapshot = on_snapshot

    def acquire(self, uid: str, account: Account, resource_pool: str, *, is_deleting: bool) -> Poller:
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

    def release(self, uid: str) -> None:
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
        account = self._cache.accounts.get(key.account)
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
