"""One LIST of node pools per resource pool and interval, which feeds every object of that resource pool.

Started for a resource pool when its first object is seen, ends by itself when the last one has gone. A deletion
asks for a LIST that begins after a given moment by `look`; several that ask at once share one.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from modelarts_nodepool.access.gateway import Clouds
from modelarts_nodepool.access.rate_limiter import Lane, Urgency
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.decide.observed import Evidence
from modelarts_nodepool.errors import CloudError, CloudUnavailable, CredentialsUnavailable
from modelarts_nodepool.polling.schedule import Spreading
from modelarts_nodepool.ports import Clock, ModelArts, NodePoolListing

logger = logging.getLogger(__name__)

ACTIVE_FOR = timedelta(minutes=30)
# While nodes come or go a resource pool is looked at for a twentieth of the time at most, but once in its usual
# interval: where the cloud or this process has too much to do, looks that find little must not be in the way.
REST = 20


@dataclass(frozen=True, slots=True)
class PollKey:
    """What one poller looks at. Another region or project under the same account name is another key."""

    account: str
    region: str
    project_id: str
    workspace: str
    resource_pool: str

    @classmethod
    def of(cls, account: Account, resource_pool: str) -> "PollKey":
        """The key of a resource pool as the account says now."""
        spec = account.spec
        return cls(account.metadata.name, spec.region, spec.project_id, spec.workspace, resource_pool)


@dataclass(slots=True)
class Poller:
    """The looks at one resource pool.

    `latest` is the newest look, failed ones included, `before` the one before it; `good` the newest that worked;
    `readable` says when each node pool last had readable counts; `tried_since` when looking began (all monotonic
    seconds).
    """

    key: PollKey
    account: Callable[[], Account | None]
    is_needed: Callable[[], bool]
    is_deleting: Callable[[], bool]
    clouds: Clouds
    clock: Clock
    on_look: Callable[["Poller"], None]
    crowd: Callable[[], int] = lambda: 1
    jitter: Callable[[], float] = random.random
    tried_since: float = 0.0
    latest: Evidence[NodePoolListing] | None = None
    before: Evidence[NodePoolListing] | None = None
    good: Evidence[NodePoolListing] | None = None
    readable: dict[str, float] = field(default_factory=dict)
    _wanted: float = float("-inf")
    _poke: asyncio.Event = field(default_factory=asyncio.Event)
    _waiters: list[tuple[float, asyncio.Future[Evidence[NodePoolListing]]]] = field(default_factory=list)
    _active_since: float | None = None
    _slowed: int = 0
    _took: float = 0.0
    _urgency: Urgency | None = None
    _spreading: Spreading = field(init=False)

    def __post_init__(self) -> None:
        """Its own share of chance."""
        self._spreading = Spreading(self.jitter)

    async def run(self) -> None:
        """Look, wait, look, until nobody needs it any more."""
        self.tried_since = self.clock.monotonic()
        try:
            await self._until_poked(self._spreading.first(self.crowd()).total_seconds())
            while self.is_needed():
                await self._look_once()
                await self._pause()
        finally:
            words = f"resource pool {self.key.resource_pool} is not looked at any more"
            self._answer(Evidence(float("inf"), failure=CloudUnavailable(words)))

    async def look(self, not_before: float) -> Evidence[NodePoolListing]:
        """A look that began at `not_before` (monotonic) or later; failed ones included."""
        if self.latest is not None and self.latest.begun >= not_before:
            return self.latest
        answer: asyncio.Future[Evidence[NodePoolListing]] = asyncio.get_running_loop().create_future()
        self._waiters.append((not_before, answer))
        self.request(not_before)
        if self._urgency is not None:
            # The look under way may still be waiting for its turn among the polls.
            self._urgency.raise_to(Lane.LOOK)
        return await answer

    def request(self, not_before: float) -> None:
        """Have the next look made now, unless one that began late enough is there."""
        if self.latest is None or self.latest.begun < not_before:
            self._wanted = max(self._wanted, not_before)
            self._poke.set()

    def poke(self) -> None:
        """Reconsider the interval: something began to be deleted, or nobody needs this any more."""
        self._poke.set()

    def interval(self) -> timedelta:
        """The account's interval: the short one while nodes come or go, longer where looks take long.

        It doubles after half an hour of that.
        """
        account = self.account()
        if account is None:
            return timedelta(seconds=60)
        usual = account.spec.poll_interval
        active = max(account.spec.active_poll_interval, timedelta(seconds=self._took * REST))
        if self._active_since is None:
            return usual
        if self.clock.monotonic() - self._active_since < ACTIVE_FOR.total_seconds():
            return min(active, usual)
        slower: timedelta = active * (1 << min(self._slowed, 12))
        return min(slower, usual)

    def overdue(self, now: float) -> timedelta:
        """How long ago (at this monotonic moment) the next look should have begun; never negative."""
        latest = self.latest
        due = self.tried_since if latest is None else latest.begun + self.interval().total_seconds()
        return timedelta(seconds=max(now - due, 0.0))

    async def _look_once(self) -> None:
        account = self.account()
        if account is None:
            return
        look = await self._look(account)
        if look.value is not None:
            self._take(look, look.value)
        self._spreading.note(look.failure)
        self._tell(look)

    async def _look(self, account: Account) -> Evidence[NodePoolListing]:
        begun = self.clock.monotonic()

        async def ask(cloud: ModelArts) -> NodePoolListing:
            nonlocal begun
            # Waiting for a slot is no looking: what was asked for meanwhile is answered, too.
            begun = self.clock.monotonic()
            return await cloud.list_node_pools(self.key.resource_pool)

        self._urgency = Urgency(Lane.LOOK if self._waiters or self.is_deleting() else Lane.POLL)
        try:
            listing = await self.clouds.call(account, ask, self._urgency)
        except (CloudError, CredentialsUnavailable) as failure:
            return Evidence(begun, failure=failure)
        except Exception as error:
            # A fault of ours must not end the poller: nobody would look any more.
            logger.exception("a look at a resource pool failed", extra={"resourcePool": self.key.resource_pool})
            return Evidence(begun, failure=CloudUnavailable(f"the look at the cloud failed: {type(error).__name__}"))
        finally:
            self._urgency = None
            self._took = self.clock.monotonic() - begun
        return Evidence(begun, value=listing)

    def _take(self, look: Evidence[NodePoolListing], listing: NodePoolListing) -> None:
        self.good = look
        self.readable = {
            name: look.begun if shown.counts is not None else self.readable.get(name, self.tried_since)
            for name, shown in listing.node_pools.items()
        }
        busy = any(
            shown.counts and (shown.counts.creating or shown.counts.deleting) for shown in listing.node_pools.values()
        )
        self._note_activity(busy=bool(busy))

    def _tell(self, look: Evidence[NodePoolListing]) -> None:
        self.before, self.latest = self.latest, look
        self._answer(look)
        self.on_look(self)

    def _answer(self, look: Evidence[NodePoolListing]) -> None:
        waiters, self._waiters = self._waiters, []
        for not_before, answer in waiters:
            if answer.done():
                continue
            if look.begun >= not_before:
                answer.set_result(look)
            else:
                self._waiters.append((not_before, answer))

    def _note_activity(self, *, busy: bool) -> None:
        if not busy and not self.is_deleting():
            self._active_since, self._slowed = None, 0
        elif self._active_since is None:
            self._active_since = self.clock.monotonic()
        elif self.clock.monotonic() - self._active_since >= ACTIVE_FOR.total_seconds():
            self._slowed += 1

    async def _pause(self) -> None:
        """Until it is time again since the last look's beginning, or a look is wanted, or nobody needs any."""
        self._spreading.draw()
        while self.is_needed():
            self._poke.clear()
            if self.latest is not None and self._wanted > self.latest.begun:
                return
            if self._active_since is None and self.is_deleting():
                self._active_since = self.clock.monotonic()
            begun = self.latest.begun if self.latest else self.clock.monotonic()
            left = self._spreading.pause(self.interval()).total_seconds() - (self.clock.monotonic() - begun)
            if left <= 0:
                return
            await self._until_poked(left)

    async def _until_poked(self, seconds: float) -> None:
        """So long, or until a look is wanted or things have changed."""
        try:
            async with asyncio.timeout(seconds):
                await self._poke.wait()
        except TimeoutError:
            return
