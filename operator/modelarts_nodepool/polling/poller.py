"""Polls one resource pool: one LIST of node pools per interval serves all objects of that resource pool.

polling/pollers.py starts a poller for the first object of a resource pool; it ends with the last one. A deletion calls
`fetch` for a LIST that began after a given time; concurrent callers share one request.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.access.rate_limiter import Lane, Priority
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.decide.observed import Evidence
from modelarts_nodepool.errors import CloudError, CloudUnavailable, CredentialsUnavailable
from modelarts_nodepool.polling.schedule import Schedule
from modelarts_nodepool.ports import Clock, ModelArts, NodePoolListing

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

        async def list_node_pools(cloud: ModelArts) -> NodePoolListing:
            nonlocal begun
            # Without the wait for the rate limiter: a fetch that arrived during the wait can use this request, too.
            begun = self.clock.monotonic()
            return await cloud.list_node_pools(self.key.resource_pool)

        self._priority = Priority(Lane.READ if self._waiters or self.is_deleting() else Lane.POLL)
        try:
            listing = await self.clouds.call(account, list_node_pools, self._priority)
        except (CloudError, CredentialsUnavailable) as failure:
            return Evidence(begun, failure=failure)
        except Exception as error:
            # A bug must not end the poller: its objects would get no snapshots any more.
            logger.exception("polling a resource pool failed", extra={"resourcePool": self.key.resource_pool})
            return Evidence(begun, failure=CloudUnavailable(f"polling failed: {type(error).__name__}"))
        finally:
            self._priority = None
            self._request_seconds = self.clock.monotonic() - begun
        return Evidence(begun, value=listing)

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
