import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.manager import Controller
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.polling.pollers import Pollers
from tests.support.builders import a_node_pool
from tests.support.clocks import HandClock
from tests.support.clouds import a_clouds

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
    registry = Registry(clock)
    clouds = a_clouds(cluster, clock)
    tools = Tools(
        registry=registry,
        pollers=Pollers(registry, clouds, clock),
        clouds=clouds,
        cluster=cluster,
        clock=clock,
        recorder=EventRecorder(cluster),
    )
    controller = Controller(tools, Sender(tools, may_send=lambda: True))
    registry.tell_node_pool(RETAINED)
    running = asyncio.create_task(controller.run())
    await asyncio.sleep(0)
    controller.begin()
    await cluster.is_asked.wait()
    running.cancel()
    while not running.done():
        # A poller that still runs tells of its look; a sweep that was under way is through.
        registry.on_node_pool(UID)
        controller.begin()
        await asyncio.sleep(0.05)
    registry.on_node_pool(UID)
    await asyncio.sleep(0.05)
    assert controller.deletions == 0
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("delete ")] == []
    assert cluster.patches == 1
