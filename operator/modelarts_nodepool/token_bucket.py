"""A token bucket. Pure; access/ limits requests to ModelArts with it, and kube/ Events."""

# Polls leave this part of the bucket (of one second's tokens, if that is less) to deletions.
RESERVED_PART = 4
# A 429 halves the rate, at most once in this time and never below this part of the full rate.
SLOWED_ONCE_IN_SECONDS = 1.0
SLOWEST_PART = 32
# From the slowest rate back to the full rate.
RECOVERS_IN_SECONDS = 120.0
# A timer may fire a moment early: the token of that moment counts as present.
_TOLERANCE = 1e-6


class TokenBucket:
    """At most `burst` requests at once and `rate` a second in the long run; slower for a while after a 429.

    Pure. Times are monotonic seconds.
    """

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._full_rate = rate
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._filled_at = now
        self._slowed_at = float("-inf")

    def acquire(self, now: float, *, keep_reserve: bool) -> float:
        """Take a token and return 0, or return the seconds until there may be one."""
        self._fill(now)
        needed = 1 + (self._reserve() if keep_reserve else 0)
        if self._tokens >= needed - _TOLERANCE:
            self._tokens -= 1
            return 0.0
        return (needed - self._tokens) / self._rate

    def put_back(self) -> None:
        """Return a token that was not used."""
        self._tokens = min(self._tokens + 1, float(self._burst))

    def slow_down(self, now: float) -> None:
        """After a 429: halve the rate and drop the burst."""
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
