import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.api.node_pool import DeletionRecord, SendOutcome
from modelarts_nodepool.decide.deletion.record import SETTLE
from modelarts_nodepool.errors import CloudError, RefusedByModelArts, ServerFailure
from tests.support.builders import NOON, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import NodePoolCloud, SecretKeeper, a_clouds
from tests.support.controllers import build_parts, deleting
from tests.support.limits import HANGING_SECONDS

Body = Mapping[str, Any]
NOW = NOON + timedelta(minutes=10)
# The state that a killed process leaves: written ahead, and nobody knows what came of it.
SENT_LONG_AGO = DeletionRecord(attempt=1, sent_time=NOW - timedelta(minutes=3), outcome=SendOutcome.UNKNOWN)
OBJECT = a_node_pool().finalized().pinned().being_deleted().recording(SENT_LONG_AGO).body()
ACCOUNT = an_account().limited(unlimited=True)


class ApplyingCluster(SecretKeeper):
    """Has the Secret and the containers, and applies each patch of a status."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        assert path.endswith("/status")
        status = patch[-1]["value"]
        blocked = [each["reason"] for each in status["conditions"] if each["type"] == "DeletionBlocked"]
        self.said.put_nowait(blocked[0] if blocked else f"attempt {status['deletion']['attempt']}")
        version = str(100 + self.said.qsize())
        return {**OBJECT, "metadata": {**OBJECT["metadata"], "resourceVersion": version}, "status": status}


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
    cluster, clock = ApplyingCluster(), HandClock(NOW)
    parts = build_parts(cluster, clock, a_clouds(cluster, clock, NodePoolCloud(error)))
    account, cache = ACCOUNT.build(), parts.cache
    cache.upsert_account(ACCOUNT.body())
    assert cache.accounts[account.metadata.name] == account
    cache.upsert_node_pool(OBJECT)
    async with deleting(OBJECT["metadata"]["uid"], parts) as deletion:
        assert await cluster.said.get() == "attempt 1", "by another process's clock long ago: looked at first"
        clock.advance(SETTLE)
        deletion.requeue(OBJECT["metadata"]["uid"])
        assert await cluster.said.get() == "attempt 2"
        second = await asyncio.wait_for(cluster.said.get(), HANGING_SECONDS) if blocked_at_once else None
        await asyncio.sleep(0.05)
    assert second == ("RefusedByModelArts" if blocked_at_once else None)
    assert cluster.said.empty()
