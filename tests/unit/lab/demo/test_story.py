from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lab.controlplane import AuditEvent
from lab.demo.objects import HEADER, Seen, count_words, row_of
from lab.demo.samples import DELETED, RESOURCE_POOL, YEARLY_RESOURCE_POOL
from lab.demo.story.closing import count_calls, count_writes
from lab.demo.story.deletion import find_proof
from lab.harness.failures import LabError
from lab.harness.simulator import LIST_NODE_POOLS, SHOW_NODE_POOL, Call

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC).timestamp()
LIST = Call(1, TIME, LIST_NODE_POOLS, RESOURCE_POOL, "", 200, "none", "valid", request_id="id-1")
GET = replace(LIST, number=3, operation=SHOW_NODE_POOL, node_pool=DELETED, status=404)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PATCH = AuditEvent("patch", "user", "", "", "modelartsnodepools", "status", "ml", "a", 200, NOW, NOW)


def test_the_proof_is_the_get_with_404_and_the_last_list_before_it() -> None:
    lists = [LIST, replace(LIST, number=2), replace(LIST, number=4)]
    elsewhere = replace(LIST, number=2, resource_pool=YEARLY_RESOURCE_POOL)
    assert find_proof([*lists[:2], elsewhere, GET, lists[2]], DELETED) == (lists[1], GET)


@pytest.mark.parametrize(
    "calls",
    [
        [],
        [LIST],
        [GET],
        [GET, replace(LIST, number=4)],
        [LIST, replace(GET, status=403)],
        [replace(LIST, status=500), GET],
    ],
    ids=["nothing", "no GET", "no LIST", "LIST too late", "GET refused", "LIST failed"],
)
def test_less_than_two_witnesses_is_no_proof(calls: list[Call]) -> None:
    with pytest.raises(LabError):
        find_proof(calls, DELETED)


def test_a_call_is_a_row_below_the_header() -> None:
    assert len(row_of(LIST)) == len(HEADER)
    assert row_of(LIST) == ("03:04:05.678", "list_node_pools", RESOURCE_POOL, "-", "200", "valid", "id-1")


def test_calls_are_counted_by_operation_and_answer() -> None:
    rows = count_calls([LIST, LIST, replace(LIST, status=500), GET])
    assert rows == [("list_node_pools", "3", "200 ×2, 500 ×1"), ("show_node_pool", "1", "404 ×1")]  # noqa: RUF001


def test_writes_are_counted_by_verb_and_subresource() -> None:
    rows = count_writes([PATCH, replace(PATCH, code=409), replace(PATCH, subresource="")])
    assert rows == [
        ("patch modelartsnodepools/status", "2", "200 ×1, 409 ×1"),  # noqa: RUF001
        ("patch modelartsnodepools", "1", "200 ×1"),  # noqa: RUF001
    ]


def test_an_object_without_status_is_told_in_words() -> None:
    seen = Seen.from_body({"metadata": {"name": "a"}})
    assert seen.words == "a: no counts yet, no Ready condition yet"
    assert seen.condition("Ready") == ("", "")


def test_an_object_is_told_in_words() -> None:
    seen = Seen.from_body(
        {
            "metadata": {"name": "a", "deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": ["f"]},
            "status": {
                "counts": {"creating": 0, "available": 2, "abnormal": 1, "deleting": 0},
                "conditions": [{"type": "Ready", "status": "True", "reason": "NodesAvailable"}],
            },
        }
    )
    assert seen.words == "a: 2 available, 1 abnormal, Ready=True NodesAvailable, being deleted"
    assert seen.finalizers == ("f",)


def test_no_nodes_is_said() -> None:
    assert count_words({"creating": 0, "available": 0, "abnormal": 0, "deleting": 0}) == "no nodes"
