"""A twin in a namespace that is not known yet may be granted by label: nothing is sent on a guess."""

import asyncio
from typing import Any

import pytest

from modelarts_nodepool.errors import ServerFailure
from tests.support.builders import a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import NodePoolCloud, a_clouds
from tests.support.controllers import build_parts, deleting
from tests.unit.controllers.test_send import NOW, OBJECT, ApplyingCluster

GRANTS: list[dict[str, Any]] = [
    {"namespaces": ["ml"], "resourcePools": ["*"]},
    {"namespaceSelector": {"matchLabels": {"team": "blue"}}, "resourcePools": ["*"]},
]
NAMESPACE = {"metadata": {"name": "moved-to", "labels": {}}}


@pytest.mark.parametrize("is_known", [True, False], ids=["known, and without the label", "not known yet"])
async def test_nothing_is_sent_while_the_namespace_of_a_twin_is_not_known(*, is_known: bool) -> None:
    cluster, clock = ApplyingCluster(), HandClock(NOW)
    parts = build_parts(cluster, clock, a_clouds(cluster, clock, NodePoolCloud(ServerFailure("busy", status=500))))
    cache = parts.cache
    account = an_account().limited(unlimited=True)
    cache.upsert_account({"metadata": dict(account.metadata), "spec": {**account.spec, "grants": GRANTS}})
    cache.upsert_node_pool(a_node_pool("renamed", "moved-to").standing_for("training-a").finalized().body())
    if is_known:
        cache.upsert_namespace(NAMESPACE)
    cache.upsert_node_pool({**OBJECT, "status": {}})
    async with deleting(OBJECT["metadata"]["uid"], parts):
        await asyncio.sleep(0.5)
    assert cluster.said.empty() is not is_known
