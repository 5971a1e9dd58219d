import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.api.node_pool import Counts, ZoneCount
from modelarts_nodepool.errors import MalformedAnswer
from modelarts_nodepool.modelarts.parse import KnownItems, read_node_pool, read_node_pools
from modelarts_nodepool.modelarts.wire import NodePoolBody, Wire
from modelarts_nodepool.ports import CloudNodePool

MISSING = object()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "name", "spec", "status", "resources", "available", "deleting", "count", "azs", "az", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def a_node_pool(**parts: object) -> dict[str, Any]:
    body: dict[str, object] = {"kind": "NodePool", "apiVersion": "v2", "metadata": {"name": "nodepool-1"}}
    return {key: value for key, value in (body | parts).items() if value is not MISSING}


def read(body: object) -> CloudNodePool:
    return read_node_pool(json.dumps(body).encode(), "nodepool-1")


def read_list(body: object) -> dict[str, CloudNodePool]:
    return read_node_pools(json.dumps(body).encode())


def a_list(items: object, **parts: object) -> dict[str, object]:
    return {"kind": "NodePoolList", "apiVersion": "v2", "items": items} | parts


# The example of the DeleteNodePool page.
PAGE = a_node_pool(
    spec={
        "resources": {
            "nodePool": "nodepool-1",
            "flavor": "modelarts.vm.2u4g.dcc",
            "count": 1,
            "maxCount": 1,
            "network": {"vpc": "277e9abc", "subnet": "03796378", "securityGroups": ["0a15b48d"]},
        }
    },
    status={
        "resources": {
            "available": {
                "nodePool": "nodepool-1",
                "flavor": "modelarts.vm.2u4g.dcc",
                "count": 1,
                "maxCount": 1,
                "azs": [{"az": "cn-north-7c", "count": 1}],
            }
        }
    },
)


def test_example_of_the_api_page_is_read() -> None:
    node_pool = read(PAGE)
    assert node_pool.name == "nodepool-1"
    assert node_pool.counts == Counts(available=1)
    assert node_pool.shape.flavor == "modelarts.vm.2u4g.dcc"
    assert (node_pool.shape.count, node_pool.shape.max_count) == (1, 1)
    assert node_pool.problem is None


def test_every_field_of_the_api_page_is_modelled() -> None:
    resource = {
        "flavor": "f", "count": 1, "maxCount": 2, "azs": [{"az": "a", "count": 1}], "nodePool": "n",
        "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}], "labels": {"l": "v"},
        "tags": [{"key": "k", "value": "v"}], "network": {"vpc": "v", "subnet": "s", "securityGroups": ["g"]},
        "extendParams": {"dockerBaseSize": "50"}, "creatingStep": {"step": 4, "type": "hyperinstance"},
        "os": {"name": "o", "imageId": "i", "imageType": "private"},
    }  # fmt: skip
    count = {"flavor": "f", "count": 1, "maxCount": 1, "azs": [{"az": "a", "count": 1}], "nodePool": "n"}
    states = dict.fromkeys(("creating", "available", "abnormal", "deleting"), count)
    body = NodePoolBody.model_validate(a_node_pool(spec={"resources": resource}, status={"resources": states}))

    def unknown(part: object) -> list[str]:
        if isinstance(part, tuple):
            return [name for item in part for name in unknown(item)]
        if not isinstance(part, Wire):
            return []
        own = list(part.model_extra or {})
        return own + [name for field in type(part).model_fields for name in unknown(getattr(part, field))]

    assert unknown(body) == []


def test_unknown_keys_are_kept() -> None:
    body = NodePoolBody.model_validate(a_node_pool(later={"a": 1}, status={"resources": {"checking": {"count": 3}}}))
    assert body.model_extra == {"later": {"a": 1}}


UNREAD = (
    "nodePool", "taints", "labels", "tags", "network", "extendParams", "creatingStep", "os", "rootVolume", "later",
)  # fmt: skip


@pytest.mark.parametrize("value", [None, "text", -1, [], [[]], {"a": {"b": [1]}}])
def test_what_decides_nothing_has_no_effect_whatever_it_is(value: object) -> None:
    resource = {"flavor": "f", "count": 1, "maxCount": 2, "azs": [{"az": "a", "count": 1}]}
    unread = dict.fromkeys(UNREAD, value)
    plain, other = (
        read(a_node_pool(spec={"resources": resource | more}, status={"resources": {"available": resource | more}}))
        for more in ({}, unread)
    )
    assert plain == other
    assert plain.problem is None
    assert read(a_node_pool(apiVersion=value, later=value, spec={"resources": resource})) == read(
        a_node_pool(spec={"resources": resource})
    )


