import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.decide.record import SETTLE
from modelarts_nodepool.engine.accounts import Accounts
from modelarts_nodepool.engine.deletion import Deletion
from modelarts_nodepool.engine.ledger import Ledger
from modelarts_nodepool.engine.pollers import Pollers
from modelarts_nodepool.engine.registry import Registry
from modelarts_nodepool.engine.send import Sender
from modelarts_nodepool.engine.tools import Tools
from modelarts_nodepool.errors import CloudError, RefusedByModelArts, ServerFailure
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
from modelarts_nodepool.resource.node_pool import DeletionRecord, SendOutcome
from tests.support.builders import NOON, a_cloud_node_pool, a_node_pool, an_account
from tests.support.clouds import a_clouds

T = TypeVar("T")
Body = Mapping[str, Any]
NOW = NOON + timedelta(minutes=10)
# The state that a killed process leaves: written ahead, and nobody knows what came of it.
SENT_LONG_AGO = DeletionRecord(attempt=1, sent_time=NOW - timedelta(minutes=3), outcome=SendOutcome.UNKNOWN)
OBJECT = a_node_pool().finalized().pinned().being_deleted().recording(SENT_LONG_AGO).body()
ACCOUNT = an_account().limited(unlimited=True)


class StandingClock:
    def __init__(self) -> None:
        self.later = timedelta()

    def now(self) -> datetime:
        return NOW + self.later

    def monotonic(self) -> float:
        return 1000.0 + self.later.total_seconds()


class ApplyingCluster:
    """Has the Secret and the containers, and applies each patch of a status."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        assert path.endswith("/status")
        status = patch[-1]["value"]
        blocked = [each["reason"] for each in status["conditions"] if each["type"] == "DeletionBlocked"]
        self.said.put_nowait(blocked[0] if blocked else f"attempt {status['deletion']['attempt']}")
        version = str(100 + self.said.qsize())
        return {**OBJECT, "metadata": {**OBJECT["metadata"], "resourceVersion": version}, "status": status}

    async def get(self, path: str) -> Body:
        if "/secrets/" not in path:
            return {"metadata": {}}
        data = {name: base64.b64encode(b"of-a-test").decode() for name in ("accessKey", "secretKey")}
        return {"metadata": {"labels": {CREDENTIALS_LABEL: "true"}}, "data": data}

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:
        raise NotImplementedError


class AnsweringCloud:
    """Shows the node pool beside another one, and fails each DELETE with one error."""

    def __init__(self, error: CloudError) -> None:
        self.error = error

    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        raise NotImplementedError

    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        return CloudResourcePool(resource_pool, Billing.PAY_PER_USE)

    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:  # noqa: ARG002 - the port's
        shown = (a_cloud_node_pool(available=1), a_cloud_node_pool("stays", available=1))
        return NodePoolListing({node_pool.name: node_pool for node_pool in shown})

    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        raise NotImplementedError

    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:  # noqa: ARG002
        return [CloudNode("one", None)]

    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:  # noqa: ARG002
        raise self.error


@pytest.mark.parametrize(
    ("error", "blocked_at_once"),
    [
        pytest.param(RefusedByModelArts("in use", status=400), True, id="refused: no effect"),
        pytest.param(ServerFailure("busy", status=500), False, id="unknown outcome"),
    ],
)
async def test_only_a_delete_that_may_have_had_an_effect_is_waited_for_again(
    error: CloudError, *, blocked_at_once: bool
) -> None:
    cluster, clock = ApplyingCluster(), StandingClock()
    registry = Registry(clock)
    clouds = a_clouds(cluster, clock, AnsweringCloud(error))
    pollers = Pollers(registry, clouds, clock)
    tools = Tools(
        registry=registry, pollers=pollers, clouds=clouds, cluster=cluster, clock=clock, recorder=EventRecorder(cluster)
    )
    account = ACCOUNT.build()
    registry.take_account({"metadata": dict(ACCOUNT.metadata), "spec": dict(ACCOUNT.spec)})
    assert registry.accounts[account.metadata.name] == account
    registry.take_node_pool(OBJECT)
    deletion = Deletion(
        OBJECT["metadata"]["uid"], tools, Sender(tools, may_send=lambda: True), Ledger(tools, Accounts(tools))
    )
    task = asyncio.create_task(deletion.run())
    try:
        async with asyncio.timeout(20):
            assert await cluster.said.get() == "attempt 1", "by another process's clock long ago: looked at first"
            clock.later = SETTLE
            deletion.wake()
            assert await cluster.said.get() == "attempt 2"
            second = await asyncio.wait_for(cluster.said.get(), 1) if blocked_at_once else None
            await asyncio.sleep(0.05)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await pollers.stop()
    assert second == ("RefusedByModelArts" if blocked_at_once else None)
    assert cluster.said.empty()
