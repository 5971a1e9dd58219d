"""A hundred objects of one resource pool, deleted at once, where looks take longer than they are good for.

The whole engine in virtual time: all go, with one look each, however slow the cloud is.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from datetime import timedelta

from typing_extensions import override

from modelarts_nodepool.controllers.writes import STATUSES_AT_ONCE
from modelarts_nodepool.errors import NoAnswer
from modelarts_nodepool.ports import Accepted, CloudNode, CloudResourcePool, CloudWorkload, NodePoolListing
from tests.support.builders import a_node_pool, an_account
from tests.support.virtual_time import run_at_once
from tests.unit.controllers.memory_growth_stage import Body, Cloud, Cluster, World

CROWD = 100
NODE_LOOK_SECONDS = 2.0
ACTIVE = timedelta(seconds=10)
_API = "/apis/modelarts.huaweicloud.com/v1alpha1"


class SlowCloud(Cloud):
    """Answers questions about nodes one after the other, and counts what it was asked."""

    def __init__(self, node_look: float = NODE_LOOK_SECONDS) -> None:
        super().__init__()
        self._node_look = node_look
        self.asked = Counter[str]()
        self._one = asyncio.Lock()

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        self.asked["list_node_pools"] += 1
        return await super().list_node_pools(resource_pool)

    @override
    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        self.asked["show_pool"] += 1
        return await super().show_pool(resource_pool)

    @override
    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        self.asked["list_node_pool_nodes"] += 1
        async with self._one:
            await asyncio.sleep(self._node_look)
        return await super().list_node_pool_nodes(resource_pool, node_pool)

    @override
    async def list_workloads(self, resource_pool: str) -> Sequence[CloudWorkload]:
        self.asked["list_workloads"] += 1
        return await super().list_workloads(resource_pool)


async def _delete(world: World, names: Sequence[str], apart: float) -> list[str]:
    account = an_account().polling(timedelta(seconds=60), ACTIVE).limited(unlimited=True).body()
    world.cache.upsert_account(world.cluster.put(f"{_API}/modelartsaccounts/default", account))
    world.put_namespace("ml")
    paths = []
    for number, name in enumerate(names):
        body = deepcopy(a_node_pool(name).finalized().being_deleted(world.clock.now()).body())
        body["metadata"]["uid"] = f"uid-{number}"
        paths.append(f"{_API}/namespaces/ml/modelartsnodepools/{name}")
        world.cache.observe_node_pool(world.cluster.put(paths[-1], body))
        await asyncio.sleep(apart)
    return paths


async def _write_and_remove(world: World, names: Sequence[str], apart: float = 0.0) -> None:
    world.cloud.shown.update(names)
    async with world.at_work():
        paths = await _delete(world, names, apart)
        await world.until(lambda: not any(path in world.cluster.bodies for path in paths))


def test_a_crowd_goes_with_one_look_at_the_nodes_of_each() -> None:
    async def scene() -> None:
        cloud = SlowCloud()
        world = World(cloud)
        await _write_and_remove(world, [f"np-{number:03}" for number in range(CROWD)])
        assert cloud.deletes == CROWD
        assert cloud.asked["list_node_pool_nodes"] == CROWD
        assert cloud.asked["show_pool"] <= CROWD
        assert cloud.asked["list_workloads"] <= 5, "it takes 200 s, and a list is good for 50"
        assert len(world.parts.preparing) == 0

    run_at_once(scene)


def test_those_deleted_one_after_another_are_listed_together() -> None:
    async def scene() -> None:
        cloud = SlowCloud()
        await _write_and_remove(World(cloud), [f"np-{number:03}" for number in range(CROWD)], apart=0.1)
        assert cloud.deletes == CROWD
        # The polls of the 200 s that it takes, and a few for those who are first in line.
        assert cloud.asked["list_node_pools"] < CROWD / 2

    run_at_once(scene)


class SlowCluster(Cluster):
    """Takes its time for each status that says that a deletion is queued, and counts those that it writes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.queued, self.most, self.others = 0, 0, 0

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        if "is queued" not in str(patch[-1].get("value")):
            self.others += bool(self.queued)
            return await super().json_patch(path, patch)
        self.queued += 1
        self.most = max(self.most, self.queued)
        try:
            await asyncio.sleep(60)
            return await super().json_patch(path, patch)
        finally:
            self.queued -= 1


