"""What a Lease says about the operator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelarts_nodepool.commands.doctor.check import Result
from modelarts_nodepool.commands.doctor.cluster import judge_lease

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def lease(holder: str | None, age: timedelta | None) -> dict[str, Any]:
    renewed = None if age is None else (NOW - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15}}


@pytest.mark.parametrize(
    ("holder", "age", "result", "words"),
    [
        ("pod-a", timedelta(seconds=3), Result.OK, "held by pod-a, renewed 3 s ago"),
        ("pod-a", timedelta(seconds=40), Result.OK, "renewed 40 s ago"),
        ("pod-a", timedelta(seconds=-20), Result.OK, "20 s in the future, by this machine's clock"),
        ("pod-a", timedelta(seconds=46), Result.FAILED, "the operator is down"),
        ("pod-a", timedelta(minutes=9), Result.FAILED, "last renewed 9 min ago"),
        ("pod-a", timedelta(hours=30), Result.FAILED, "last renewed 30 h ago"),
        (
            "",
            timedelta(minutes=3),
            Result.FAILED,
            "it has no holder: the last operator stopped or could not continue, 3 min ago",
        ),
        (None, timedelta(minutes=3), Result.FAILED, "it has no holder"),
        ("pod-a", None, Result.FAILED, "was never renewed"),
    ],
)
def test_a_lease_is_judged_by_its_holder_and_its_age(
    holder: str | None, age: timedelta | None, result: Result, words: str
) -> None:
    finding = judge_lease(lease(holder, age), "op", NOW)
    assert finding.result is result
    assert words in finding.words
    assert (finding.remedy == "") == (result is Result.OK)
