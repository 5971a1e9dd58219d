"""Whatever comes back: nothing but a CloudError is raised, and nothing doubtful reads as an empty list."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelarts_nodepool.errors import CloudError, MalformedAnswer, NotFound
from modelarts_nodepool.modelarts import parse
from modelarts_nodepool.modelarts.faults import to_error
from modelarts_nodepool.modelarts.transport import Call, Operation, Response, read_error
from modelarts_nodepool.modelarts.workloads import WorkloadPages
from tests.support.bodies import BODIES

T = TypeVar("T")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SHOW = Call(Operation.SHOW_NODE_POOL, "0" * 32, "pool-a", "training-a")


def read_workloads(body: bytes) -> object:
    pages = WorkloadPages()
    pages.add(body)
    return pages.join()


READERS: dict[str, Callable[[bytes], object]] = {
    "show_node_pool": partial(parse.read_node_pool, name="training-a"),
    "list_node_pool_nodes": parse.read_nodes,
    "list_workloads": read_workloads,
    "show_pool": partial(parse.read_resource_pool, name="pool-a"),
    "list_pools": parse.read_resource_pools,
}
HEADERS = st.dictionaries(
    st.sampled_from(["date", "retry-after", "x-request-id", "content-type"]),
    st.text(st.characters(max_codepoint=255), max_size=40) | st.datetimes().map(str),
)


def outcome_of(read: Callable[[bytes], T], body: bytes) -> T | MalformedAnswer:
    try:
        return read(body)
    except MalformedAnswer as error:
        return error


def pairs_of(body: bytes) -> list[tuple[str, object]]:
    """The pairs of the outermost object, as often as they are written."""
    objects: list[list[tuple[str, object]]] = []

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        objects.append(pairs)
        return dict(pairs)

    json.loads(body, object_pairs_hook=note)
    return objects[-1]


@settings(max_examples=250, deadline=None)
@given(BODIES)
@example(b'{"kind": "NodePoolList", "items": [{"metadata": {"name": "training-a"}}], "items": []}')
def test_list_is_empty_only_where_it_says_so_once(body: bytes) -> None:
    found = outcome_of(parse.read_node_pools, body)
    if isinstance(found, MalformedAnswer):
        assert found.message.isprintable()
        return
    pairs = pairs_of(body)
    assert [value for key, value in pairs if key == "kind"] == ["NodePoolList"]
    (items,) = [value for key, value in pairs if key == "items"]
    assert items is None or isinstance(items, list)
    assert len(found) == len(items or [])
    assert all(pool.counts is not None or pool.problem for pool in found.values())


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@settings(max_examples=80, deadline=None)
@given(body=BODIES)
def test_anything_else_is_read_or_malformed(read: Callable[[bytes], object], body: bytes) -> None:
    found = outcome_of(read, body)
    if isinstance(found, MalformedAnswer):
        assert found.message.isprintable()
        # modelarts/client.py adds the call and what to do: a message has less than 1,000 characters.
        assert len(found.message) < 600


@settings(max_examples=200, deadline=None)
@given(st.integers(100, 599).filter(lambda status: status != 200), HEADERS, BODIES)
@example(401, {"date": "Fri, 31 Dec 9999 23:59:59 -1200"}, b"")
def test_any_refusal_is_a_cloud_error(status: int, headers: dict[str, str], body: bytes) -> None:
    error = to_error(SHOW, Response(status, headers, body), NOW)
    assert isinstance(error, CloudError)
    assert error.message.isprintable()
    assert len(error.message) <= 1000
    if isinstance(error, NotFound):
        assert status in {400, 404}
        assert str(read_error(body).code).startswith("ModelArts.")


@settings(max_examples=250, deadline=None)
@given(BODIES)
@example(b'{"kind": "WorkloadList", "items": [{"uid": "u", "status": "Running"}], "items": []}')
def test_list_of_jobs_is_empty_only_where_it_says_so_once(body: bytes) -> None:
    found = outcome_of(read_workloads, body)
    if found == ():
        pairs = pairs_of(body)
        assert [value for key, value in pairs if key == "kind"] == ["WorkloadList"]
        assert [value for key, value in pairs if key == "items"] in ([[]], [None])


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"status":', "}")], ids=["lists", "objects"])
def test_depth_that_just_can_be_parsed_is_read_or_malformed(opening: str, closing: str) -> None:
    for depth in range(300, 1100, 7):
        nested = opening * depth + "1" + closing * depth
        body = f'{{"kind": "NodePoolList", "items": [{{"metadata": {{"name": "a"}}, "status": {nested}}}]}}'
        found = outcome_of(parse.read_node_pools, body.encode())
        assert isinstance(found, MalformedAnswer) or set(found) == {"a"}
