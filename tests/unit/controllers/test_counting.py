"""Passes, releases and calls are counted by how they ended."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool import metrics
from modelarts_nodepool.api.node_pool import DeletionRecord
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.controllers.deletion.release import count_release
from modelarts_nodepool.controllers.workqueue import Outcome
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.errors import ClusterUnavailable, ObjectChanged, ObjectGone
from tests.support.builders import NOON, a_node_pool
from tests.support.clocks import HandClock
from tests.support.clouds import SecretKeeper, a_clouds
from tests.support.controllers import build_parts
from tests.support.virtual_time import VirtualClock, run_at_once


def value(sample: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"modelarts_nodepool_{sample}", labels) or 0.0


def results() -> dict[str, float]:
    return {result.value: value("reconciles_total", result=result.value) for result in Outcome}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, Outcome.DONE),
        (ObjectChanged("409"), Outcome.CONFLICT),
        (ObjectGone("404"), Outcome.CONFLICT),
        (ClusterUnavailable("no answer"), Outcome.UNAVAILABLE),
        (KeyError("nobody foresaw it"), Outcome.FAILED),
        (asyncio.CancelledError(), None),
    ],
    ids=lambda value: str(value) if isinstance(value, Outcome) else type(value).__name__,
)
def test_a_reconcile_of_an_object_is_counted_once_by_how_it_ended(
    error: BaseException | None, outcome: Outcome | None
) -> None:
    async def main() -> None:
        cluster = FailingCluster(error)
        parts = build_parts(cluster, clock := VirtualClock(), a_clouds(cluster, clock))
        parts.cache.upsert_node_pool(a_node_pool().body())
        before, timed = results(), value("reconcile_duration_seconds_count")
        task = asyncio.create_task(parts.manager.run())
        parts.manager.begin()
        await cluster.is_asked.wait()
        if outcome is None:
            task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        news = {name: count - before[name] for name, count in results().items() if count != before[name]}
        assert news == ({outcome.value: 1} if outcome else {})
        assert value("reconcile_duration_seconds_count") - timed == len(news)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_at_once(main)


class FailingCluster(SecretKeeper):
    """Answers each patch with the error, and nothing where there is none, or for ever where it is a cancellation."""

    def __init__(self, error: BaseException | None) -> None:
        self.error, self.is_asked = error, asyncio.Event()

    @override
    async def json_patch(self, path: str, patch: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        self.is_asked.set()
        if isinstance(self.error, asyncio.CancelledError):
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return a_node_pool().finalized().body() if not path.endswith("/status") else a_mirrored(patch)

    @override
    async def get(self, path: str) -> Mapping[str, Any]:
        return a_node_pool().body()


def a_mirrored(patch: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    body = a_node_pool().finalized().body()
    return {**body, "metadata": {**body["metadata"], "resourceVersion": "900"}, "status": patch[-1]["value"]}


@pytest.mark.parametrize(("sent", "is_timed"), [(NOON, 1), (None, 0)], ids=["sent", "nothing sent"])
def test_a_release_is_timed_where_a_delete_was_sent(sent: datetime | None, is_timed: int) -> None:
    node_pool = a_node_pool().finalized().being_deleted(NOON).build()
    record = DeletionRecord(sent_time=sent)
    observed = DeletionObserved(node_pool=node_pool, account=None, deletion_seen=0.0, record=record)
    release = Release(Reason.ORPHANED, "gone", is_orphan=True)
    count, total = value("deletion_duration_seconds_count"), value("deletion_duration_seconds_sum")
    orphans, outcome = value("orphans_total"), value("deletions_total", outcome="Orphaned")
    count_release(observed, release, HandClock(NOON + timedelta(seconds=90)))
    assert value("deletion_duration_seconds_count") - count == is_timed
    assert value("deletion_duration_seconds_sum") - total == 90 * is_timed
    assert value("orphans_total") - orphans == 1
    assert value("deletions_total", outcome="Orphaned") - outcome == 1
