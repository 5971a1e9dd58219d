"""How many requests one access key makes: a token bucket with three lanes, and the pause that a 429 asks for.

Called by access/gateway.py before each call; accounts that share an access key share its limiter. Sends nothing and
decides nothing about deletions: it only says when. The numbers are explained in docs/operations/limits.md.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from modelarts_nodepool import metrics
from modelarts_nodepool.access.bucket import Bucket
from modelarts_nodepool.errors import Throttled
from modelarts_nodepool.modelarts.recent import Recent
from modelarts_nodepool.ports import AccessKey, Clock

logger = logging.getLogger(__name__)

# Without a Retry-After polls pause for this, doubling with each further 429 up to the other.
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=1)
# Of so many slots one goes to a poll that waits, however many looks do: living objects are mirrored all the same.
POLL_TURN = 10
# Keys of temporary credentials change every few hours; no poll is further apart than this.
_KEPT_UNUSED = timedelta(days=1)


class Lane(IntEnum):
    """Who goes first. Polls alone leave the reserve to the others, save in their turn, and pause after a 429."""

    DELETION = 0
    LOOK = 1
    POLL = 2


class Urgency:
    """The lane of one call. It may be raised while the call waits: a deletion has come to need what it brings."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._on_raise: Callable[[], None] = lambda: None

    def raise_to(self, lane: Lane) -> None:
        """From now on at least as urgent as this."""
        if lane < self.lane:
            self.lane = lane
            self._on_raise()

    def notify(self, on_raise: Callable[[], None]) -> None:
        """Who is to be told when it is raised."""
        self._on_raise = on_raise


@dataclass(slots=True)
class Slot:
    """The right to make one request. Given back where it was not used."""

    _return: Callable[[], None]
    _is_spent: bool = False

    def use(self) -> None:
        """The request is made now."""
        self._is_spent = True

    def give_back(self) -> None:
        """Nothing, where it was used or given back before."""
        if not self._is_spent:
            self._is_spent = True
            self._return()


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call that waits for its slot."""

    urgency: Urgency
    slot: "asyncio.Future[Slot]"


@dataclass(slots=True)
class _Pause:
    """Polls rest until then (monotonic seconds), because the cloud said so. `times`: how often in a row."""

    until: float = float("-inf")
    times: int = 0
    words: str = ""


class Limiter:
    """One access key's requests."""

    def __init__(self, bucket: Bucket, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock
        self._pause = _Pause()
        self._lanes: dict[Lane, deque[_Waiter]] = {lane: deque() for lane in Lane}
        self._passed_by = 0
        self._timer: asyncio.TimerHandle | None = None

    async def slot(self, urgency: Urgency) -> Slot:
        """Wait for a slot: deletions first, then their looks, then polls. A paused poll is errors.Throttled.

        Every POLL_TURN-th slot is a waiting poll's before it is a look's, never before it is a deletion's.
        """
        self._refuse_paused(urgency.lane)
        waiter = _Waiter(urgency, asyncio.get_running_loop().create_future())
        self._lanes[urgency.lane].append(waiter)
        urgency.notify(lambda: self._promote(waiter))
        try:
            self.wake()
            if not waiter.slot.done():
                metrics.CLOUD_DELAYED.labels(urgency.lane.name.lower()).inc()
            return await waiter.slot
        except asyncio.CancelledError:
            self._drop(waiter)
            if waiter.slot.done() and not waiter.slot.cancelled() and waiter.slot.exception() is None:
                waiter.slot.result().give_back()
            raise
        finally:
            urgency.notify(lambda: None)

    def wake(self) -> None:
        """Give out what is free now, and come back when there will be more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while (lane := self._next_lane()) is not None:
            leaving_reserve = lane is Lane.POLL and not self._is_turn_of_polls
            wait = self._bucket.take(self._clock.monotonic(), leaving_reserve=leaving_reserve)
            if wait > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self.wake)
                return
            waiter = self._lanes[lane].popleft()
            if waiter.slot.done():
                self._bucket.put_back()
                continue
            waiter.slot.set_result(Slot(self._take_back))
            has_passed = lane is not Lane.POLL and bool(self._lanes[Lane.POLL])
            self._passed_by = self._passed_by + 1 if has_passed else 0

    def throttled(self, error: Throttled) -> None:
        """A 429 came back: polls pause for as long as it asks, and from now on all go slower."""
        now = self._clock.monotonic()
        self._bucket.slow_down(now)
        if now >= self._pause.until:
            self._pause.times += 1
        asked = error.retry_after or min(FIRST_PAUSE * (1 << min(self._pause.times - 1, 10)), LONGEST_PAUSE)
        until = now + max(asked, FIRST_PAUSE).total_seconds()
        if until <= self._pause.until:
            return
        # Without what it was that asked: all polls with this key are told.
        self._pause.until, self._pause.words = until, f"a call with this access key {error.outcome}"
        logger.warning("throttled: polls with this access key pause for %g s: %s", until - now, error.message)
        polls = self._lanes[Lane.POLL]
        while polls:
            waiter = polls.popleft()
            if not waiter.slot.done():
                waiter.slot.set_exception(self._paused(now))

    def answered(self) -> None:
        """Another answer than a 429: the next one is the first again."""
        if self._clock.monotonic() >= self._pause.until:
            self._pause.times = 0

    @property
    def _is_turn_of_polls(self) -> bool:
        return self._passed_by >= POLL_TURN - 1 and not self._lanes[Lane.DELETION]

    def _next_lane(self) -> Lane | None:
        """Whose turn it is; None where nobody waits."""
        waiting = [lane for lane in Lane if self._lanes[lane]]
        if Lane.POLL in waiting and self._is_turn_of_polls:
            return Lane.POLL
        return waiting[0] if waiting else None

    def _refuse_paused(self, lane: Lane) -> None:
        now = self._clock.monotonic()
        if lane is Lane.POLL and now < self._pause.until:
            raise self._paused(now)

    def _paused(self, now: float) -> Throttled:
        left = timedelta(seconds=self._pause.until - now)
        words = self._pause.words.rstrip(". ")
        return Throttled(f"{words}; nothing was sent now: polls with this access key rest", retry_after=left)

    def _promote(self, waiter: _Waiter) -> None:
        self._drop(waiter)
        if not waiter.slot.done():
            self._lanes[waiter.urgency.lane].append(waiter)
            self.wake()

    def _drop(self, waiter: _Waiter) -> None:
        for queue in self._lanes.values():
            if waiter in queue:
                queue.remove(waiter)

    def _take_back(self) -> None:
        self._bucket.put_back()
        self.wake()


class Limiters:
    """Limiters by access key, made when first needed."""

    def __init__(self, clock: Clock, rate: float, burst: int) -> None:
        """`rate` is requests a second, `burst` how many at once."""
        self._by_key: Recent[str, Limiter] = Recent(
            clock, lambda: Limiter(Bucket(rate, burst, clock.monotonic()), clock), _KEPT_UNUSED
        )

    def of(self, key: AccessKey) -> Limiter:
        """The limiter of this access key, whichever account uses it and whatever its secret is."""
        return self._by_key.of(hashlib.sha256(key.access.encode()).hexdigest())
