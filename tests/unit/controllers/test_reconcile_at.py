"""What reconcile-at lifts stays lifted while a later row holds: one write, and no word comes back for an instant."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

import pytest
from typing_extensions import override

from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType
from modelarts_nodepool.api.node_pool import CloudErrorRecord, DeletionRecord, SendOutcome
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.errors import RefusedByModelArts, ServerFailure
from tests.support.builders import NOON, NodePoolBuilder, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import NodePoolCloud, a_clouds
from tests.support.controllers import Deleting, build_parts
from tests.support.limits import HANGING_SECONDS
from tests.unit.controllers.test_send import NOW, ApplyingCluster, Body

ERROR = CloudErrorRecord(message="in use", time=NOW - timedelta(minutes=1))
REFUSED = DeletionRecord(attempt=1, outcome=SendOutcome.REFUSED, last_error=ERROR)
BLOCKED = Condition(
    type=ConditionType.DELETION_BLOCKED,
    status=ConditionStatus.TRUE,
    reason=Reason.REFUSED_BY_MODELARTS,
    message="refused",
    observed_generation=2,
    last_transition_time=NOON,
)


class KeepingCluster(ApplyingCluster):
    """Applies each status to the object that it was given."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        applied = await super().json_patch(path, patch)
        metadata = {**self.body["metadata"], "resourceVersion": applied["metadata"]["resourceVersion"]}
        self.body = {**self.body, "metadata": metadata, "status": applied["status"]}
        return self.body


def held(builder: NodePoolBuilder) -> Body:
    return builder.finalized().pinned().being_deleted().recording(REFUSED).saying(BLOCKED).body()


@dataclass
class Begun:
    """A deletion under way; `wait` lets time pass, `end` ends it."""

    cluster: KeepingCluster
    cloud: NodePoolCloud
    clock: HandClock = field(default_factory=lambda: HandClock(NOW))

    async def __aenter__(self) -> Self:
        clock, cluster = self.clock, self.cluster
        parts = build_parts(cluster, clock, a_clouds(cluster, clock, self.cloud))
        cache, self.deletion = parts.cache, Deleting(parts)
        account = an_account()
        cache.upsert_account({"metadata": dict(account.metadata), "spec": dict(account.spec)})
        cache.upsert_node_pool(cluster.body)
        self.task = asyncio.create_task(self.deletion.run())
        self.requeue()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def requeue(self) -> None:
        self.deletion.requeue(self.cluster.body["metadata"]["uid"])

    async def says(self, word: str) -> None:
        async with asyncio.timeout(HANGING_SECONDS):
            assert await self.cluster.said.get() == word

    async def wait(self) -> None:
        for _ in range(3):
            self.clock.advance(timedelta(seconds=10))
            self.requeue()
            await asyncio.sleep(0.05)


async def test_one_value_of_reconcile_at_sends_one_delete_though_it_is_refused_again() -> None:
    cluster, cloud = (
        KeepingCluster(held(a_node_pool().asked_to_reconcile("now"))),
        NodePoolCloud(RefusedByModelArts("in use", status=400)),
    )
    async with Begun(cluster, cloud) as begun:
        await begun.says("attempt 2")
        await begun.says("RefusedByModelArts")
        await begun.wait()
    assert cloud.deletes == 1


@pytest.mark.parametrize(
    ("builder", "reason"),
    [
        (a_node_pool().paused(), "Paused"),
        (a_node_pool().with_finalizer("example.com/backup"), "OtherFinalizers"),
    ],
    ids=["paused", "other finalizers"],
)
async def test_a_refusal_that_reconcile_at_went_past_does_not_come_back_before_the_next_delete(
    builder: NodePoolBuilder, reason: str
) -> None:
    cluster = KeepingCluster(held(builder.asked_to_reconcile("now")))
    async with Begun(cluster, NodePoolCloud(ServerFailure("busy", status=500))) as begun:
        await begun.says(reason)
        await begun.wait()
    assert cluster.said.empty(), await cluster.said.get()
    assert cluster.body["status"]["lastHandledReconcileAt"] == "now"
