"""Schedules the next request: one interval after the last one, with jitter, and with backoff after failures.

polling/poller.py uses one for each resource pool. Without jitter a hundred resource pools would be polled at the same
moment: after a start, after an outage, and from then on at every interval.
"""

from collections.abc import Callable
from datetime import timedelta

from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.errors import CircuitOpen, CloudUnavailable, Throttled

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
        """Record the result of a request. One that was not sent counts neither as a success nor as a failure."""
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
