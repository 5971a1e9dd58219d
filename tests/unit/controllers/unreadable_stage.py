"""The engine around one object that cannot be read."""

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.ports import Clock
from tests.support.builders import PROJECT, NodePoolBuilder, a_node_pool
from tests.support.clouds import a_clouds
from tests.support.controllers import build_parts
from tests.support.unreadable import an_unreadable_body
from tests.support.virtual_time import VirtualClock

T = TypeVar("T")
Body = Mapping[str, Any]
LIVING = a_node_pool().finalized()
DELETING = LIVING.being_deleted()
PATH = "/apis/modelarts.huaweicloud.com/v1alpha1/namespaces/ml/modelartsnodepools/training-a"

IDENTITY = Identity(region="cn-north-4", project_id=PROJECT, pool_name="pool-a", node_pool_name="training-a")


class OneObject:
    """Holds one object and applies patches to it; `refusals` are raised first, in order."""

    def __init__(self, body: Body) -> None:
        self.body: dict[str, Any] = copy.deepcopy(dict(body))
        self.patches: list[tuple[str, Sequence[Body]]] = []
        self.refusals: list[Exception] = []
        self.events: list[Body] = []

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        if self.refusals:
            raise self.refusals.pop(0)
        self.patches.append((path, patch))
        for step in patch:
            *parents, last = str(step["path"]).strip("/").split("/")
            place = self.body
            for parent in parents:
                place = place[parent]
            if step["op"] == "test":
                assert place[last] == step["value"]
            else:
                assert step["op"] == "add"
                place[last] = step["value"]
        self.body["metadata"]["resourceVersion"] = str(int(self.body["metadata"]["resourceVersion"]) + 1)
        return copy.deepcopy(self.body)

    async def get(self, path: str) -> Body:
        assert path == PATH
        if self.refusals:
            raise self.refusals.pop(0)
        return copy.deepcopy(self.body)

    async def get_metadata(self, path: str) -> Body:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:
        assert path.endswith("/events")
        self.events.append(body)
        return body


class Stage:
    """The engine around one object that cannot be read."""

    def __init__(self, body: Body, clock: Clock | None = None) -> None:
        self.cluster, clock = OneObject(body), clock or VirtualClock()
        self.recorder = EventRecorder(self.cluster)
        self.parts = build_parts(self.cluster, clock, a_clouds(self.cluster, clock), recorder=self.recorder)
        self.cache, self.manager = self.parts.cache, self.parts.manager
        self.cache.upsert_node_pool(body)

    async def works(self, seconds: float = 5.0) -> None:
        self.manager.begin()
        tasks = [asyncio.create_task(self.manager.run()), asyncio.create_task(self.recorder.run())]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def said(self) -> list[tuple[str, str]]:
        return [(each["type"], each["reason"]) for each in self.cluster.body["status"].get("conditions", [])]

    def told(self) -> list[str]:
        return [f"{event['reason']} {event['message'].split(' ')[0]}" for event in self.cluster.events]


def a_strange(builder: NodePoolBuilder = LIVING, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {**an_unreadable_body(builder, deletionPolicy="Archive"), **more}


def later(body: Body, version: str) -> dict[str, Any]:
    """Another version of it."""
    return {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
