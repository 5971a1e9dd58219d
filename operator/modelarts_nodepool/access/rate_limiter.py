"""The rate limit of one access key: a token bucket with three lanes, and the pause that a 429 asks for.

Called by access/gateway.py before each call. Accounts with the same access key share one limiter. It sends nothing and
decides nothing about deletions. docs/operations/limits.md explains the numbers.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TypeVar

from modelarts_nodepool import metrics
from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.errors import CloudError, Throttled
from modelarts_nodepool.lru import LRU
from modelarts_nodepool.ports import AccessKey, Clock
from modelarts_nodepool.token_bucket import TokenBucket

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How long polls pause after a 429 without Retry-After.
PAUSE_BACKOFF = Backoff(first=timedelta(seconds=1), longest=timedelta(minutes=1))
# While reads of deletions use the whole rate, every tenth slot goes to a waiting poll: living objects stay up to date.
POLL_TURN = 10
# Temporary keys change every few hours; polls are an hour apart at most.
_UNUSED_KEY_TTL = timedelta(days=1)


class Lane(IntEnum):
    """Who goes first. Only polls leave the reserve to the other lanes, and only polls pause after a 429."""

    DELETION = 0
    READ = 1
    POLL = 2

    @property
    def label(self) -> str:
        """The lane in metrics."""
        return "look" if self is Lane.READ else self.name.lower()


class Priority:
    """The lane of one call. It can be raised while the call waits, if a deletion needs the answer."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._on_raise: Callable[[], None] | None = None

    def raise_to(self, lane: Lane) -> None:
        """Move the call to this lane, unless its own lane is more urgent."""
        if lane < self.lane:
            self.lane = lane
            if self._on_raise is not None:
                self._on_raise()

    def watch(self, on_raise: Callable[[], None] | None) -> None:
        """What the limiter does when the lane is raised while the call waits."""
        self._on_raise = on_raise


@dataclass(slots=True)
class Slot:
    """The right to send one request. Release it if it is not used."""

    limiter: "RateLimiter"
    _is_spent: bool = False

    async def use(self, request: Awaitable[T]) -> T:
        """Send the request. A 429 slows the limiter down."""
        self._is_spent = True
        try:
            answer = await request
        except Throttled as error:
            self.limiter.on_throttled(error)
            raise
        except CloudError as error:
            if error.status is not None:
                self.limiter.on_answer()
            raise
        self.limiter.on_answer()
        return answer

    def release(self) -> None:
        """Return an unused slot; nothing if it was used or released before."""
        if not self._is_spent:
            self._is_spent = True
            self.limiter.put_back()


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call that waits for a slot."""

    priority: Priority
    slot: "asyncio.Future[Slot]"


@dataclass(slots=True)
class _Pause:
    """Polls pause until then (monotonic seconds). `count`: pauses in a row; `reason`: the answer of the cloud."""

    until: float = float("-inf")
    count: int = 0
    reason: str = ""


class RateLimiter:
    """The requests of one access key."""

    def __init__(self, bucket: TokenBucket, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock
        self._pause = _Pause()
        self._lanes: dict[Lane, deque[_Waiter]] = {lane: deque() for lane in Lane}
        self._polls_passed = 0
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, priority: Priority) -> Slot:
        """Wait for a slot: DELETEs first, then reads of deletions, then polls.

        Every POLL_TURN-th slot goes to a waiting poll before a read, never before a DELETE. Raises errors.Throttled
        for a poll during a pause.
        """
        if priority.lane is Lane.POLL and self._clock.monotonic() < self._pause.until:
            raise self._paused(self._clock.monotonic())
        waiter = _Waiter(priority, asyncio.get_running_loop().create_future())
        self._lanes[priority.lane].append(waiter)
        priority.watch(lambda: self._promote(waiter))
        try:
            self._grant()
            if not waiter.slot.done():
                metrics.CLOUD_DELAYED.labels(priority.lane.label).inc()
            return await waiter.slot
        except asyncio.CancelledError:
            self._remove(waiter)
            if waiter.slot.done() and not waiter.slot.cancelled() and waiter.slot.exception() is None:
                waiter.slot.result().release()
            raise
        finally:
            priority.watch(None)

    def on_throttled(self, error: Throttled) -> None:
        """A 429: pause the polls for as long as it asks, and slow down all lanes."""
        now = self._clock.monotonic()
        self._bucket.slow_down(now)
        if now >= self._pause.until:
            self._pause.count += 1
        asked = error.retry_after or PAUSE_BACKOFF.after(self._pause.count)
        until = now + max(asked, PAUSE_BACKOFF.first).total_seconds()
        if until <= self._pause.until:
            return
        # Every poll with this key shows this: it must not name the resource that the request asked for.
        self._pause.until, self._pause.reason = until, f"a call with this access key {error.outcome.rstrip('. ')}"
        logger.warning("throttled: polls with this access key pause for %g s: %s", until - now, error.message)
        polls = self._lanes[Lane.POLL]
        while polls:
            waiter = polls.popleft()
            if not waiter.slot.done():
                waiter.slot.set_exception(self._paused(now))

    def on_answer(self) -> None:
        """Any answer but a 429: the next 429 counts as the first."""
        if self._clock.monotonic() >= self._pause.until:
            self._pause.count = 0

    def _grant(self) -> None:
        """Give out the slots that are free now, and set a timer for the next one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while (lane := self._next_lane()) is not None:
            keep_reserve = lane is Lane.POLL and not self._is_turn_of_polls
            wait = self._bucket.acquire(self._clock.monotonic(), keep_reserve=keep_reserve)
            if wait > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._grant)
                return
            waiter = self._lanes[lane].popleft()
            if waiter.slot.done():
                self._bucket.put_back()
                continue
            waiter.slot.set_result(Slot(self))
            has_passed = lane is not Lane.POLL and bool(self._lanes[Lane.POLL])
            self._polls_passed = self._polls_passed + 1 if has_passed else 0

    @property
    def _is_turn_of_polls(self) -> bool:
        return self._polls_passed >= POLL_TURN - 1 and not self._lanes[Lane.DELETION]

    def _next_lane(self) -> Lane | None:
        """The lane of the next slot; None if no call waits."""
        waiting = [lane for lane in Lane if self._lanes[lane]]
        if Lane.POLL in waiting and self._is_turn_of_polls:
            return Lane.POLL
        return waiting[0] if waiting else None

    def _paused(self, now: float) -> Throttled:
        left = timedelta(seconds=self._pause.until - now)
        return Throttled(
            f"{self._pause.reason}. Polls with this access key pause; no request was sent", retry_after=left
        )

    def _promote(self, waiter: _Waiter) -> None:
        self._remove(waiter)
        if not waiter.slot.done():
            self._lanes[waiter.priority.lane].append(waiter)
            self._grant()

    def _remove(self, waiter: _Waiter) -> None:
        for lane in self._lanes.values():
            if waiter in lane:
                lane.remove(waiter)

    def put_back(self) -> None:
        """Give an unused slot to the next call."""
        self._bucket.put_back()
        self._grant()


class RateLimiters:
    """Rate limiters by access key."""

    def __init__(self, clock: Clock, rate: float, burst: int) -> None:
        """`rate` is requests a second, `burst` requests at once."""
        self._by_key: LRU[str, RateLimiter] = LRU(
            clock.monotonic, lambda: RateLimiter(TokenBucket(rate, burst, clock.monotonic()), clock), _UNUSED_KEY_TTL
        )

    def of(self, key: AccessKey) -> RateLimiter:
        """The limiter of this access key, for all accounts that use it and whatever its secret is."""
        return self._by_key.get(key.access_digest)
