"""Between the write-ahead and the DELETE nothing may take long: else another process may have taken over."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.controllers.deletion.send import FENCE_SECONDS
from modelarts_nodepool.kube.paths import namespace
from tests.support.builders import a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import NodePoolCloud, SecretKeeper, a_clouds
from tests.support.controllers import build_parts, deleting

Body = Mapping[str, Any]
OBJECT = a_node_pool().finalized().pinned().being_deleted().body()
ACCOUNT = an_account().limited(unlimited=True)
NAMESPACE = namespace(OBJECT["metadata"]["namespace"])
EVERY = ACCOUNT.build().spec.poll_interval.total_seconds()


class SlowCluster(SecretKeeper):
    """Each write of a status takes `write_seconds`, each later read of the Secret `read_seconds`."""

    def __init__(self, clock: HandClock, write_seconds: float, read_seconds: float) -> None:
        self.clock, self.write_seconds, self.read_seconds = clock, write_seconds, read_seconds
        self.writes = 0
        self.ahead = asyncio.Event()

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        assert path.endswith("/status")
        self.clock.advance(timedelta(seconds=self.write_seconds))
        self.writes += 1
        self.ahead.set()
        metadata = {**OBJECT["metadata"], "resourceVersion": str(100 + self.writes)}
        return {**OBJECT, "metadata": metadata, "status": patch[-1]["value"]}

    @override
    async def get(self, path: str) -> Body:
        if self.writes and "/secrets/" in path:
            self.clock.advance(timedelta(seconds=self.read_seconds))
        return await super().get(path)


async def write_ahead(cluster: SlowCluster, clock: HandClock, cloud: NodePoolCloud) -> None:
    """Delete the object until its write-ahead is written, and a little longer."""
    parts = build_parts(cluster, clock, a_clouds(cluster, clock, cloud))
    parts.cache.upsert_account(ACCOUNT.body())
    parts.cache.upsert_node_pool(OBJECT)
    async with deleting(OBJECT["metadata"]["uid"], parts):
        await cluster.ahead.wait()
        for _ in range(50):
            await asyncio.sleep(0)


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
    clock, cloud = HandClock(), NodePoolCloud()
    cluster = SlowCluster(clock, write_seconds, read_seconds)
    await write_ahead(cluster, clock, cloud)
    assert cloud.deletes == deletes


class AgeingCluster(SlowCluster):
    """The first read of the namespace takes 3 seconds, the one before the write-ahead 55."""

    namespaces_read = 0

    @override
    async def get(self, path: str) -> Body:
        found = await super().get(path)
        if path == NAMESPACE:
            self.namespaces_read += 1
            self.clock.advance(timedelta(seconds={1: 3, 2: 55}.get(self.namespaces_read, 0)))
        return found


async def test_facts_that_would_get_too_old_behind_the_write_ahead_are_fetched_before_it() -> None:
    clock, cloud = HandClock(), NodePoolCloud()
    cluster = AgeingCluster(clock, write_seconds=4, read_seconds=0)
    await write_ahead(cluster, clock, cloud)
    assert cluster.namespaces_read > 1
    assert (cluster.writes, cloud.deletes) == (1, 1), "no write-ahead is wasted"
