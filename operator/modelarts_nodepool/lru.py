"""A bounded map for a process that runs for years.

Access keys and resource pools come and go, and nothing reports that one is gone for good. Used by access/ for what is
known of access keys and by modelarts/client.py for the last answer about each resource pool.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Far more access keys or resource pools than one process works with.
MAX_ENTRIES = 10_000


class LRU(Generic[K, V]):
    """Values by key, made at first use. Drops what was not used for `ttl`, and the least recently used when full."""

    def __init__(self, monotonic: Callable[[], float], make: Callable[[], V], ttl: timedelta) -> None:
        self._monotonic = monotonic
        self._make = make
        self._ttl_seconds = ttl.total_seconds()
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def get(self, key: K) -> V:
        """The value of this key; a new one where there is none."""
        now = self._monotonic()
        value = self._entries[key][0] if key in self._entries else self._make()
        self._entries[key] = (value, now)
        self._entries.move_to_end(key)
        oldest = next(iter(self._entries))
        while len(self._entries) > MAX_ENTRIES or now - self._entries[oldest][1] > self._ttl_seconds:
            del self._entries[oldest]
            oldest = next(iter(self._entries))
        return value

    def __len__(self) -> int:
        """How many keys are in the map."""
        return len(self._entries)
