"""What is gathered for a decision: runs of LISTs, records of others, what left lately, what is not known yet."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.api.meta import to_timestamp
from modelarts_nodepool.api.node_pool import DeletionRecord, SendOutcome
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.controllers.deletion.gather import SENT_REMEMBERED, Memory
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence
from modelarts_nodepool.errors import ResourcePoolNotFound, ServerFailure
from modelarts_nodepool.ports import NodePoolListing
from tests.support.builders import NOON, NodePoolBuilder, a_cloud_node_pool, a_listing, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import NodePoolCloud, a_clouds
from tests.support.controllers import build_parts
from tests.support.unreadable import an_unreadable_body
from tests.unit.controllers.test_send import NOW, ApplyingCluster

DELETED = a_node_pool().finalized().pinned().being_deleted()
UNKNOWN = DeletionRecord(attempt=1, sent_time=NOW - timedelta(minutes=3), outcome=SendOutcome.UNKNOWN)
SHOWN = a_listing(a_cloud_node_pool(available=1))
NOT_SHOWN = a_listing(a_cloud_node_pool("other", available=1))
LOST = ResourcePoolNotFound("no such resource pool")


class SilentCloud(NodePoolCloud):
    """Never answers: what the poller saw last is what a test says."""

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        await asyncio.Event().wait()
        return await super().list_node_pools(resource_pool)


class Desk:
    """The memory of one deletion."""

    def __init__(self) -> None:
        self.clock, cluster = HandClock(NOW), ApplyingCluster()
        parts = build_parts(cluster, self.clock, a_clouds(cluster, self.clock, SilentCloud()))
        self.cache, self.pollers, self.gather = parts.cache, parts.pollers, parts.gather
        self.has_account()

    def has_account(self, status: Mapping[str, Any] | None = None, **spec: object) -> None:
        account = an_account()
        metadata = {**account.metadata, "resourceVersion": "900" if status or spec else "100"}
        body = {"metadata": metadata, "spec": {**account.spec, **spec}, "status": status or {}}
        self.cache.upsert_account(body)

    def takes(self, builder: NodePoolBuilder) -> Memory:
        self.builder = builder
        self.cache.upsert_node_pool(builder.body())
        return Memory()

    def gathers(self, memory: Memory, node_pool: NodePool) -> DeletionObserved:
        return self.gather.observe(memory, node_pool)

    def observes(self, memory: Memory, look: NodePoolListing | Exception | None = None) -> DeletionObserved:
        """With this as the newest look, a second after the last one."""
        self.clock.advance(timedelta(seconds=1))
        node_pool = self.builder.build()
        account = self.cache.accounts["default"]
        poller = self.pollers.acquire(node_pool.metadata.uid, account, node_pool.spec.pool_name, is_deleting=True)
        begun = self.clock.monotonic()
        if isinstance(look, NodePoolListing):
            poller.latest = Evidence(begun, value=look)
        elif isinstance(look, ResourcePoolNotFound | ServerFailure):
            poller.latest = Evidence(begun, failure=look)
        return self.gathers(memory, node_pool)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.pollers.stop()


async def test_the_first_of_an_unbroken_run_of_looks_that_say_the_same_is_kept(desk: Desk) -> None:
    memory = desk.takes(DELETED)
    begins = []
    for look in (
        NOT_SHOWN,
        ServerFailure("busy"),
        NOT_SHOWN,
        LOST,
        ServerFailure("busy"),
        LOST,
        NOT_SHOWN,
        SHOWN,
        LOST,
    ):
        observed = desk.observes(memory, look)
        begins.append(None if observed.earlier_listing is None else observed.earlier_listing.begun - 1000)
    assert begins == [1, 1, 1, 4, 4, 4, 7, None, 9]


async def test_a_delete_of_another_process_is_timed_from_when_it_was_found(desk: Desk) -> None:
    memory = desk.takes(DELETED.recording(UNKNOWN))
    assert desk.observes(memory).sent_seen == 1001
    assert desk.observes(memory).sent_seen == 1001
    later = UNKNOWN.model_copy(update={"sent_time": NOW - timedelta(minutes=1)})
    desk.builder = DELETED.recording(later)
    assert desk.observes(memory).sent_seen == 1003
    # The one before stands again, as after an answer that proves no effect: it was found long ago.
    desk.builder = DELETED.recording(UNKNOWN)
    assert desk.observes(memory).sent_seen == 1001
    assert desk.observes(desk.takes(DELETED)).sent_seen is None


async def test_a_sent_time_in_the_future_counts_from_when_it_was_found(desk: Desk) -> None:
    future = UNKNOWN.model_copy(update={"sent_time": NOW + timedelta(hours=1)})
    memory = desk.takes(DELETED.recording(future))
    for _ in range(2):
        observed = desk.observes(memory)
        assert observed.sent_seen == 1001
        assert observed.record.sent_time == NOW + timedelta(seconds=1)


async def test_a_record_out_of_a_backup_is_not_believed(desk: Desk) -> None:
    memory = desk.takes(DELETED.created(NOW).recording(UNKNOWN.model_copy(update={"sent_time": NOON})))
    assert desk.observes(memory).record.attempt == 1
    old = UNKNOWN.model_copy(update={"sent_time": NOW - timedelta(hours=2)})
    memory = desk.takes(DELETED.created(NOW).recording(old))
    assert desk.observes(memory).record == DeletionRecord()


async def test_what_left_the_resource_pool_lately_does_not_remain(desk: Desk) -> None:
    entry = {"uid": "gone", "namespace": "ml", "name": "gone", "poolName": "pool-a", "nodePoolName": "gone"}
    times = {"sentTime": to_timestamp(NOON), "finishedTime": to_timestamp(NOW)}
    desk.has_account({"recentDeletions": [{**entry, **times, "outcome": "Gone"}]})
    memory = desk.takes(DELETED)
    assert desk.observes(memory).leaving == {"gone"}
    desk.clock.advance(timedelta(minutes=3))
    assert desk.observes(memory).leaving == frozenset()


async def test_a_twin_in_an_unknown_namespace_is_told(desk: Desk) -> None:
    desk.has_account(grants=[{"namespaces": ["ml"], "resourcePools": ["*"]}])
    memory = desk.takes(DELETED)
    assert desk.observes(memory).unplaced_duplicate is None
    desk.cache.upsert_node_pool(a_node_pool("renamed", "moved-to").standing_for("training-a").body())
    unplaced = desk.observes(memory).unplaced_duplicate
    assert unplaced is not None
    assert unplaced.metadata.name == "renamed"


async def test_of_a_deletion_that_is_sent_again_for_years_the_newest_sent_times_are_remembered(desk: Desk) -> None:
    memory = desk.takes(DELETED)
    for hour in range(SENT_REMEMBERED * 3):
        record = DeletionRecord(attempt=hour + 1, sent_time=NOON + timedelta(hours=hour), outcome=SendOutcome.UNKNOWN)
        observed = desk.gathers(memory, DELETED.recording(record).build())
        assert observed.sent_seen is not None
    assert len(memory.sent_seen) == SENT_REMEMBERED


async def test_another_object_that_cannot_be_read_is_told(desk: Desk) -> None:
    memory = desk.takes(DELETED)
    assert desk.observes(memory).unreadable_duplicate is None
    desk.cache.upsert_node_pool(
        an_unreadable_body(a_node_pool("renamed").standing_for("training-a"), deletionPolicy="X")
    )
    unreadable = desk.observes(memory).unreadable_duplicate
    assert unreadable is not None
    assert unreadable.metadata.name == "renamed"


async def test_to_observe_again_changes_nothing(desk: Desk) -> None:
    memory = desk.takes(DELETED.recording(UNKNOWN))
    first = desk.observes(memory, NOT_SHOWN)
    before = deepcopy(memory)
    assert desk.gather.observe(memory, desk.builder.build()) == first
    assert memory == before