def test_a_state_that_is_not_known_has_no_nodes() -> None:
    assert read(a_node_pool(status={"resources": {"checking": {"count": 3}}})).counts == Counts()


TWO = {"count": 2, "flavor": "f"}


@pytest.mark.parametrize(
    ("status", "available"),
    [
        (MISSING, 0),
        (None, 0),
        ({}, 0),
        ([], 0),
        ({"resources": None}, 0),
        ({"resources": {}}, 0),
        ({"resources": []}, 0),
        ({"resources": {"available": None}}, 0),
        ({"resources": {"available": {}}}, 0),
        ({"resources": {"available": []}}, 0),
        ({"resources": {"available": TWO}}, 2),
        ({"resources": {"available": [TWO]}}, 2),
        ({"resources": {"available": [TWO, {"count": "3"}, None]}}, 5),
        ({"resources": [{"available": TWO}]}, 2),
        ({"resources": [{"available": TWO}, {"available": [TWO]}]}, 4),
        ([{"resources": {"available": TWO}}], 2),
        ({"resources": {"available": {"count": "2"}}}, 2),
        ({"resources": {"available": {"count": 2.0}}}, 2),
        ({"resources": {"available": {"count": "2.0"}}}, 2),
        ({"resources": {"available": {"count": " 2 "}}}, 2),
    ],
)
def test_every_spelling_of_the_counts_gives_the_same_total(status: object, available: int) -> None:
    node_pool = read(a_node_pool(status=status))
    assert node_pool.counts == Counts(available=available)
    assert node_pool.problem is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"resources": {"available": {"count": -1}}}, "status.resources.available.count is -1"),
        ({"resources": {"deleting": {"count": "many"}}}, "status.resources.deleting.count is 'many'"),
        ({"resources": {"deleting": [TWO, {"count": 1.5}]}}, "status.resources.deleting.count is 1.5"),
        ({"resources": {"deleting": {"count": True}}}, "deleting.count is True"),
        ({"resources": {"deleting": {"count": [1]}}}, "deleting.count is [1]"),
        ({"resources": {"deleting": {"count": float("nan")}}}, "deleting.count is nan"),
        ({"resources": {"deleting": {"count": "1e3"}}}, "deleting.count is '1e3'"),
        ({"resources": {"deleting": {"count": "٣"}}}, "deleting.count is"),
        ({"resources": {"deleting": {"count": 2**31}}}, "too large"),
        ({"resources": {"deleting": [{"count": 2**30}, {"count": 2**30}]}}, "too large"),
        ({"resources": {"deleting": 3}}, "status.resources.deleting is 3, not an object"),
        ({"resources": "none"}, "status.resources is 'none'"),
        ("gone", "status is 'gone'"),
    ],
)
def test_unreadable_count_spoils_the_counts_of_its_node_pool_only(status: object, words: str) -> None:
    found = read_list(a_list([a_node_pool(status=status), {"metadata": {"name": "other"}}]))
    assert found["nodepool-1"].counts is None
    assert words in str(found["nodepool-1"].problem)
    assert found["other"].counts == Counts()


def test_unreadable_number_of_nodes_asked_for_is_a_problem_too() -> None:
    node_pool = read(a_node_pool(spec={"resources": {"count": "all"}}))
    assert node_pool.counts is None
    assert "spec.resources.count is 'all'" in str(node_pool.problem)


def test_what_is_only_shown_and_unreadable_is_left_out() -> None:
    resource = {"count": 2, "maxCount": -1, "flavor": ["f"], "azs": [{"az": "a", "count": "x"}, 7, {"count": 1}]}
    node_pool = read(a_node_pool(spec={"resources": resource}))
    assert node_pool.counts == Counts()
    assert (node_pool.shape.count, node_pool.shape.max_count, node_pool.shape.azs) == (2, 2, ())


def test_several_resources_are_joined_and_summed() -> None:
    resources = [
        {"flavor": "b", "count": 1, "maxCount": 2, "azs": [{"az": "y", "count": 1}]},
        {"flavor": "a", "count": "2", "azs": {"az": "x", "count": 1}},
        {"flavor": "a", "count": 1, "azs": [{"az": "x", "count": 1}, {"az": "y"}]},
    ]
    shape = read(a_node_pool(spec={"resources": resources})).shape
    assert shape.flavor == "a,b"
    assert (shape.count, shape.max_count) == (4, 5)
    assert shape.azs == (ZoneCount(az="x", count=2), ZoneCount(az="y", count=1))


