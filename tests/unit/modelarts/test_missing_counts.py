"""A state or a spec without `count`: counted by its zones or maxCount, else unreadable, never zero by mistake."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.api.node_pool import Counts
from tests.unit.modelarts.test_node_pools import TWO, a_list, a_node_pool, read, read_list


@pytest.mark.parametrize(
    ("status", "available"),
    [
        ({"resources": {"available": {"maxCount": 2}}}, 2),
        ({"resources": {"available": {"maxCount": "2", "count": None}}}, 2),
        ({"resources": {"available": {"maxCount": 2, "azs": None}}}, 2),
        ({"resources": {"available": {"maxCount": 2, "azs": []}}}, 2),
        ({"resources": {"available": {"maxCount": 2, "azs": [{"az": "a"}]}}}, 2),
        ({"resources": {"available": {"maxCount": 0}}}, 0),
        ({"resources": {"available": {"azs": [{"az": "a", "count": 2}]}}}, 2),
        ({"resources": {"available": {"azs": {"az": "a", "count": 2}}}}, 2),
        ({"resources": {"available": {"azs": [{"az": "a", "count": "1"}, {"az": "b", "count": 1}]}}}, 2),
        ({"resources": {"available": {"azs": [{"count": 2}], "maxCount": 2}}}, 2),
        ({"resources": {"available": {"azs": [{"count": 2}], "maxCount": 5}}}, 2),
        ({"resources": {"available": {"azs": [{"count": 0}]}}}, 0),
        ({"resources": {"available": {"azs": [{"count": 0}], "maxCount": 0}}}, 0),
        ({"resources": {"available": [TWO, {"maxCount": 3}, {"azs": [{"count": 1}]}]}}, 6),
        # Beside a count they are only shown.
        ({"resources": {"available": {"count": 2, "maxCount": "x", "azs": [{"count": 7}]}}}, 2),
    ],
)
def test_a_state_without_a_count_is_counted_by_its_zones_or_max_count(status: object, available: int) -> None:
    node_pool = read(a_node_pool(status=status))
    assert node_pool.counts == Counts(available=available)
    assert node_pool.problem is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"resources": {"available": {"flavor": "f"}}}, "count is missing, and neither azs nor maxCount implies it"),
        ({"resources": {"available": {"count": None}}}, "available.count is missing, and neither azs"),
        ({"resources": {"available": {"azs": []}}}, "available.count is missing, and neither azs"),
        ({"resources": {"available": {"azs": [{"az": "a"}]}}}, "available.count is missing, and azs and maxCount do n"),
        ({"resources": {"available": {"azs": [{"az": "a"}, {"count": 1}]}}}, "azs and maxCount do not imply it"),
        ({"resources": {"available": {"azs": [{"count": 3}], "maxCount": 2}}}, "azs and maxCount do not imply it"),
        ({"resources": {"available": {"azs": [{"count": 0}], "maxCount": 2}}}, "azs and maxCount do not imply it"),
        ({"resources": {"available": {"azs": [{"count": -1}], "maxCount": 2}}}, "azs and maxCount do not imply it"),
        ({"resources": {"available": {"azs": [7], "maxCount": 2}}}, "azs and maxCount do not imply it"),
        ({"resources": {"available": {"azs": "x", "maxCount": 2}}}, "azs and maxCount do not imply it"),
        ({"resources": {"available": {"maxCount": -2}}}, "available.count is missing, and maxCount is -2"),
        ({"resources": {"abnormal": [TWO, {"flavor": "f"}]}}, "abnormal.count is missing"),
    ],
)
def test_a_state_that_says_no_number_or_two_is_unreadable(status: object, words: str) -> None:
    found = read_list(a_list([a_node_pool(status=status), {"metadata": {"name": "other"}}]))
    assert found["nodepool-1"].counts is None
    assert words in str(found["nodepool-1"].problem)
    assert found["other"].counts == Counts()


@pytest.mark.parametrize(
    ("resources", "count", "max_count"),
    [
        ({"flavor": "f", "maxCount": 3}, 3, 3),
        ({"flavor": "f", "azs": [{"az": "a", "count": 2}, {"az": "b", "count": 1}]}, 3, 3),
        ({"flavor": "f", "azs": [{"az": "a", "count": 2}], "maxCount": 5}, 2, 5),
        ([{"maxCount": 3}, {"count": 1}], 4, 4),
        ({}, 0, 0),
    ],
)
def test_nodes_asked_for_without_a_count_are_those_of_the_zones_or_max_count(
    resources: object, count: int, max_count: int
) -> None:
    node_pool = read(a_node_pool(spec={"resources": resources}))
    assert (node_pool.shape.count, node_pool.shape.max_count) == (count, max_count)
    assert node_pool.problem is None


@pytest.mark.parametrize("resources", [{"flavor": "f"}, {"count": None, "labels": {}}, [{"count": 1}, {"os": {}}]])
def test_nodes_asked_for_are_never_none_because_nothing_was_said(resources: object) -> None:
    node_pool = read(a_node_pool(spec={"resources": resources}))
    assert node_pool.counts is None
    assert "spec.resources.count is missing" in str(node_pool.problem)


NUMBERS = st.none() | st.integers(-1, 4) | st.sampled_from(["1", "x", 0.0, True])
ZONES = st.none() | st.lists(st.fixed_dictionaries({}, optional={"az": st.just("a"), "count": NUMBERS}), max_size=3)
PARTS = st.fixed_dictionaries(
    {}, optional={"flavor": st.just("f"), "count": NUMBERS, "maxCount": NUMBERS, "azs": ZONES, "nodePool": st.just("n")}
)


def says_zero(part: dict[str, Any]) -> bool:
    """Whether a zero is written anywhere in it."""
    numbers = [part.get("count"), part.get("maxCount"), *(zone.get("count") for zone in part.get("azs") or ())]
    return any(number == 0 and not isinstance(number, bool) for number in numbers)


@given(PARTS, st.sampled_from(["creating", "available", "abnormal", "deleting"]))
def test_what_the_cloud_shows_is_never_zero_nodes_unless_it_says_zero(part: dict[str, Any], state: str) -> None:
    for body in (a_node_pool(status={"resources": {state: part}}), a_node_pool(spec={"resources": part})):
        shown = read(body)
        number = shown.shape.count if "spec" in body else shown.counts and getattr(shown.counts, state)
        if part and shown.problem is None:
            assert number or says_zero(part)
        assert (shown.counts is None) == (shown.problem is not None)