def test_the_statuses_of_a_crowd_do_not_delay_the_deletes_and_releases_of_others() -> None:
    async def scene() -> None:
        cloud, names = SlowCloud(node_look=10.0), [f"np-{number:03}" for number in range(CROWD)]
        cluster = SlowCluster()
        world = World(cloud, cluster)
        cloud.shown.update(names)
        async with world.at_work():
            await _delete(world, names, apart=0.0)
            await world.until(lambda: cluster.queued > 0)
            sent = cloud.deletes
            await asyncio.sleep(50)
            assert cluster.most == STATUSES_AT_ONCE
            assert cloud.deletes > sent + 2, "write-aheads do not wait for statuses"
            assert cluster.others > cloud.deletes - sent, "nor do releases"

    run_at_once(scene)


class CountingCluster(Cluster):
    """Counts the reads of the CRD."""

    def __init__(self) -> None:
        super().__init__()
        self.definitions = 0

    @override
    async def get(self, path: str) -> Body:
        self.definitions += "customresourcedefinitions" in path
        return await super().get(path)


class SilentCloud(SlowCloud):
    """Answers no LIST."""

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        await super().list_node_pools(resource_pool)
        raise NoAnswer("no answer")


def test_a_list_that_is_asked_for_again_and_again_reads_the_crd_once() -> None:
    async def scene() -> None:
        cloud, cluster = SilentCloud(), CountingCluster()
        world = World(cloud, cluster)
        async with world.at_work():
            await _delete(world, ["np-000"], apart=0.0)
            await asyncio.sleep(1800)
            assert cloud.asked["list_node_pools"] > 5
            assert cluster.definitions == 1

    run_at_once(scene)


def test_who_stands_in_line_for_long_says_so_once_and_goes_in_its_turn() -> None:
    async def scene() -> None:
        cloud, names = SlowCloud(node_look=10.0), [f"np-{number:03}" for number in range(CROWD)]
        world = World(cloud)
        cloud.shown.update(names)
        async with world.at_work():
            paths = await _delete(world, names, apart=0.0)
            last = world.cluster.bodies[paths[-1]]
            await asyncio.sleep(299)
            assert world.cluster.bodies[paths[-1]] == last, "a line that is soon over is not worth a write"
            for minutes in range(5):
                await asyncio.sleep(2 + 60 * minutes)
                shown = world.cluster.bodies[paths[-1]]
                words = {condition["type"]: condition["message"] for condition in shown["status"]["conditions"]}
                assert set(words) == {"Reconciling", "Ready"}
                assert (
                    "np-099 is queued; the operator prepares a few deletions of resource pool pool-a" in words["Ready"]
                )
                assert int(shown["metadata"]["resourceVersion"]) == int(last["metadata"]["resourceVersion"]) + 1
            await world.until(lambda: not any(path in world.cluster.bodies for path in paths))
        assert cloud.deletes == CROWD

    run_at_once(scene)


class LingeringCloud(SlowCloud):
    """Its node pools go between the first and the second poll after their DELETE."""

    @override
    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        self.deletes += 1
        asyncio.get_running_loop().call_later(1.5 * ACTIVE.total_seconds(), self.shown.discard, node_pool)
        return Accepted("request")


def test_an_accepted_delete_waits_for_the_next_poll() -> None:
    async def scene() -> None:
        cloud = LingeringCloud()
        await _write_and_remove(World(cloud), ["np"])
        # One look before the DELETE and two polls: none right behind the DELETE.
        assert (cloud.deletes, cloud.asked["list_node_pools"]) == (1, 3)

    run_at_once(scene)
