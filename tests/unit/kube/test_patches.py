"""The patches test what they were decided on and touch nothing but what is ours."""

from typing import Any

import pytest

from modelarts_nodepool.api.account import AccountStatus
from modelarts_nodepool.api.node_pool import Counts, NodePoolStatus
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.kube.client import build_finalizer_added, build_finalizer_removed, build_status

OURS = "modelarts.huaweicloud.com/node-pool"
IN_USE = "modelarts.huaweicloud.com/in-use"
TESTS = [
    {"op": "test", "path": "/metadata/uid", "value": "u-1"},
    {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
]


def metadata(*finalizers: str) -> dict[str, Any]:
    return {
        "uid": "u-1",
        "name": "training-a",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "finalizers": list(finalizers),
    }


def a_node_pool(*finalizers: str) -> NodePool:
    body = {"metadata": metadata(*finalizers) | {"namespace": "ml"}, "spec": {"poolName": "pool-a"}}
    return NodePool.from_body(body)


def an_account(*finalizers: str) -> Account:
    spec = {
        "region": "cn-north-4",
        "projectId": "p1",
        "credentials": {"source": "Secret", "secretName": "keys"},
        "grants": [],
    }
    return Account.from_body({"metadata": metadata(*finalizers), "spec": spec})


def test_the_first_finalizer_makes_the_list() -> None:
    added = {"op": "add", "path": "/metadata/finalizers", "value": [OURS]}
    assert build_finalizer_added(a_node_pool()) == [*TESTS, added]


def test_our_finalizer_goes_behind_those_of_others() -> None:
    added = {"op": "add", "path": "/metadata/finalizers/-", "value": OURS}
    assert build_finalizer_added(a_node_pool("others.example/x")) == [*TESTS, added]


def test_an_account_gets_the_finalizer_of_accounts() -> None:
    assert build_finalizer_added(an_account())[-1]["value"] == [IN_USE]
    assert build_finalizer_removed(an_account(IN_USE))[-2]["value"] == IN_USE


@pytest.mark.parametrize("place", [0, 1, 2])
def test_only_our_finalizer_is_removed_wherever_it_stands(place: int) -> None:
    finalizers = ["a.example/x", "b.example/y"]
    finalizers.insert(place, OURS)
    assert build_finalizer_removed(a_node_pool(*finalizers)) == [
        *TESTS,
        {"op": "test", "path": f"/metadata/finalizers/{place}", "value": OURS},
        {"op": "remove", "path": f"/metadata/finalizers/{place}"},
    ]


def test_a_finalizer_is_neither_added_twice_nor_removed_unseen() -> None:
    with pytest.raises(ValueError, match="already"):
        build_finalizer_added(a_node_pool(OURS))
    with pytest.raises(ValueError, match="no finalizer"):
        build_finalizer_removed(a_node_pool("others.example/x"))


def test_a_status_replaces_the_whole_status_in_the_words_of_the_api() -> None:
    status = NodePoolStatus(observed_generation=3, counts=Counts(available=2))
    *tests, written = build_status(a_node_pool(OURS), status)
    assert tests == TESTS
    assert written["path"] == "/status"
    assert written["value"]["observedGeneration"] == 3
    assert written["value"]["counts"] == {"creating": 0, "available": 2, "abnormal": 0, "deleting": 0}
    assert "identity" not in written["value"]


def test_an_account_status_is_written_the_same_way() -> None:
    *tests, written = build_status(an_account(IN_USE), AccountStatus(observed_generation=1))
    assert tests == TESTS
    assert written["value"]["observedGeneration"] == 1
