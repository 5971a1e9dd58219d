"""Events are few, bounded, and never in anybody's way."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from modelarts_nodepool import settings
from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.kube.events import EventRecorder, EventType, Reference
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import Cluster
from tests.support.memory import sizes_in
from tests.support.virtual_time import run_at_once

T = TypeVar("T")

NODE_POOL = Reference("ModelArtsNodePool", "training-a", "ml", "u-1")
ACCOUNT = Reference("ModelArtsAccount", "default", "", "u-2")
MANY_NAMESPACES = 1100


class RecordingCluster:
    """Keeps what is created; refuses what its namespaces refuse."""

    def __init__(self, refusing: Mapping[str, int | None] | None = None) -> None:
        self.created: list[tuple[str, Mapping[str, Any]]] = []
        self.refusing = dict(refusing or {})

    async def create(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        namespace = body["metadata"]["namespace"]
        if namespace in self.refusing:
            raise ClusterUnavailable(f"no to {namespace}", status=self.refusing[namespace])
        self.created.append((path, body))
        return body

    async def get(self, path: str) -> Mapping[str, Any]:
        raise NotImplementedError(path)

    async def get_metadata(self, path: str) -> Mapping[str, Any]:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Mapping[str, Any]], T]) -> list[T]:
        raise NotImplementedError(path, convert)

    async def json_patch(self, path: str, patch: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        raise NotImplementedError(path, patch)


@asynccontextmanager
async def running(recorder: EventRecorder) -> AsyncIterator[None]:
    task = asyncio.create_task(recorder.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settle() -> None:
    """Let the recorder do what it can without waiting for time to pass."""
    for _ in range(5 * settings.EVENTS_BURST):
        await asyncio.sleep(0)


async def post(cluster: Cluster, *events: tuple[Reference, str]) -> EventRecorder:
    recorder = EventRecorder(cluster)
    async with running(recorder):
        for about, message in events:
            recorder.record(about, EventType.WARNING, "DeletionBlocked", message)
        await settle()
    return recorder


async def test_an_event_names_its_object_its_author_and_why() -> None:
    cluster = RecordingCluster()
    recorder = await post(cluster, (NODE_POOL, "held"))
    [(path, body)] = cluster.created
    assert path == "/api/v1/namespaces/ml/events"
    assert body["involvedObject"] == {
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1",
        "kind": "ModelArtsNodePool",
        "name": "training-a",
        "namespace": "ml",
        "uid": "u-1",
    }
    assert (body["type"], body["reason"], body["message"]) == ("Warning", "DeletionBlocked", "held")
    assert body["reportingComponent"] == body["source"]["component"] == "modelarts-nodepool-operator"
    assert (recorder.posted, recorder.dropped) == (1, 0)


async def test_events_of_an_account_go_where_kubectl_describe_looks() -> None:
    cluster = RecordingCluster()
    await post(cluster, (ACCOUNT, "orphan"))
    [(path, body)] = cluster.created
    assert path == "/api/v1/namespaces/default/events"
    assert "namespace" not in body["involvedObject"]


async def test_messages_are_short_and_without_secrets() -> None:
    redact("canary-in-an-event")
    cluster = RecordingCluster()
    await post(cluster, (NODE_POOL, "canary-in-an-event " + "x" * 5000))
    message = cluster.created[0][1]["message"]
    assert len(message) == 1024
    assert "canary" not in message


async def test_a_burst_goes_out_at_once_and_no_more() -> None:
    cluster = RecordingCluster()
    await post(cluster, *[(NODE_POOL, str(number)) for number in range(settings.EVENTS_BURST + 5)])
    assert [body["message"] for _, body in cluster.created] == [str(n) for n in range(settings.EVENTS_BURST)]


async def test_what_does_not_fit_the_queue_is_dropped_and_counted() -> None:
    recorder = EventRecorder(RecordingCluster(), queued=2)
    for _ in range(5):
        recorder.record(NODE_POOL, EventType.NORMAL, "NodePoolGone", "gone")
    assert recorder.dropped == 3


async def test_a_refusing_namespace_is_reported_once_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    cluster = RecordingCluster({"ml": 403})
    recorder = await post(cluster, (NODE_POOL, "1"), (NODE_POOL, "2"), (ACCOUNT, "3"))
    assert [body["message"] for _, body in cluster.created] == ["3"]
    assert (recorder.posted, recorder.dropped) == (1, 2)
    assert caplog.text.count("namespace ml refuses Events") == 1


def test_only_so_many_refusing_namespaces_are_remembered() -> None:
    recorder = EventRecorder(RecordingCluster({f"ns-{number}": 403 for number in range(MANY_NAMESPACES)}))

    async def scene() -> None:
        async with running(recorder):
            for number in range(MANY_NAMESPACES):
                recorder.record(replace(NODE_POOL, namespace=f"ns-{number}"), EventType.WARNING, "Orphaned", "gone")
                # The allowance counts real time, of which none passes.
                await asyncio.sleep(MANY_NAMESPACES)

    run_at_once(scene)
    assert recorder.dropped == MANY_NAMESPACES
    assert sizes_in(recorder=recorder)["recorder._refusing"] == 1000


async def test_an_unreachable_api_server_loses_events_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    recorder = await post(RecordingCluster({"ml": None}), (NODE_POOL, "1"), (ACCOUNT, "2"))
    assert (recorder.posted, recorder.dropped) == (1, 1)
    assert "Events are lost since the start" in caplog.text


async def test_events_that_are_lost_cost_one_log_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    recorder = await post(RecordingCluster({"ml": None}), *[(NODE_POOL, str(number)) for number in range(20)])
    assert recorder.dropped == 20
    assert len([record for record in caplog.records if "Events are lost since the start" in record.getMessage()]) == 1
