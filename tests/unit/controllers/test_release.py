import asyncio
import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.deletion.ledger import Ledger
from modelarts_nodepool.controllers.deletion.reconciler import Deletion
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectGone
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.polling.pollers import Pollers
from modelarts_nodepool.ports import Clock
from tests.support.builders import a_node_pool
from tests.support.clocks import HandClock
from tests.support.clouds import a_clouds
from tests.support.virtual_time import VirtualClock, run_at_once

T = TypeVar("T")
Body = Mapping[str, Any]
RETAINED = a_node_pool().finalized().retained().being_deleted().body()
UID = RETAINED["metadata"]["uid"]


class ScriptedCluster:
    """Answers each patch with the next of the script, once it is let go on."""

    def __init__(self, *answers: Body | ClusterError) -> None:
        self.answers = list(answers)
        self.is_asked = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:  # noqa: ARG002 - the port's
        self.is_asked.set()
        await self.goes_on.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, ClusterError):
            raise answer
        return answer

    async def get(self, path: str) -> Body:
        raise ObjectGone(f"404 to GET {path}")

    async def get_metadata(self, path: str) -> Body:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:
        raise NotImplementedError


def a_deletion(cluster: ScriptedCluster, clock: Clock | None = None) -> tuple[Tools, Deletion]:
    clock = clock or HandClock()
    registry = Registry(clock)
    clouds = a_clouds(cluster, clock)
    pollers = Pollers(registry, clouds, clock)
    tools = Tools(
        registry=registry, pollers=pollers, clouds=clouds, cluster=cluster, clock=clock, recorder=EventRecorder(cluster)
    )
    registry.take_node_pool(RETAINED)
    return tools, Deletion(UID, tools, Sender(tools, may_send=lambda: True), Ledger(tools))


def without_finalizers(body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "finalizers": []}}


async def test_what_a_watch_that_lags_tells_of_a_released_object_is_not_believed() -> None:
    # The API server answers the patch that removes the last finalizer with the version from before it.
    cluster = ScriptedCluster(without_finalizers(RETAINED))
    cluster.goes_on.set()
    tools, deletion = a_deletion(cluster)
    await deletion.run()
    assert tools.registry.take_node_pool(RETAINED) is None
    assert UID not in tools.registry.node_pools


async def test_a_release_that_ends_after_its_task_was_ended_leaves_no_error_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = ScriptedCluster(ObjectGone("404 to PATCH"))
    _, deletion = a_deletion(cluster)
    task = asyncio.create_task(deletion.run())
    await cluster.is_asked.wait()
    task.cancel()
    await asyncio.sleep(0)
    cluster.goes_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    del task, deletion
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_an_object_that_is_gone_after_a_lost_answer_is_our_own_doing() -> None:
    async def main() -> None:
        cluster = ScriptedCluster(ClusterUnavailable("no answer"), ObjectGone("404 to PATCH"))
        cluster.goes_on.set()
        tools, deletion = a_deletion(cluster, VirtualClock())
        ours: list[bool] = []
        tools.registry.on_vanished = lambda node_pool: ours.append(tools.ongoing.is_releasing(node_pool.metadata.uid))
        await deletion.run()
        assert ours == [True]

    run_at_once(main)


async def test_an_object_that_is_gone_at_the_first_patch_is_not_our_doing() -> None:
    cluster = ScriptedCluster(ObjectGone("404 to PATCH"))
    cluster.goes_on.set()
    tools, deletion = a_deletion(cluster)
    ours: list[bool] = []
    tools.registry.on_vanished = lambda node_pool: ours.append(tools.ongoing.is_releasing(node_pool.metadata.uid))
    await deletion.run()
    assert ours == [False]
