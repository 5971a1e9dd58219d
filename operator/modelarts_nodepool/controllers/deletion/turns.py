"""One at a time for each key, and nothing kept of a key that nobody works on or waits for.

Used for DELETEs (one at a time for each resource pool) and hand-overs (for each node pool).
"""

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """Locks by key."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    def of(self, *key: str) -> asyncio.Lock:
        """The lock of this key, for `async with`: whoever has it or waits for it keeps it alive, and nobody else."""
        return self._locks.setdefault(key, asyncio.Lock())

    def __len__(self) -> int:
        """How many keys somebody works on."""
        return len(self._locks)
