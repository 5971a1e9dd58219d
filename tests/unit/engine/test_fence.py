"""Between the write-ahead and the DELETE nothing may take long: else another process may have taken over."""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.engine.accounts import Accounts
from modelarts_nodepool.engine.deletion import Deletion
from modelarts_nodepool.engine.ledger import Ledger
from modelarts_nodepool.engine.pollers import Pollers
from modelarts_nodepool.engine.registry import Registry
from modelarts_nodepool.engine.send import FENCE_SECONDS, Sender
from modelarts_nodepool.engine.tools import Tools
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.ports import (
    Accepted,
    Billing,
    CloudNode,
    CloudNodePool,
    CloudResourcePool,
    NodePoolListing,
)
from modelarts_nodepool.resource.names import CREDENTIALS_LABEL
from tests.support.builders import NOON, a_cloud_node_pool, a_listing, a_node_pool, an_account
from tests.support.clouds import a_clouds

T = TypeVar("T")
Body = Mapping[str, Any]
OBJECT = a_node_pool().finalized().pinned().being_deleted().body()
ACCOUNT = an_account().limited(unlimited=True)
EVERY = ACCOUNT.build().spec.poll_interval.total_seconds()


class HandClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class SlowCluster:
    """Each write of a status takes `write_seconds`, each later read of the Secret `read_seconds`."""

    def __init__(self, clock: HandClock, write_seconds: float, read_seconds: float) -> None:
        self.clock, self.write_seconds, self.read_seconds = clock, write_seconds, read_seconds
        self.writes = 0
        self.ahead = asyncio.Event()

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        assert path.endswith("/status")
        self.clock.seconds += self.write_seconds
        self.writes += 1
        self.ahead.set()
        metadata = {**OBJECT["metadata"], "resourceVersion": str(100 + self.writes)}
        return {**OBJECT, "metadata": metadata, "status": patch[-1]["value"]}

    async def get(self, path: str) -> Body:
        if "/secrets/" not in path:
            return {"metadata": {}}
        if self.writes:
            self.clock.seconds += self.read_seconds
        data = {name: base64.b64encode(b"of-a-test").decode() for name in ("accessKey", "secretKey")}
        return {"metadata": {"labels": {CREDENTIALS_LABEL: "true"}}, "data": data}

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:
        raise NotImplementedError


class CountingCloud:
    """Shows the node pool beside another one and counts DELETEs."""

    def __init__(self) -> None:
        self.deletes = 0

    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        raise NotImplementedError

    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        return CloudResourcePool(resource_pool, Billing.PAY_PER_USE)

    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:  # noqa: ARG002 - the port's
        return a_listing(a_cloud_node_pool(available=1), a_cloud_node_pool("stays", available=1))

    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        raise NotImplementedError

    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:  # noqa: ARG002
        return [CloudNode("one", None)]

    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:  # noqa: ARG002
        self.deletes += 1
        return Accepted("request")


@pytest.mark.parametrize(
    ("write_seconds", "read_seconds", "deletes"),
    [
        pytest.param(0.0, 0.0, 1, id="quick"),
        pytest.param(FENCE_SECONDS - 1, 0.0, 1, id="slow, and still in time"),
        pytest.param(FENCE_SECONDS, 0.0, 0, id="the write took too long"),
        pytest.param(EVERY / 2, FENCE_SECONDS - EVERY / 2, 0, id="reading the Secret again took too long"),
    ],
)
async def test_a_delete_follows_its_write_ahead_at_once_or_not_at_all(
    write_seconds: float, read_seconds: float, deletes: int
) -> None:
    clock, cloud = HandClock(), CountingCloud()
    cluster = SlowCluster(clock, write_seconds, read_seconds)
    registry = Registry(clock)
    clouds = a_clouds(cluster, clock, cloud)
    pollers = Pollers(registry, clouds, clock)
    tools = Tools(
        registry=registry, pollers=pollers, clouds=clouds, cluster=cluster, clock=clock, recorder=EventRecorder(cluster)
    )
    registry.take_account({"metadata": dict(ACCOUNT.metadata), "spec": dict(ACCOUNT.spec)})
    registry.take_node_pool(OBJECT)
    sender = Sender(tools, may_send=lambda: True)
    task = asyncio.create_task(Deletion(OBJECT["metadata"]["uid"], tools, sender, Ledger(tools, Accounts(tools))).run())
    try:
        async with asyncio.timeout(10):
            await cluster.ahead.wait()
            for _ in range(50):
                await asyncio.sleep(0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await pollers.stop()
    assert cloud.deletes == deletes
