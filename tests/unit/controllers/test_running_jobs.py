"""Jobs on the nodes, through the whole engine in virtual time: held, asked again, listed for many, or not listed."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.api.names import PAUSED_ANNOTATION, RECONCILE_ANNOTATION
from modelarts_nodepool.errors import CloudError, MalformedAnswer, NotFound, ServerFailure
from modelarts_nodepool.ports import CloudNode, CloudWorkload
from tests.support.builders import NodePoolBuilder, a_node_pool, an_account
from tests.support.virtual_time import run_at_once
from tests.unit.controllers.memory_growth_stage import Cloud, World
from tests.unit.decide.situations import a_job

_API = "/apis/modelarts.huaweicloud.com/v1alpha1"
JOB = a_job("llama", "10.0.0.1")
MINUTE = 60


class BusyCloud(Cloud):
    """Has jobs, or fails to list them. `listed` counts its lists of jobs, `read` those of nodes."""

    def __init__(self, *jobs: CloudWorkload, error: CloudError | None = None, is_in_use: bool | None = None) -> None:
        super().__init__()
        self.jobs, self.list_error, self.is_in_use = jobs, error, is_in_use
        self.takes_seconds = 0
        self.listed = self.read = 0

    @override
    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        self.read += 1
        return [CloudNode("one", None, host_ip="10.0.0.1", is_in_use=self.is_in_use)]

    @override
    async def list_workloads(self, resource_pool: str) -> Sequence[CloudWorkload]:
        self.listed += 1
        await asyncio.sleep(self.takes_seconds)
        if self.list_error is not None:
            raise self.list_error
        return self.jobs


class Stage:
    """Objects of one resource pool that are deleted at the beginning."""

    def __init__(self, cloud: BusyCloud, *names: str, **account: Any) -> None:  # noqa: ANN401 - JSON
        self.cloud, self.world = cloud, World(cloud)
        self.names = names or ("training-a",)
        cloud.shown = set(self.names)
        builder = an_account().polling(timedelta(seconds=60), timedelta(seconds=60)).limited(unlimited=True)
        body = builder.body()
        body["spec"] |= account
        self.world.cache.upsert_account(self.world.cluster.put(f"{_API}/modelartsaccounts/default", body))
        self.world.put_namespace("ml")

    def path(self, name: str) -> str:
        return f"{_API}/namespaces/ml/modelartsnodepools/{name}"

    def delete(self, change: Callable[[NodePoolBuilder], NodePoolBuilder] = lambda builder: builder) -> None:
        for number, name in enumerate(self.names):
            builder = change(a_node_pool(name).finalized().being_deleted(self.world.clock.now()))
            body = deepcopy(builder.body())
            body["metadata"]["uid"] = f"uid-{number}"
            self.world.cache.observe_node_pool(self.world.cluster.put(self.path(name), body))

    def annotate(self, key: str, value: str) -> None:
        body = deepcopy(self.world.cluster.bodies[self.path("training-a")])
        body["metadata"]["annotations"] = {key: value}
        body["metadata"]["resourceVersion"] = str(int(body["metadata"]["resourceVersion"]) + 1)
        self.world.cache.observe_node_pool(self.world.cluster.put(self.path("training-a"), body))

    @property
    def version(self) -> str:
        return str(self.world.cluster.bodies[self.path("training-a")]["metadata"]["resourceVersion"])

    @property
    def blocked(self) -> str:
        """Reason and message of DeletionBlocked; empty if it is not shown."""
        status = self.world.cluster.bodies[self.path("training-a")].get("status", {})
        found = [each for each in status.get("conditions", []) if each["type"] == "DeletionBlocked"]
        return f"{found[0]['reason']}: {found[0]['message']}" if found else ""

    async def gone(self) -> None:
        paths = [self.path(name) for name in self.names]
        await self.world.until(lambda: not any(path in self.world.cluster.bodies for path in paths))


def stage(cloud: BusyCloud, *names: str, **account: Any) -> Callable[..., None]:  # noqa: ANN401 - JSON
    """Play a scene on it: everything is built within the loop of virtual time."""

    def play(scene: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
        async def played() -> None:
            built = Stage(cloud, *names, **account)
            async with built.world.at_work():
                await scene(built)

        run_at_once(played)

    return play


def test_a_hold_asks_every_minute_then_every_five_writes_once_and_goes_on_by_itself() -> None:
    cloud = BusyCloud(JOB)

    async def scene(stage: Stage) -> None:
        stage.delete()
        await asyncio.sleep(10)
        assert stage.blocked.startswith("WorkloadsRunning: 1 job runs on nodes of node pool training-a: train llama")
        version = stage.version
        await asyncio.sleep(9 * MINUTE)
        assert 9 <= cloud.listed <= 11
        begun, read = cloud.listed, cloud.read
        await asyncio.sleep(60 * MINUTE)
        assert 11 <= cloud.listed - begun <= 15
        assert cloud.read - read <= 13
        assert stage.version == version, "a hold that does not change is not written again"
        cloud.jobs = (a_job("llama", "10.0.0.1", status="Completed"),)
        assert cloud.deletes == 0
        await stage.gone()
        assert cloud.deletes == 1

    stage(cloud)(scene)


def test_reconcile_at_asks_at_once() -> None:
    cloud = BusyCloud(JOB)

    async def scene(stage: Stage) -> None:
        stage.delete()
        await asyncio.sleep(30 * MINUTE)
        cloud.jobs, begun = (), stage.world.clock.monotonic()
        stage.annotate(RECONCILE_ANNOTATION, "now")
        await stage.world.until(lambda: cloud.deletes == 1)
        assert stage.world.clock.monotonic() - begun <= 2

    stage(cloud)(scene)


def test_a_deletion_without_jobs_costs_one_call_and_an_ignoring_account_none() -> None:
    for account, calls in (({}, 1), ({"runningWorkloads": "Ignore"}, 0)):
        cloud = BusyCloud(*([JOB] if account else []))

        async def scene(stage: Stage) -> None:
            stage.delete()
            await stage.gone()

        stage(cloud, **account)(scene)
        assert (cloud.listed, cloud.deletes) == (calls, 1)


def test_a_hundred_held_deletions_of_a_resource_pool_share_each_list() -> None:
    cloud = BusyCloud(JOB)

    async def scene(stage: Stage) -> None:
        stage.delete()
        await asyncio.sleep(9.5 * MINUTE)
        assert cloud.listed <= 2 * 10
        cloud.jobs, before = (), cloud.listed
        await stage.gone()
        assert cloud.listed - before <= 5

    stage(cloud, "training-a", *(f"np-{number}" for number in range(99)))(scene)
    assert cloud.deletes == 100


def test_where_jobs_cannot_be_listed_one_line_an_hour_says_so(caplog: pytest.LogCaptureFixture) -> None:
    cloud = BusyCloud(error=NotFound("list_workloads of resource pool pool-a was answered 404"), is_in_use=True)

    async def scene(stage: Stage) -> None:
        stage.delete()
        await asyncio.sleep(150 * MINUTE)
        assert "node one shows accelerators in use; the jobs cannot be named" in stage.blocked
        cloud.is_in_use = False
        await stage.gone()

    with caplog.at_level(logging.WARNING):
        stage(cloud)(scene)
    lines = [record for record in caplog.records if "jobs cannot be listed" in record.getMessage()]
    assert len(lines) == 3
    assert "ModelArts does not offer list_workloads for it" in lines[0].getMessage()
    assert lines[0].__dict__["resourcePool"] == "pool-a"
    assert cloud.deletes == 1


@pytest.mark.parametrize("seconds", [0, 30, 3600])
def test_a_list_that_does_not_come_holds_for_ten_minutes_and_stops_nothing_else(seconds: int) -> None:
    cloud = BusyCloud(error=ServerFailure("list_workloads was answered 503", status=503))
    cloud.takes_seconds = seconds

    async def scene(stage: Stage) -> None:
        stage.delete()
        await asyncio.sleep(4 * MINUTE)
        assert not stage.blocked
        await asyncio.sleep(3 * MINUTE)
        assert "CloudUnavailable: whether jobs run on the nodes is unknown" in stage.blocked
        assert "override=WorkloadsRunning@" in stage.blocked
        await asyncio.sleep(2 * MINUTE)
        assert (cloud.deletes, bool(stage.blocked)) == (0, True)
        assert cloud.listed >= 10
        await asyncio.sleep(3 * MINUTE)
        assert cloud.deletes == 1

    stage(cloud)(scene)


def test_a_list_that_comes_back_within_ten_minutes_counts() -> None:
    cloud = BusyCloud(JOB, error=ServerFailure("503", status=503))

    async def scene(stage: Stage) -> None:
        stage.delete()
        await asyncio.sleep(8 * MINUTE)
        cloud.list_error = None
        await asyncio.sleep(MINUTE)
        assert stage.blocked.startswith("WorkloadsRunning: 1 job")
        cloud.list_error = ServerFailure("503", status=503)
        await asyncio.sleep(8 * MINUTE)
        assert (cloud.deletes, bool(stage.blocked)) == (0, True)
        assert "could not be read" in stage.blocked

    stage(cloud)(scene)


@pytest.mark.parametrize("minutes", [5, 30])
def test_the_time_in_which_nothing_is_asked_is_no_time_of_failures(minutes: int) -> None:
    cloud = BusyCloud(JOB, error=ServerFailure("503", status=503))

    async def scene(stage: Stage) -> None:
        stage.delete()
        await asyncio.sleep(MINUTE)
        stage.annotate(PAUSED_ANNOTATION, "true")
        await asyncio.sleep(minutes * MINUTE)
        stage.annotate(PAUSED_ANNOTATION, "false")
        await asyncio.sleep(9 * MINUTE)
        assert cloud.deletes == 0
        await asyncio.sleep(2 * MINUTE)
        assert cloud.deletes == 1

    stage(cloud)(scene)


def test_one_unreadable_answer_after_other_failures_is_repeated_for_its_own_time() -> None:
    cloud = BusyCloud(JOB, error=ServerFailure("503", status=503))

    async def scene(stage: Stage) -> None:
        stage.delete()
        await asyncio.sleep(MINUTE)
        cloud.list_error = MalformedAnswer("<html>")
        await asyncio.sleep(19)
        assert cloud.deletes == 0
        await asyncio.sleep(MINUTE)
        assert cloud.deletes == 1

    stage(cloud)(scene)
