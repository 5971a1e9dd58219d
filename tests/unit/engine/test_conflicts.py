"""An object that changes under every write, or a store that was put back: decided again, and nothing spins."""

import asyncio
from collections.abc import Sequence

from typing_extensions import override

from modelarts_nodepool.engine.accounts import Accounts
from modelarts_nodepool.engine.deletion import CHANGES_IN_A_ROW, Deletion
from modelarts_nodepool.engine.ledger import Ledger
from modelarts_nodepool.engine.pollers import Pollers
from modelarts_nodepool.engine.registry import Registry
from modelarts_nodepool.engine.send import Sender
from modelarts_nodepool.engine.tools import Tools
from modelarts_nodepool.errors import ObjectChanged
from modelarts_nodepool.kube.events import EventRecorder
from tests.support.clouds import a_clouds
from tests.unit.engine.test_fence import ACCOUNT, OBJECT, Body, CountingCloud, HandClock, SlowCluster

UID = OBJECT["metadata"]["uid"]


class RefusingCluster(SlowCluster):
    """Says of every write that the object is another by now, and shows it as it was."""

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        self.writes += 1
        raise ObjectChanged(f"422 to PATCH {path}")

    @override
    async def get(self, path: str) -> Body:
        return OBJECT if path.endswith(OBJECT["metadata"]["name"]) else await super().get(path)


async def test_writes_that_are_refused_for_ever_are_tried_with_pauses() -> None:
    clock, cloud = HandClock(), CountingCloud()
    cluster = RefusingCluster(clock, 0.0, 0.0)
    registry = Registry(clock)
    clouds = a_clouds(cluster, clock, cloud)
    pollers, recorder = Pollers(registry, clouds, clock), EventRecorder(cluster)
    tools = Tools(registry=registry, pollers=pollers, clouds=clouds, cluster=cluster, clock=clock, recorder=recorder)
    registry.take_account({"metadata": dict(ACCOUNT.metadata), "spec": dict(ACCOUNT.spec)})
    registry.take_node_pool(OBJECT)
    deletion = Deletion(UID, tools, Sender(tools, may_send=lambda: True), Ledger(tools, Accounts(tools)))
    task = asyncio.create_task(deletion.run())
    await asyncio.sleep(0.7)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await pollers.stop()
    assert cloud.deletes == 0
    assert cluster.writes == CHANGES_IN_A_ROW + 1
