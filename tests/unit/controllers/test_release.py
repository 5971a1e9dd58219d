import asyncio
import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache, Content
from modelarts_nodepool.controllers.factory import Controllers
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectGone
from modelarts_nodepool.ports import Clock
from tests.support.builders import a_node_pool
from tests.support.clocks import HandClock
from tests.support.clouds import a_clouds
from tests.support.controllers import Deleting, build_parts, deleting
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


class AskedNodePools(dict[str, NodePool]):
    """Notes of each object that goes whether that is our own doing."""

    def __init__(self) -> None:
        super().__init__()
        self.ours: list[bool] = []
        self.in_flight: list[InFlight] = []

    @override
    def pop(self, uid: str, default: Any = None) -> Any:
        self.ours += [each.is_releasing(uid) for each in self.in_flight]
        return super().pop(uid, default)


def a_deletion(cluster: ScriptedCluster, clock: Clock | None = None) -> tuple[Controllers, AskedNodePools]:
    clock, node_pools = clock or HandClock(), AskedNodePools()
    cache = Cache(clock, content=Content(node_pools=node_pools))
    parts = build_parts(cluster, clock, a_clouds(cluster, clock), cache=cache)
    node_pools.in_flight.append(parts.in_flight)
    cache.upsert_node_pool(RETAINED)
    return parts, node_pools


async def until_gone(parts: Controllers) -> None:
    async with deleting(UID, parts):
        while UID in parts.cache.node_pools:  # noqa: ASYNC110 - seconds that pass at once
            await asyncio.sleep(0.01)


def without_finalizers(body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "finalizers": []}}


async def test_what_a_watch_that_lags_tells_of_a_released_object_is_not_believed() -> None:
    # The API server answers the patch that removes the last finalizer with the version from before it.
    cluster = ScriptedCluster(without_finalizers(RETAINED))
    cluster.goes_on.set()
    parts, _ = a_deletion(cluster)
    await until_gone(parts)
    assert parts.cache.upsert_node_pool(RETAINED) is None
    assert UID not in parts.cache.node_pools


async def test_a_release_that_ends_after_the_process_was_stopped_leaves_no_error_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = ScriptedCluster(ObjectGone("404 to PATCH"))
    parts, _ = a_deletion(cluster)
    deletion = Deleting(parts)
    task = asyncio.create_task(deletion.run())
    deletion.requeue(UID)
    await cluster.is_asked.wait()
    task.cancel()
    await asyncio.sleep(0)
    cluster.goes_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    del task, deletion, parts
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_release_that_is_answered_while_the_process_stops_is_reported() -> None:
    cluster = ScriptedCluster(without_finalizers(RETAINED))
    parts, _ = a_deletion(cluster)
    deletion = Deleting(parts)
    task = asyncio.create_task(deletion.run())
    deletion.requeue(UID)
    await cluster.is_asked.wait()
    task.cancel()
    await asyncio.sleep(0)
    cluster.goes_on.set()
    await asyncio.wait([task])
    assert UID not in parts.cache.node_pools


def test_an_object_that_is_gone_after_a_lost_answer_is_our_own_doing() -> None:
    async def main() -> None:
        cluster = ScriptedCluster(ClusterUnavailable("no answer"), ObjectGone("404 to PATCH"))
        cluster.goes_on.set()
        parts, node_pools = a_deletion(cluster, VirtualClock())
        await until_gone(parts)
        assert node_pools.ours == [True]

    run_at_once(main)


async def test_an_object_that_is_gone_at_the_first_patch_is_not_our_doing() -> None:
    cluster = ScriptedCluster(ObjectGone("404 to PATCH"))
    cluster.goes_on.set()
    parts, node_pools = a_deletion(cluster)
    await until_gone(parts)
    assert node_pools.ours == [False]
