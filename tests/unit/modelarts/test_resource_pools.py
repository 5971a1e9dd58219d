import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.errors import MalformedAnswer
from modelarts_nodepool.modelarts.parse import read_nodes, read_resource_pool, read_resource_pools
from modelarts_nodepool.ports import Billing, CloudNode, CloudResourcePool

MODE = "os.modelarts/billing.mode"
LOCK = "os.modelarts.node/lock.action"


def an_answer(body: object) -> bytes:
    return json.dumps(body).encode()


def a_pool(annotations: object = None, name: str = "pool-a", **parts: object) -> dict[str, object]:
    return {"kind": "Pool", "metadata": {"name": name, "annotations": annotations}} | parts


def nodes_of(*items: object, **metadata: object) -> tuple[list[CloudNode], str | None]:
    return read_nodes(an_answer({"kind": "NodeList", "items": list(items), "metadata": metadata}))


@pytest.mark.parametrize(
    ("mode", "frozen"),
    [
        (0, ""),
        (7, ""),
        (8, "arrears"),
        (9, "arrears"),
        ("8", "arrears"),
        (16, "by the police"),
        (24, "arrears, by the police"),
        (None, ""),
        (-8, ""),
        ("frozen", ""),
        ([8], ""),
    ],
)
def test_resource_pool_is_frozen_by_the_bits_of_its_control_mode(mode: object, frozen: str) -> None:
    assert read_resource_pool(an_answer(a_pool(spec={"controlMode": mode})), "pool-a").frozen == frozen
    assert read_resource_pool(an_answer(a_pool(spec="none")), "pool-a").frozen == ""


@pytest.mark.parametrize(
    ("annotations", "billing"),
    [
        ({MODE: "0"}, Billing.PAY_PER_USE),
        ({MODE: "1"}, Billing.YEARLY_MONTHLY),
        ({MODE: 1}, Billing.YEARLY_MONTHLY),
        ({MODE: " 0 "}, Billing.PAY_PER_USE),
        ({MODE: "2"}, Billing.UNKNOWN),
        ({MODE: ""}, Billing.UNKNOWN),
        ({MODE: True}, Billing.UNKNOWN),
        ({MODE: False}, Billing.UNKNOWN),
        ({MODE: None}, Billing.UNKNOWN),
        ({MODE: ["1"]}, Billing.UNKNOWN),
        ({}, Billing.UNKNOWN),
        (None, Billing.UNKNOWN),
        ([{MODE: "0"}], Billing.UNKNOWN),
        ("0", Billing.UNKNOWN),
    ],
)
def test_resource_pool_is_pay_per_use_only_where_it_says_so(annotations: object, billing: Billing) -> None:
    assert read_resource_pool(an_answer(a_pool(annotations)), "pool-a").billing is billing


def test_resource_pool_has_a_phase() -> None:
    shown = read_resource_pool(an_answer(a_pool({MODE: "0"}, status={"phase": "Running"})), "pool-a")
    assert shown == CloudResourcePool("pool-a", Billing.PAY_PER_USE, "Running")
    assert read_resource_pool(an_answer(a_pool(status={"phase": 3})), "pool-a").phase == "3"
    assert read_resource_pool(an_answer(a_pool(status={"phase": []})), "pool-a").phase == ""


@pytest.mark.parametrize("body", [a_pool() | {"kind": "NodePool"}, a_pool(name="pool-b"), {"kind": "Pool"}, [], None])
def test_show_pool_has_to_show_the_one_asked_for(body: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_resource_pool(an_answer(body), "pool-a")


def test_resource_pools_are_listed_by_name() -> None:
    body = {"kind": "PoolList", "items": [a_pool({MODE: "1"}), a_pool({MODE: "0"}, name="pool-b")]}
    found = read_resource_pools(an_answer(body))
    assert {name: pool.billing for name, pool in found.items()} == {
        "pool-a": Billing.YEARLY_MONTHLY,
        "pool-b": Billing.PAY_PER_USE,
    }
    assert read_resource_pools(an_answer({"kind": "PoolList", "items": None})) == {}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "PoolList"},
        {"kind": "NodePoolList", "items": []},
        {"kind": "PoolList", "items": [{}]},
        {"kind": "PoolList", "items": [a_pool(), a_pool()]},
        {"kind": "PoolList", "items": [], "metadata": {"continue": "x"}},
    ],
)
def test_doubtful_list_of_resource_pools_is_malformed(body: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_resource_pools(an_answer(body))


@pytest.mark.parametrize(
    ("annotations", "billing", "is_locked"),
    [
        (None, None, False),
        ({}, None, False),
        ({MODE: None, LOCK: None}, None, False),
        ({MODE: "0", LOCK: ""}, Billing.PAY_PER_USE, False),
        ({MODE: "1"}, Billing.YEARLY_MONTHLY, False),
        ({MODE: ""}, Billing.UNKNOWN, False),
        ({MODE: "x", LOCK: "delete"}, Billing.UNKNOWN, True),
        ({LOCK: 0}, None, True),
        ({LOCK: ["delete"]}, None, True),
    ],
)
def test_node_says_its_billing_and_its_lock(annotations: object, billing: Billing | None, is_locked: bool) -> None:  # noqa: FBT001
    nodes, token = nodes_of(
        {"metadata": {"name": "node-1", "annotations": annotations}, "status": {"phase": "Available"}}
    )
    assert nodes == [CloudNode("node-1", billing, is_locked, "Available")]
    assert token is None


@pytest.mark.parametrize("annotations", ["locked", [1], 7])
def test_node_whose_annotations_cannot_be_read_spoils_the_answer(annotations: object) -> None:
    with pytest.raises(MalformedAnswer, match="annotations of node"):
        nodes_of({"metadata": {"name": "node-1", "annotations": annotations}})


def test_node_without_a_name_spoils_the_answer() -> None:
    with pytest.raises(MalformedAnswer):
        nodes_of({"metadata": {}})


def test_page_has_a_token_while_there_are_more() -> None:
    assert nodes_of(**{"continue": "t", "remainingItemCount": 3})[1] == "t"
    assert nodes_of(**{"continue": "", "remainingItemCount": 0})[1] is None
    with pytest.raises(MalformedAnswer, match="items remain"):
        nodes_of(remainingItemCount=3)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "annotations", "labels", MODE, LOCK, "phase"]), inner, max_size=4
            )
        ),
        max_leaves=10,
    )
)
def test_no_json_makes_an_unknown_resource_pool_pay_per_use_or_breaks_the_reading(metadata: object) -> None:
    for read, kind in ((read_resource_pools, "PoolList"), (read_nodes, "NodeList")):
        try:
            read(an_answer({"kind": kind, "items": [{"metadata": metadata, "status": metadata}]}))
        except MalformedAnswer:
            continue
