"""Memory that is bounded in a process that runs for years: what nobody has asked for in a while is forgotten.

Used for what is known of access keys (access/rate_limiter.py, access/circuit_breaker.py) and of resource pools
(modelarts/client.py): both come and go, and nothing tells when one has gone for good.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

from modelarts_nodepool.ports import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Far more keys, and far more resource pools, than one process works with.
MOST = 10_000


class Recent(Generic[K, V]):
    """Values by key, each made when it is asked for first."""

    def __init__(self, clock: Clock, make: Callable[[], V], kept: timedelta) -> None:
        """One that was not asked for within `kept` is forgotten, and the oldest of more than MOST."""
        self._clock = clock
        self._make = make
        self._kept_seconds = kept.total_seconds()
        self._values: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def of(self, key: K) -> V:
        """The value of this key."""
        now = self._clock.monotonic()
        value = self._values[key][0] if key in self._values else self._make()
        self._values[key] = (value, now)
        self._values.move_to_end(key)
        self._forget(now)
        return value

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._values)

    def _forget(self, now: float) -> None:
        oldest = next(iter(self._values))
        while len(self._values) > MOST or now - self._values[oldest][1] > self._kept_seconds:
            del self._values[oldest]
            oldest = next(iter(self._values))
