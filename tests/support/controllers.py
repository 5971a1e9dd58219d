"""The controllers on a cluster, a clock and a cloud of the test's own, and one deletion that runs on them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.factory import Controllers, build_controllers
from modelarts_nodepool.controllers.workqueue import Key, Kind, Result
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.ports import Clock, Cluster
from tests.support.limits import HANGING_SECONDS


def build_parts(
    cluster: Cluster,
    clock: Clock,
    clouds: Gateway,
    may_act: Callable[[], bool] = lambda: True,
    recorder: EventRecorder | None = None,
    cache: Cache | None = None,
) -> Controllers:
    """All controllers, with nothing in the cache yet."""
    recorder, cache = recorder or EventRecorder(cluster), cache or Cache(clock)
    return build_controllers(cache, clouds, cluster, recorder, clock, may_act)


@dataclass
class Deleting:
    """Deletions in progress, and nothing else: no account is written, and no event adds a key."""

    parts: Controllers

    def requeue(self, uid: str) -> None:
        """As an event about the object would."""
        self.parts.cache.deletion_observed.add(uid)
        self.parts.queue.add(Key(Kind.NODE_POOL, uid))

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self.parts.queue.run(self._reconcile)
        finally:
            await self.parts.pollers.stop()

    async def _reconcile(self, key: Key) -> Result:
        return await self.parts.manager.reconcile(key) if key.kind is Kind.NODE_POOL else Result()


@asynccontextmanager
async def deleting(uid: str, parts: Controllers, seconds: float = HANGING_SECONDS) -> AsyncIterator[Deleting]:
    """The deletion of this object in progress; it and all pollers end with the block, which is bounded in time."""
    found = Deleting(parts)
    task = asyncio.create_task(found.run())
    found.requeue(uid)
    try:
        async with asyncio.timeout(seconds):
            yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
