"""A name that could change a URL never passes, in the operator and in the schema alike; every other one does."""

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from lab.simulator.routes import find_route
from modelarts_nodepool.api.account import Grant
from modelarts_nodepool.api.names import (
    NODE_POOL_NAME_PATTERN,
    RESOURCE_POOL_NAME_PATTERN,
    is_valid_node_pool_name,
    is_valid_resource_pool_name,
)
from modelarts_nodepool.api.node_pool import NodePoolSpec
from modelarts_nodepool.errors import InvalidName
from modelarts_nodepool.modelarts.transport import Call, Operation, canonical_path

DANGEROUS = [
    "",
    ".",
    "..",
    "...",
    "a/b",
    "a\\b",
    "../pools",
    "%2e",
    "%2e%2e",
    "a%2fb",
    "a?b",
    "a#b",
    "a;b",
    "a:b",
    "a@b",
    "a~b",
    "a b",
    "a\n",
    "\na",
    "a\r",
    "a\t",
    "a\x00",
    "-a",
    "a-",
    ".a",
    "a.",
    "_a",
    "a_",
    "é",
    "ａ",  # noqa: RUF001 - a full-width letter is the point
    "\u0661",  # a digit, and no ASCII one
    "a" * 129,
]
# Those of the API's pages and of its users: its own example, the name of a node pool that was given none.
GIVEN = [
    "a",
    "A",
    "1",
    "a1",
    "1a",
    "nodePool-1",
    "pool-3f2c",
    "a--b",
    "a..b",
    "a_b",
    "nodepool-1-default",
    "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default",
    "a" * 63,
]

# Close to the pattern on purpose: `$` lets a trailing line feed pass in Python's re, and hypothesis knows it.
nearly_names = st.one_of(
    st.from_regex(NODE_POOL_NAME_PATTERN),
    st.from_regex(RESOURCE_POOL_NAME_PATTERN),
    st.text(alphabet="aA1-._/%?#\\\n ", max_size=130),
    st.text(max_size=130),
)


@pytest.mark.parametrize("name", DANGEROUS, ids=repr)
def test_a_name_that_would_change_a_url_is_refused(name: str) -> None:
    assert not is_valid_node_pool_name(name)
    assert not is_valid_resource_pool_name(name)


@pytest.mark.parametrize("name", GIVEN)
def test_names_that_modelarts_gives_are_accepted(name: str) -> None:
    assert is_valid_node_pool_name(name)
    assert is_valid_resource_pool_name(name)


def test_a_node_pools_name_may_be_longer_than_a_resource_pools() -> None:
    assert is_valid_node_pool_name("a" * 128)
    assert not is_valid_resource_pool_name("a" * 64)


@given(nearly_names)
@example("a\n")
@example("..")
@example("nodePool-1")
@example("modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default")
def test_a_name_is_refused_by_schema_and_client_or_arrives_as_one_segment(name: str) -> None:
    is_accepted = is_valid_node_pool_name(name)
    assert passes(lambda: NodePoolSpec.model_validate({"poolName": "p", "nodePoolName": name})) == is_accepted
    assert passes(lambda: Call(Operation.DELETE_NODE_POOL, "P", "p", name)) == is_accepted
    if is_accepted:
        arrives(Call(Operation.DELETE_NODE_POOL, "P", "p", name), "p", name)


@given(nearly_names)
@example("a\n")
@example("..")
def test_a_resource_pools_name_likewise_wherever_it_is_written(name: str) -> None:
    is_accepted = is_valid_resource_pool_name(name)
    assert passes(lambda: NodePoolSpec.model_validate({"poolName": name})) == is_accepted
    assert passes(lambda: Grant.model_validate({"namespaces": ["ml"], "resourcePools": [name]})) == (
        is_accepted or name == "*"
    )
    for operation in (Operation.SHOW_POOL, Operation.LIST_NODE_POOLS, Operation.DELETE_NODE_POOL):
        assert passes(partial(Call, operation, "P", name, "n")) == is_accepted
    if is_accepted:
        arrives(Call(Operation.DELETE_NODE_POOL, "P", name, "n"), name, "n")


def passes(build: Callable[[], object]) -> bool:
    try:
        build()
    except (ValidationError, InvalidName):
        return False
    return True


def arrives(call: Call, resource_pool: str, node_pool: str) -> None:
    """What is signed is what is sent, and what a server decodes out of it is what was asked for."""
    assert quote(node_pool, safe="") == node_pool
    assert urlsplit(f"https://cloud.example{call.path}").path == call.path
    assert httpx.URL(f"https://cloud.example{call.path}").raw_path == call.path.encode()
    assert canonical_path(call.path) == f"{call.path}/"
    route = find_route(call.method, call.path)
    assert route is not None
    assert (route.operation, route.resource_pool, route.node_pool) == ("delete_node_pool", resource_pool, node_pool)


@pytest.mark.parametrize("pattern", [NODE_POOL_NAME_PATTERN, RESOURCE_POOL_NAME_PATTERN])
def test_the_patterns_hold_from_the_first_to_the_last_character(pattern: str) -> None:
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    assert "|" not in re.sub(r"\(.*?\)", "", pattern)


@given(st.from_regex(re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII), fullmatch=True))
def test_every_name_that_was_valid_before_still_is(name: str) -> None:
    """Else writes to objects that exist would be refused after an upgrade, the removal of the finalizer included."""
    assert is_valid_node_pool_name(name)
    assert is_valid_resource_pool_name(name)
