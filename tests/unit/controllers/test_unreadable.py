"""Objects that this version cannot read: told of, once, and never acted for."""

import asyncio
import copy

import pytest

from modelarts_nodepool.api.node_pool import DeletionRecord
from modelarts_nodepool.errors import ClusterUnavailable, ObjectChanged, ObjectGone
from tests.support.builders import NOON, a_node_pool, an_account
from tests.support.virtual_time import run_at_once
from tests.unit.controllers.unreadable_stage import DELETING, IDENTITY, PATH, Stage, a_strange, later


def test_a_living_one_is_told_once_and_a_deleted_one_once_more() -> None:
    async def main() -> None:
        stage = Stage(a_strange())
        await stage.works()
        assert stage.said() == [("Stalled", "InvalidObject"), ("Ready", "InvalidObject")]
        assert [path for path, _ in stage.cluster.patches] == [f"{PATH}/status"]
        assert [step["op"] for step in stage.cluster.patches[0][1]] == ["test", "test", "add", "add"]
        assert stage.told() == ["InvalidObject this"]

    run_at_once(main)


def test_news_of_the_same_object_is_no_reason_to_write_again() -> None:
    async def main() -> None:
        stage = Stage(a_strange())
        task = asyncio.create_task(stage.works(60))
        await asyncio.sleep(5)
        stage.cache.observe_node_pool(copy.deepcopy(stage.cluster.body))
        stage.manager.begin()
        await asyncio.sleep(5)
        assert len(stage.cluster.patches) == 1
        metadata = stage.cluster.body["metadata"]
        metadata |= {"deletionTimestamp": "2026-01-02T12:00:00Z", "generation": 2, "resourceVersion": "200"}
        stage.cache.observe_node_pool(copy.deepcopy(stage.cluster.body))
        await task
        assert stage.said() == [
            ("Reconciling", "DeletionBlocked"),
            ("Ready", "DeletionBlocked"),
            ("DeletionBlocked", "InvalidObject"),
        ]
        assert stage.cluster.body["status"]["observedGeneration"] == 2
        assert stage.told() == ["InvalidObject this", "DeletionBlocked InvalidObject:"]
        assert len(stage.cluster.patches) == 2

    run_at_once(main)


def test_an_edit_that_mends_nothing_is_observed_and_no_event() -> None:
    async def main() -> None:
        stage = Stage(a_strange())
        task = asyncio.create_task(stage.works(10))
        await asyncio.sleep(5)
        stage.cluster.body["metadata"] |= {"generation": 2, "resourceVersion": "200"}
        stage.cache.observe_node_pool(copy.deepcopy(stage.cluster.body))
        await task
        assert stage.cluster.body["status"]["observedGeneration"] == 2
        assert stage.told() == ["InvalidObject this"]

    run_at_once(main)


@pytest.mark.parametrize("has_status", [True, False])
def test_what_else_stands_in_a_status_is_left_as_it_is(*, has_status: bool) -> None:
    async def main() -> None:
        strange = {"counts": {"available": "many"}, "identity": {"later": "form"}, "deletion": ["a record"]}
        body = a_node_pool("training-a").finalized().body()
        stage = Stage({**body, "status": strange} if has_status else {**a_strange(), "status": None})
        await stage.works()
        assert stage.said()
        kept = {key: value for key, value in stage.cluster.body["status"].items() if key in strange}
        assert kept == (strange if has_status else {})

    run_at_once(main)


def test_one_that_is_being_deleted_without_our_finalizer_is_left_alone() -> None:
    async def main() -> None:
        stage = Stage(a_strange(a_node_pool().with_finalizer("other/one").being_deleted()))
        await stage.works(60)
        assert not stage.cluster.patches

    run_at_once(main)


@pytest.mark.parametrize(
    "refusals",
    [
        [ObjectChanged("changed")],
        [ClusterUnavailable("503")],
        [ObjectChanged("changed"), ClusterUnavailable("503")],
        [ValueError("nobody foresaw it")],
    ],
    ids=["changed", "unavailable", "changed and unavailable", "unforeseen"],
)
def test_a_write_that_was_refused_is_done_again(refusals: list[Exception]) -> None:
    async def main() -> None:
        stage = Stage(a_strange(DELETING))
        stage.cluster.refusals = list(refusals)
        await stage.works(60)
        assert ("DeletionBlocked", "InvalidObject") in stage.said()
        assert len(stage.cluster.patches) == 1

    run_at_once(main)


def test_one_that_is_gone_is_forgotten() -> None:
    async def main() -> None:
        stage = Stage(a_strange(DELETING))
        stage.cluster.refusals = [ObjectChanged("changed"), ObjectGone("gone")]
        await stage.works(60)
        assert not stage.cache.unreadable
        assert not stage.cluster.patches
        # A watch that lags does not bring it back.
        stage.cache.observe_node_pool(a_strange(DELETING))
        assert not stage.cache.unreadable

    run_at_once(main)


def test_the_delete_of_an_object_that_cannot_be_read_any_more_may_be_in_effect_until_it_is_gone() -> None:
    async def main() -> None:
        sent = DeletionRecord(attempt=1, sent_time=NOON)
        body = DELETING.pinned().recording(sent).body()
        stage = Stage(body)
        uid = body["metadata"]["uid"]
        stage.cache.upsert_account(an_account().body())
        working = asyncio.create_task(stage.works(60))
        await asyncio.sleep(1)
        stage.cache.observe_node_pool(body)
        await asyncio.sleep(1)
        assert stage.parts.deletions.is_in_progress(uid)
        stage.cluster.body = later(a_strange(DELETING.pinned().recording(sent)), "200")
        stage.cache.observe_node_pool(stage.cluster.body)
        await asyncio.sleep(1)
        assert not stage.parts.deletions.is_in_progress(uid)
        assert stage.parts.in_flight.leaving("another", IDENTITY) == {"training-a"}
        assert ("DeletionBlocked", "InvalidObject") in stage.said()
        stage.cache.drop_node_pool(uid)
        await asyncio.sleep(0.1)
        assert not stage.parts.in_flight.leaving("another", IDENTITY)
        await working

    run_at_once(main)
