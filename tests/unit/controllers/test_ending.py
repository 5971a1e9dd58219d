import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelarts_nodepool.errors import ObjectGone
from tests.support.builders import a_node_pool
from tests.support.clocks import HandClock
from tests.support.clouds import a_clouds
from tests.support.controllers import build_parts

T = TypeVar("T")
Body = Mapping[str, Any]
RETAINED = a_node_pool().finalized().retained().being_deleted().body()
UID = RETAINED["metadata"]["uid"]


class SilentCluster:
    """Never answers a patch."""

    def __init__(self) -> None:
        self.patches = 0
        self.is_asked = asyncio.Event()

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:  # noqa: ARG002 - the port's
        self.patches += 1
        self.is_asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets that event")

    async def get(self, path: str) -> Body:
        raise ObjectGone(f"404 to GET {path}")

    async def get_metadata(self, path: str) -> Body:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:
        raise NotImplementedError


async def test_news_that_comes_while_work_ends_begins_no_deletion_that_nobody_ends() -> None:
    cluster, clock = SilentCluster(), HandClock()
    parts = build_parts(cluster, clock, a_clouds(cluster, clock))
    cache, manager = parts.cache, parts.manager
    cache.observe_node_pool(RETAINED)
    running = asyncio.create_task(manager.run())
    await asyncio.sleep(0)
    manager.begin()
    await cluster.is_asked.wait()
    running.cancel()
    while not running.done():
        # A poller that still runs tells of its look; a sweep that was under way is through.
        manager.requeue(UID)
        manager.begin()
        await asyncio.sleep(0.05)
    manager.requeue(UID)
    await asyncio.sleep(0.05)
    assert not manager.is_queued(UID)
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert [name for name in names if name.startswith(("reconcile ", "release"))] == []
    assert cluster.patches == 1