def test_text_of_the_cloud_is_fit_for_a_status() -> None:
    shape = read(a_node_pool(spec={"resources": {"flavor": "f\x1b[31m\ud800" + "x" * 999}})).shape
    assert shape.flavor.isprintable()
    assert len(shape.flavor) <= 253


@pytest.mark.parametrize(
    "body",
    [
        None, [], "text", 3, {}, {"items": []}, {"kind": "NodePoolList"}, a_list([]) | {"kind": "PoolList"},
        a_list({}), a_list("x"), a_list([1]), a_list([None]), a_list([{}]), a_list([{"metadata": {}}]),
        a_list([{"metadata": {"name": ""}}]), a_list([{"metadata": {"name": ["a"]}}]), a_list([{"metadata": "x"}]),
        a_list([{"metadata": {"name": "a"}}, {"metadata": {"name": "a"}}]),
        a_list([], metadata={"continue": "token"}), a_list([], metadata={"remainingItemCount": 1}),
        a_list([], metadata={"remainingItemCount": "x"}),
        a_list([], metadata={"remainingItemCount": [1]}), a_list([], metadata="x"),
        a_list([], metadata={"continue": 1}),
    ],
)  # fmt: skip
def test_doubtful_list_is_malformed_as_a_whole(body: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_list(body)


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"kind": "NodePoolList", "items": [', b"\xff", b"null"])
def test_body_that_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read_node_pools(body)


@pytest.mark.parametrize(
    "body", [a_list(None), a_list([]), a_list(None, metadata=None), a_list([], metadata={"continue": ""})]
)
def test_empty_list_is_empty(body: object) -> None:
    assert read_list(body) == {}


@pytest.mark.parametrize(
    "body",
    [a_node_pool() | {"kind": "Pool"}, a_node_pool(metadata={"name": "nodepool-2"}), a_node_pool(metadata=None), {}],
)
def test_show_node_pool_has_to_show_the_one_asked_for(body: object) -> None:
    with pytest.raises(MalformedAnswer):
        read(body)


@given(JSON, JSON)
def test_no_part_of_a_node_pool_breaks_the_list(spec: object, status: object) -> None:
    found = read_list(a_list([a_node_pool(spec=spec, status=status), {"metadata": {"name": "other"}}]))
    assert found["other"].counts == Counts()
    counts = found["nodepool-1"].counts
    assert (counts is None) == (found["nodepool-1"].problem is not None)


@given(JSON)
def test_no_json_at_all_breaks_the_reading(document: object) -> None:
    for body in (document, a_list(document), a_list([document])):
        try:
            found = read_list(body)
        except MalformedAnswer:
            continue
        assert all(name for name in found)


@given(st.lists(st.integers(0, 1000), max_size=5), st.randoms())
def test_total_does_not_depend_on_how_it_is_spread(numbers: list[int], random: Random) -> None:
    spellings = [random.choice([number, float(number), str(number)]) for number in numbers]
    spread = [{"abnormal": [{"count": number}]} for number in spellings]
    listed = {"abnormal": [{"count": number} for number in spellings]}
    for resources in (spread, listed):
        assert read(a_node_pool(status={"resources": resources})).counts == Counts(abnormal=sum(numbers))


def test_items_that_did_not_change_are_not_read_again() -> None:
    def an_item(name: str, available: object) -> dict[str, object]:
        return {"metadata": {"name": name}, "status": {"resources": {"available": {"count": available}}}}

    known: KnownItems = {}

    def read_again(*items: object) -> dict[str, CloudNodePool]:
        body = json.dumps(a_list(list(items))).encode()
        assert read_node_pools(body, known) == read_list(a_list(list(items)))
        return read_node_pools(body, known)

    first = read_again(an_item("a", 1), an_item("b", 1))
    second = read_again(an_item("b", 1), an_item("a", 2))
    assert second["b"] is first["b"]
    assert second["a"].counts == Counts(available=2)
    # Equal in Python, and not the same number of nodes on the wire.
    assert read_again(an_item("a", True), an_item("b", 1))["a"].counts is None
    assert read_again(an_item("b", 1)).keys() == {"b"}
    assert len(known) == 1, "what is gone is not kept"
