"""The engine's tools on a cluster, a clock and a cloud of the test's own, and a deletion that runs on them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from modelarts_nodepool.access.gateway import Clouds
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.deletion.ledger import Ledger
from modelarts_nodepool.controllers.deletion.reconciler import Deletion
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.polling.pollers import Pollers
from modelarts_nodepool.ports import Clock, Cluster
from tests.support.limits import HANGING_SECONDS


def build_tools(cluster: Cluster, clock: Clock, clouds: Clouds) -> Tools:
    """What a worker of the engine needs, with nothing in the registry yet."""
    registry = Registry(clock)
    return Tools(
        registry=registry,
        pollers=Pollers(registry, clouds, clock),
        clouds=clouds,
        cluster=cluster,
        clock=clock,
        recorder=EventRecorder(cluster),
    )


@asynccontextmanager
async def deleting(
    uid: str, tools: Tools, may_send: Callable[[], bool] = lambda: True, seconds: float = HANGING_SECONDS
) -> AsyncIterator[Deletion]:
    """The deletion of this object under way; it and all pollers end with the block, which is bounded in time."""
    deletion = Deletion(uid, tools, Sender(tools, may_send), Ledger(tools))
    task = asyncio.create_task(deletion.run())
    try:
        async with asyncio.timeout(seconds):
            yield deletion
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await tools.pollers.stop()
