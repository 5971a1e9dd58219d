"""A leader with a cloud that counts, and a server that remembers what accounts said: for test_account_verification.py.

Real controller, pollers, breaker and circuit, in virtual time.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any

from typing_extensions import override

from modelarts_nodepool.ports import CloudResourcePool, NodePoolListing
from tests.support.builders import a_cloud_node_pool, a_listing, a_node_pool, an_account
from tests.support.clouds import SecretKeeper, UnaskedCloud, a_clouds
from tests.support.controllers import build_parts
from tests.support.virtual_time import BEGINS_AT, VirtualClock, run_at_once

Body = Mapping[str, Any]
Scene = Callable[["Stage"], Coroutine[Any, Any, None]]


class AskedCloud(UnaskedCloud):
    """Notes when list_pools came; each call takes `seconds` and fails with `error` where that is set."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.asked: list[float] = []
        self.looks = 0
        self.error: Exception | None = None
        self.seconds = 0.1

    async def answer(self) -> None:
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error

    @override
    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        assert workspace == "0"
        self.asked.append(self.clock.monotonic() - BEGINS_AT)
        await self.answer()
        return {}

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        self.looks += 1
        await self.answer()
        return a_listing(a_cloud_node_pool(available=1))


class Server(SecretKeeper):
    """Holds accounts and one object; keeps what Ready said of accounts: its reason and the observed generation."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.said: list[tuple[str, int]] = []
        self.version = 1000

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        name = path.removesuffix("/status").rpartition("/")[2]
        if path.endswith("/status"):
            status = patch[-1]["value"]
            return self.put(name, status=status)
        return self.put(name, metadata={"finalizers": [patch[-1]["value"]]})

    @override
    async def get(self, path: str) -> Body:
        return await super().get(path) if "/secrets/" in path else self.objects[path.rpartition("/")[2]]

    def put(self, name: str, metadata: Body | None = None, **parts: Any) -> Body:  # noqa: ANN401 - JSON
        """Change an object; its next version."""
        self.version += 1
        body = self.objects[name]
        metadata = body["metadata"] | dict(metadata or {}) | {"resourceVersion": str(self.version)}
        self.objects[name] = body | parts | {"metadata": metadata}
        if "status" in parts and "conditions" in parts["status"] and "region" in body["spec"]:
            (ready,) = [each for each in parts["status"]["conditions"] if each["type"] == "Ready"]
            self.said.append((ready["reason"], parts["status"]["observedGeneration"]))
        return self.objects[name]


class Stage:
    """A leader and its server."""

    def __init__(self) -> None:
        self.clock, self.server = VirtualClock(), Server()
        self.cloud = AskedCloud(self.clock)

    def lead(self) -> None:
        """A process begins to lead, with nothing in its memory."""
        parts = build_parts(self.server, self.clock, a_clouds(self.server, self.clock, self.cloud))
        self.cache = parts.cache
        for name in self.server.objects:
            self.tell(name)
        self.working = asyncio.create_task(parts.manager.run())
        parts.manager.begin()

    async def end(self) -> None:
        self.working.cancel()
        await asyncio.gather(self.working, return_exceptions=True)

    def tell(self, name: str) -> None:
        """As the watch would."""
        body = self.server.objects[name]
        take = self.cache.upsert_account if "region" in body["spec"] else self.cache.observe_node_pool
        take(body)

    def create(self, name: str = "default", *, every: timedelta = timedelta(minutes=1)) -> None:
        self.server.objects[name] = an_account(name).polling(every, every).body() | {"status": {}}
        self.tell(name)

    def change(self, name: str = "default", **metadata: Any) -> None:  # noqa: ANN401 - JSON
        self.server.put(name, metadata)
        self.tell(name)

    def use(self) -> None:
        """An object comes."""
        self.server.objects["training-a"] = a_node_pool().finalized().body()
        self.cache.upsert_namespace({"metadata": {"name": "ml", "uid": "uid-of-ml", "resourceVersion": "1"}})
        self.tell("training-a")

    def leave(self) -> None:
        """The object is gone, by whatever way."""
        del self.server.objects["training-a"]
        self.cache.drop_node_pool("uid-of-training-a")


def play(scene: Scene) -> None:
    async def main() -> None:
        stage = Stage()
        stage.lead()
        try:
            await scene(stage)
        finally:
            await stage.end()

    run_at_once(main)
