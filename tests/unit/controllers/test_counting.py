"""Passes, releases and calls are counted by how they ended."""

import asyncio
from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest

from modelarts_nodepool import metrics
from modelarts_nodepool.api.node_pool import DeletionRecord
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.controllers.counting import Result, count_release, counted
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.errors import ClusterUnavailable, ObjectChanged, ObjectGone
from tests.support.builders import NOON, a_node_pool


def value(sample: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"modelarts_nodepool_{sample}", labels) or 0.0


def results() -> dict[str, float]:
    return {result.value: value("reconciles_total", result=result.value) for result in Result}


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, Result.DONE),
        (ObjectChanged("409"), Result.CONFLICT),
        (ObjectGone("404"), Result.CONFLICT),
        (ClusterUnavailable("no answer"), Result.UNAVAILABLE),
        (KeyError("nobody foresaw it"), Result.FAILED),
        (asyncio.CancelledError(), None),
    ],
    ids=lambda value: str(value) if isinstance(value, Result) else type(value).__name__,
)
def test_a_pass_is_counted_once_by_how_it_ended_and_its_error_goes_on(
    error: BaseException | None, result: Result | None
) -> None:
    before, timed = results(), value("reconcile_duration_seconds_count")
    with nullcontext() if error is None else pytest.raises(type(error)), counted():
        if error is not None:
            raise error
    news = {name: count - before[name] for name, count in results().items() if count != before[name]}
    assert news == ({result.value: 1} if result else {})
    assert value("reconcile_duration_seconds_count") - timed == len(news)


@pytest.mark.parametrize(("sent", "is_timed"), [(NOON, 1), (None, 0)], ids=["sent", "nothing sent"])
def test_a_release_is_timed_where_a_delete_was_sent(sent: datetime | None, is_timed: int) -> None:
    node_pool = a_node_pool().finalized().being_deleted(NOON).build()
    record = DeletionRecord(sent_time=sent)
    observed = DeletionObserved(node_pool=node_pool, account=None, deletion_seen=0.0, record=record)
    release = Release(Reason.ORPHANED, "gone", is_orphan=True)
    count, total = value("deletion_duration_seconds_count"), value("deletion_duration_seconds_sum")
    orphans, outcome = value("orphans_total"), value("deletions_total", outcome="Orphaned")
    count_release(observed, release, NOON + timedelta(seconds=90))
    assert value("deletion_duration_seconds_count") - count == is_timed
    assert value("deletion_duration_seconds_sum") - total == 90 * is_timed
    assert value("orphans_total") - orphans == 1
    assert value("deletions_total", outcome="Orphaned") - outcome == 1
