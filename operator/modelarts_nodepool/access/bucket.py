"""A bucket of tokens that fills with time, more slowly for a while after the cloud was overrun. Pure arithmetic.

Used by access/rate_limiter.py, which says who takes. Times are monotonic seconds.
"""

# Polls leave this part of the bucket, or of a second's worth where that is less, to deletions.
RESERVED_PART = 4
# After a 429 the rate is halved, at most once in this time, and not below this part of what was set.
SLOWED_ONCE_IN_SECONDS = 1.0
SLOWEST_PART = 32
# From the slowest to the full rate again.
RECOVERS_IN_SECONDS = 120.0
# A timer may ring a moment early: that moment's token counts as there.
_NEARLY = 1e-6


class Bucket:
    """At most `burst` requests at once, `rate` a second in the long run."""

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._full_rate = rate
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._filled_at = now
        self._slowed_at = float("-inf")

    def take(self, now: float, *, leaving_reserve: bool) -> float:
        """Take a token and say 0, or say after how many seconds there may be one."""
        self._fill(now)
        needed = 1 + (self._reserve() if leaving_reserve else 0)
        if self._tokens >= needed - _NEARLY:
            self._tokens -= 1
            return 0.0
        return (needed - self._tokens) / self._rate

    def put_back(self) -> None:
        """A token that was not needed."""
        self._tokens = min(self._tokens + 1, float(self._burst))

    def slow_down(self, now: float) -> None:
        """The cloud had too many: half as fast from now on, and no burst."""
        self._fill(now)
        if now - self._slowed_at < SLOWED_ONCE_IN_SECONDS:
            return
        self._slowed_at = now
        self._rate = max(self._rate / 2, self._full_rate / SLOWEST_PART)
        self._tokens = min(self._tokens, max(self._rate, 1.0))

    def _reserve(self) -> int:
        return int(min(self._burst, self._rate)) // RESERVED_PART

    def _fill(self, now: float) -> None:
        passed = max(now - self._filled_at, 0.0)
        self._filled_at = now
        self._tokens = min(self._tokens + passed * self._rate, float(self._burst))
        self._rate = min(self._rate + passed * self._full_rate / RECOVERS_IN_SECONDS, self._full_rate)
