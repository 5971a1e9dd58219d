"""When a poller looks next: not sooner than its interval after a look that reached the cloud, nor with the others.

Used by polling/poller.py, one for each. Without it a hundred resource pools would be looked at in the same moment:
after a start, after an outage, and from then on at every interval.
"""

from collections.abc import Callable
from datetime import timedelta

from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.errors import CircuitOpen, CloudUnavailable, Throttled

# First looks are spread over this for each resource pool that begins at the same time: a hundred in two seconds.
FIRST_LOOK_EACH = timedelta(milliseconds=20)
# After a failure one waits longer by up to this, doubling with each further one up to the other.
FIRST_BACKOFF = timedelta(seconds=1)
LONGEST_BACKOFF = timedelta(minutes=5)
# Who was held back comes again within this, or within one interval where that is shorter.
WIDEST = timedelta(minutes=1)


class Spreading:
    """Chance, drawn once for each pause."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        """`jitter` gives numbers from 0 to 1."""
        self._jitter = jitter
        self._chance = 1.0
        self._failure: Failure | None = None
        self._failures = 0
        self._is_settled = False
        self._comes_apart = False

    def first(self, crowd: int) -> timedelta:
        """How long the first look waits where so many begin at once."""
        return FIRST_LOOK_EACH * (crowd - 1) * self._jitter()

    def note(self, failure: Failure | None) -> None:
        """How the last look went. One that was held back here is neither a success nor one failure more."""
        self._failure = failure
        if isinstance(failure, CloudUnavailable):
            self._failures += 0 if isinstance(failure, CircuitOpen) else 1
        else:
            self._failures = 0

    def draw(self) -> None:
        """A new pause begins."""
        self._chance = self._jitter()
        # Once, and so for good: those that began together come apart.
        self._comes_apart = self._failure is None and not self._is_settled
        self._is_settled = self._is_settled or self._failure is None

    def pause(self, interval: timedelta) -> timedelta:
        """From the beginning of the last look to the next one."""
        failure = self._failure
        asked = failure.retry_after if isinstance(failure, CloudUnavailable) else None
        if isinstance(failure, CircuitOpen):
            # Nothing was sent, so the interval does not bind: the first to come again is the probe for all.
            return (asked or interval) + min(interval, WIDEST) * self._chance
        floor = max(asked or interval, interval)
        if isinstance(failure, Throttled):
            return floor + min(interval, WIDEST) * self._chance
        if self._failures:
            longest = min(FIRST_BACKOFF * (1 << min(self._failures - 1, 10)), LONGEST_BACKOFF)
            return floor + longest * self._chance
        return interval * self._chance if self._comes_apart else interval
