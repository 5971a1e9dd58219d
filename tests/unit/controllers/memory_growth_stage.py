"""The whole engine in virtual time, and lives of objects that pass through it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from modelarts_nodepool.api.meta import to_timestamp
from modelarts_nodepool.api.names import ACCOUNT_FINALIZER, NODE_POOL_FINALIZER
from modelarts_nodepool.errors import ClusterError, NotFound, ObjectChanged, ObjectGone
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.ports import (
    Accepted,
    CloudNodePool,
    NodePoolListing,
)
from tests.support.builders import NOON, a_cloud_node_pool, a_listing, a_node_pool, an_account
from tests.support.clouds import NodePoolCloud, SecretKeeper, a_clouds
from tests.support.controllers import build_parts
from tests.support.memory import sizes_in
from tests.support.virtual_time import VirtualClock

Body = Mapping[str, Any]
_API = "modelarts.huaweicloud.com/v1alpha1"
LONG_AGO = NOON - timedelta(days=1000)


class Cluster(SecretKeeper):
    """An API server that keeps objects, takes the operator's patches and refuses Events."""

    def __init__(self) -> None:
        self.bodies: dict[str, dict[str, Any]] = {}
        self.homeless = 0

    def put(self, path: str, body: Body) -> Body:
        self.bodies[path] = deepcopy(dict(body))
        return body

    @override
    async def get(self, path: str) -> Body:
        if "/secrets/" in path:
            return await super().get(path)
        if path in self.bodies:
            return self.bodies[path]
        if "customresourcedefinitions" in path:
            return {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}}
        raise ObjectGone(path, status=404)

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        where = path.removesuffix("/status")
        if where not in self.bodies:
            raise ObjectGone(path, status=404)
        if "/namespaces/" in where and f"/api/v1/namespaces/{where.split('/')[5]}" not in self.bodies:
            # As the admission plug-in NamespaceLifecycle does, although the object is there.
            self.homeless += 1
            raise ObjectGone(path, status=404)
        body = deepcopy(self.bodies[where])
        metadata, change = body["metadata"], patch[-1]
        if metadata["resourceVersion"] != patch[1]["value"]:
            raise ObjectChanged(path, status=409)
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        if change["path"] == "/status":
            body["status"] = change["value"]
        elif change["op"] == "remove":
            metadata["finalizers"] = []
            self.bodies.pop(where)
            return body
        else:
            metadata["finalizers"] = [ACCOUNT_FINALIZER if "accounts" in where else NODE_POOL_FINALIZER]
        return self.put(where, body)

    @override
    async def create(self, path: str, body: Body) -> Body:
        raise ClusterError("forbidden", status=403)


class Cloud(NodePoolCloud):
    """Its node pool goes at once when it is deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = {"training-a"}

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        return a_listing(*(a_cloud_node_pool(name, available=1) for name in ("stays", *self.shown)))

    @override
    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        raise NotFound("no such node pool", status=404)

    @override
    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        self.shown.discard(node_pool)
        return await super().delete_node_pool(resource_pool, node_pool)


class World:
    """The engine of one process, and what it sees."""

    def __init__(self, cloud: Cloud | None = None, cluster: Cluster | None = None) -> None:
        self.clock, self.cluster, self.cloud = VirtualClock(), cluster or Cluster(), cloud or Cloud()
        self.clouds = a_clouds(self.cluster, self.clock, self.cloud)
        self.recorder = EventRecorder(self.cluster)
        self.parts = build_parts(self.cluster, self.clock, self.clouds, recorder=self.recorder)
        self.cache, self.manager = self.parts.cache, self.parts.manager

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The engine runs while the block does."""
        workers = [asyncio.create_task(self.manager.run()), asyncio.create_task(self.recorder.run())]
        await asyncio.sleep(0)
        self.manager.begin()
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def one_life(self, number: int) -> None:
        """An account, a namespace and an object of a resource pool of its own: created, mirrored, deleted, gone."""
        self.cloud.shown.add("training-a")
        account, namespace = f"account-{number}", f"ns-{number}"
        of_account = an_account(account).polling(timedelta(seconds=10), timedelta(seconds=10)).body()
        self.cache.upsert_account(self.cluster.put(f"/apis/{_API}/modelartsaccounts/{account}", of_account))
        self.put_namespace(namespace)
        body = a_node_pool(namespace=namespace).using(account).body()
        body["metadata"]["uid"], body["spec"]["poolName"] = f"uid-{number}", f"pool-{number}"
        path = f"/apis/{_API}/namespaces/{namespace}/modelartsnodepools/training-a"
        self.cache.observe_node_pool(self.cluster.put(path, body))
        await self.until(lambda: self.cluster.bodies[path]["status"].get("counts", {}).get("available") == 1)
        deleted = deepcopy(self.cluster.bodies[path])
        deleted["metadata"] |= {"deletionTimestamp": self.clock.now().isoformat(), "resourceVersion": "9000"}
        self.cache.observe_node_pool(self.cluster.put(path, deleted))
        await self.until(lambda: path not in self.cluster.bodies)
        self.cache.drop_account(account, of_account["metadata"]["uid"])
        self.cache.drop_namespace(namespace, f"uid-of-{namespace}")

    def put_namespace(self, name: str, created: datetime = LONG_AGO) -> None:
        metadata = {"name": name, "uid": f"uid-of-{name}", "resourceVersion": "1"}
        there = {"metadata": {**metadata, "creationTimestamp": to_timestamp(created)}}
        self.cache.upsert_namespace(self.cluster.put(f"/api/v1/namespaces/{name}", there))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(600):
            while not holds():  # noqa: ASYNC110 - seconds that pass at once
                await asyncio.sleep(1)

    def sizes(self) -> dict[str, int]:
        return sizes_in(
            cache=self.cache,
            parts=self.parts,
            clouds=self.clouds,
            recorder=self.recorder,
        )
