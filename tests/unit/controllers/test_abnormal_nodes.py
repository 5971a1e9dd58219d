"""When abnormal nodes are read: with each change of their number, and at no poll."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from typing_extensions import override

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.abnormal_nodes import AGAIN_AFTER, PATIENCE, AbnormalNodesReader
from modelarts_nodepool.controllers.manager import Lanes
from modelarts_nodepool.controllers.workqueue import Key, Kind, Result, Workqueue
from modelarts_nodepool.decide.observed import AbnormalNodes
from modelarts_nodepool.errors import CloudError, PermissionDenied
from modelarts_nodepool.ports import Billing, CloudNode, CloudResourcePool
from tests.support.builders import a_node_pool, an_account
from tests.support.clouds import NodePoolCloud, SecretKeeper, a_clouds
from tests.support.virtual_time import VirtualClock, run_at_once

LOST = CloudNode("node-b", None, phase="Abnormal", reason="GPU lost")
NODES = (CloudNode("node-c", None, phase="Available"), LOST, CloudNode("node-a", None, phase="Checking"))


class Cloud(NodePoolCloud):
    """Counts its calls; answers after `seconds`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.failure: CloudError | None = None
        self.seconds = 0.1
        self.frozen = ""

    @override
    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        self.calls["nodes"] += 1
        await asyncio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure
        return NODES

    @override
    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        self.calls["pool"] += 1
        return CloudResourcePool(resource_pool, Billing.PAY_PER_USE, frozen=self.frozen)


class Stage:
    """The reader, its queue, and objects of one resource pool."""

    def __init__(self, *names: str) -> None:
        clock = VirtualClock()
        self.cloud, self.added = Cloud(), Counter[str]()
        self.cache = Cache(clock)
        for name in names or ("training-a",):
            self.cache.observe_node_pool(a_node_pool(name).finalized().body())
        self.queue = Workqueue(Lanes(self.cache))
        self.reader = AbnormalNodesReader(self.cache, self.queue, a_clouds(SecretKeeper(), clock, self.cloud), clock)

    @property
    def objects(self) -> list[NodePool]:
        return list(self.cache.node_pools.values())

    def find(self, abnormal: int, node_pool: NodePool | None = None) -> AbnormalNodes | timedelta | None:
        found = node_pool or self.objects[0]
        return self.reader.find(found.metadata.uid, an_account().seen_by(found), abnormal)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["Stage"]:
        task = asyncio.create_task(self.queue.run(self._reconcile))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _reconcile(self, key: Key) -> Result:
        if key.kind is Kind.ABNORMAL_NODES:
            return await self.reader.reconcile(key.name)
        self.added[key.name] += 1
        return Result()


def test_nodes_are_read_once_for_each_change_of_their_number() -> None:
    async def scene() -> None:
        async with Stage().at_work() as stage:
            assert stage.find(2) == PATIENCE
            await asyncio.sleep(1)
            for _ in range(100):
                found = stage.find(2)
                assert isinstance(found, AbnormalNodes)
                assert [node.name for node in found.nodes] == ["node-b", "node-a"]
                await asyncio.sleep(60)
            assert stage.cloud.calls == {"nodes": 1, "pool": 1}
            assert sum(stage.added.values()) == 1, "the object is added when the answer is there"
            assert isinstance(stage.find(3), timedelta)
            await asyncio.sleep(1)
            assert isinstance(stage.find(3), AbnormalNodes)
            assert stage.cloud.calls["nodes"] == 2

    run_at_once(scene)


def test_healthy_nodes_are_not_read_and_a_new_failure_is() -> None:
    async def scene() -> None:
        async with Stage().at_work() as stage:
            assert stage.find(0) is None
            stage.find(1)
            await asyncio.sleep(1)
            assert stage.find(0) is None
            await asyncio.sleep(1)
            assert stage.cloud.calls["nodes"] == 1
            assert stage.find(1) == PATIENCE

    run_at_once(scene)


def test_failed_call_is_repeated_after_half_an_hour_and_not_by_polls() -> None:
    async def scene() -> None:
        async with Stage().at_work() as stage:
            stage.cloud.failure = PermissionDenied("403")
            stage.find(1)
            await asyncio.sleep(1)
            for _ in range(25):
                assert stage.find(1) is None
                await asyncio.sleep(60)
            assert stage.cloud.calls == {"nodes": 1}
            stage.cloud.failure = None
            await asyncio.sleep(AGAIN_AFTER.total_seconds())
            assert isinstance(stage.find(1), AbnormalNodes)
            assert stage.cloud.calls["nodes"] == 2
            assert sum(stage.added.values()) == 2

    run_at_once(scene)


def test_slow_call_delays_the_status_by_five_seconds_at_most() -> None:
    async def scene() -> None:
        async with Stage().at_work() as stage:
            stage.cloud.seconds = 20
            assert stage.find(1) == PATIENCE
            await asyncio.sleep(3)
            left = stage.find(1)
            assert isinstance(left, timedelta)
            assert left <= timedelta(seconds=2)
            await asyncio.sleep(3)
            assert stage.find(1) is None
            await asyncio.sleep(20)
            assert isinstance(stage.find(1), AbnormalNodes)
            assert stage.cloud.calls["nodes"] == 1

    run_at_once(scene)


def test_node_pools_of_a_resource_pool_share_one_show_pool() -> None:
    async def scene() -> None:
        async with Stage("training-a", "training-b", "training-c").at_work() as stage:
            for node_pool in stage.objects:
                stage.find(1, node_pool)
            await asyncio.sleep(1)
            assert stage.cloud.calls == {"nodes": 3, "pool": 1}
            stage.cloud.frozen = "arrears"
            stage.find(2)
            await asyncio.sleep(1)
            found = stage.find(2)
            assert isinstance(found, AbnormalNodes)
            assert found.resource_pool is not None
            assert found.resource_pool.frozen == "arrears", "an answer from before the change would miss the cause"

    run_at_once(scene)


def test_frozen_resource_pool_is_read_again_until_it_is_not_frozen() -> None:
    async def scene() -> None:
        async with Stage().at_work() as stage:
            stage.cloud.frozen = "arrears"
            stage.find(1)
            await asyncio.sleep(1)
            found = stage.find(1)
            assert isinstance(found, AbnormalNodes)
            assert found.resource_pool is not None
            assert found.resource_pool.frozen == "arrears"
            stage.cloud.frozen = ""
            await asyncio.sleep(3 * AGAIN_AFTER.total_seconds())
            found = stage.find(1)
            assert isinstance(found, AbnormalNodes)
            assert found.resource_pool is not None
            assert found.resource_pool.frozen == ""
            assert stage.cloud.calls == {"nodes": 2, "pool": 2}

    run_at_once(scene)


def test_object_that_is_gone_costs_no_call() -> None:
    async def scene() -> None:
        stage = Stage()
        [node_pool] = stage.objects
        stage.find(1)
        stage.cache.drop_node_pool(node_pool.metadata.uid)
        async with stage.at_work():
            await asyncio.sleep(1)
        assert stage.cloud.calls == {}

    run_at_once(scene)
