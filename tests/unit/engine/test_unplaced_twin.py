"""A twin in a namespace that is not known yet may be granted by label: nothing is sent on a guess."""

import asyncio
from typing import Any

import pytest

from modelarts_nodepool.engine.accounts import Accounts
from modelarts_nodepool.engine.deletion import Deletion
from modelarts_nodepool.engine.ledger import Ledger
from modelarts_nodepool.engine.pollers import Pollers
from modelarts_nodepool.engine.registry import Registry
from modelarts_nodepool.engine.send import Sender
from modelarts_nodepool.engine.tools import Tools
from modelarts_nodepool.errors import ServerFailure
from modelarts_nodepool.kube.events import EventRecorder
from tests.support.builders import a_node_pool, an_account
from tests.support.clouds import a_clouds
from tests.unit.engine.test_send import OBJECT, AnsweringCloud, ApplyingCluster, StandingClock

GRANTS: list[dict[str, Any]] = [
    {"namespaces": ["ml"], "resourcePools": ["*"]},
    {"namespaceSelector": {"matchLabels": {"team": "blue"}}, "resourcePools": ["*"]},
]
NAMESPACE = {"metadata": {"name": "moved-to", "labels": {}}}


@pytest.mark.parametrize("is_known", [True, False], ids=["known, and without the label", "not known yet"])
async def test_nothing_is_sent_while_the_namespace_of_a_twin_is_not_known(*, is_known: bool) -> None:
    cluster, clock = ApplyingCluster(), StandingClock()
    registry = Registry(clock)
    clouds = a_clouds(cluster, clock, AnsweringCloud(ServerFailure("busy", status=500)))
    pollers = Pollers(registry, clouds, clock)
    recorder = EventRecorder(cluster)
    tools = Tools(registry=registry, pollers=pollers, clouds=clouds, cluster=cluster, clock=clock, recorder=recorder)
    account = an_account().limited(unlimited=True)
    registry.take_account({"metadata": dict(account.metadata), "spec": {**account.spec, "grants": GRANTS}})
    registry.take_node_pool(a_node_pool("renamed", "moved-to").standing_for("training-a").finalized().body())
    if is_known:
        registry.take_namespace(NAMESPACE)
    registry.take_node_pool({**OBJECT, "status": {}})
    deletion = Deletion(
        OBJECT["metadata"]["uid"], tools, Sender(tools, may_send=lambda: True), Ledger(tools, Accounts(tools))
    )
    task = asyncio.create_task(deletion.run())
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await pollers.stop()
    assert cluster.said.empty() is not is_known
