"""A work queue by key: each key is worked on by one worker at a time, and once more if it changed meanwhile.

Used by controllers/node_pool.py for objects that live. Keys wait at most once, however often they are added.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta


class KeyedQueue:
    """Keys waiting for work, now or later."""

    def __init__(self, work: Callable[[str], Awaitable[None]], workers: int) -> None:
        """`work` must not raise; `workers` bounds how many keys are worked on at once."""
        self._work = work
        self._workers = workers
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def add(self, key: str) -> None:
        """Work on the key soon."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: str, delay: timedelta) -> None:
        """Work on the key after a while; the newest call counts."""
        self.cancel_timer(key)
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(max(delay.total_seconds(), 0.0), self._fire, key)

    def cancel_timer(self, key: str) -> None:
        """Forget what `add_after` planned."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._worker())
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def _fire(self, key: str) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def _worker(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._busy.add(key)
            try:
                await self._work(key)
            finally:
                self._busy.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)
