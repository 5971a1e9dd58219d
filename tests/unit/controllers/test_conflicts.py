"""An object that changes under every write, or a store that was put back: decided again, and nothing spins."""

import asyncio
from collections.abc import Sequence

from typing_extensions import override

from modelarts_nodepool.controllers.writes import CONFLICTS_IN_A_ROW
from modelarts_nodepool.errors import ObjectChanged
from tests.support.clocks import HandClock
from tests.support.clouds import NodePoolCloud, a_clouds
from tests.support.controllers import build_parts, deleting
from tests.unit.controllers.test_send_fence import ACCOUNT, OBJECT, Body, SlowCluster

UID = OBJECT["metadata"]["uid"]


class RefusingCluster(SlowCluster):
    """Says of every write that the object is another by now, and shows it as it was."""

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        self.writes += 1
        raise ObjectChanged(f"422 to PATCH {path}")

    @override
    async def get(self, path: str) -> Body:
        return OBJECT if path.endswith(OBJECT["metadata"]["name"]) else await super().get(path)


async def test_writes_that_are_refused_for_ever_are_tried_with_pauses() -> None:
    clock, cloud = HandClock(), NodePoolCloud()
    cluster = RefusingCluster(clock, 0.0, 0.0)
    parts = build_parts(cluster, clock, a_clouds(cluster, clock, cloud))
    parts.cache.upsert_account(ACCOUNT.body())
    parts.cache.upsert_node_pool(OBJECT)
    async with deleting(UID, parts):
        await asyncio.sleep(0.7)
    assert cloud.deletes == 0
    assert cluster.writes == CONFLICTS_IN_A_ROW + 1
