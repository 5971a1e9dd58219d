"""A limiter in virtual time, and who had a slot when."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from modelarts_nodepool.access.rate_limiter import Lane, Priority, RateLimiter, Slot
from modelarts_nodepool.errors import Throttled
from modelarts_nodepool.token_bucket import TokenBucket
from tests.support.virtual_time import VirtualClock, run_at_once

Scene = Callable[["Stage"], Coroutine[Any, Any, None]]
MINUTE = timedelta(minutes=1)


class Stage:
    """A limiter of 10 requests a second and 8 at once, of which polls leave 2; who had a slot when, in order."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.begun = self.clock.monotonic()
        self.limiter = RateLimiter(TokenBucket(10, 8, self.begun), self.clock)
        self.served: list[tuple[str, float]] = []
        self.refused: list[Throttled] = []
        self.tasks: list[asyncio.Task[Slot | None]] = []

    def left(self) -> float:
        """What the last refusal says is left of the pause, in seconds."""
        return round((self.refused[-1].retry_after or timedelta()).total_seconds(), 2)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.served]

    def ask(self, name: str, priority: Lane | Priority) -> "asyncio.Task[Slot | None]":
        task = asyncio.create_task(self._ask(name, priority if isinstance(priority, Priority) else Priority(priority)))
        self.tasks.append(task)
        return task

    async def crowd(self, calls: int) -> None:
        """With nothing left in the bucket, so many looks and polls, who wait."""
        for number in range(8):
            self.ask(f"before {number}", Lane.READ)
        await turns()
        self.served.clear()
        for number in range(calls):
            self.ask(f"look {number}", Lane.READ)
            self.ask(f"poll {number}", Lane.POLL)

    async def _ask(self, name: str, priority: Priority) -> Slot | None:
        try:
            slot = await self.limiter.acquire(priority)
        except Throttled as error:
            self.refused.append(error)
            return None
        self.served.append((name, round(self.clock.monotonic() - self.begun, 3)))
        return slot


def staged(scene: Scene) -> Callable[[], None]:
    """Run the scene in virtual time; what still waits at its end is ended."""

    async def play() -> None:
        stage = Stage()
        await scene(stage)
        for task in stage.tasks:
            task.cancel()
        await asyncio.gather(*stage.tasks, return_exceptions=True)

    def test() -> None:
        run_at_once(play)

    test.__name__ = scene.__name__
    return test


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
