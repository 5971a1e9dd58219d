import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.simulator.routes import find_route
from modelarts_nodepool.errors import InvalidName
from modelarts_nodepool.modelarts.transport import Call, Operation

BAD_NAMES = [
    "", ".", "..", "a/b", "a%2Fb", "%2e%2e", "a" * 129, "a\n", "a b", "-a", "a-", "a.", "_a", "a?b", "a#b", "a\\b",
    "名",
]  # fmt: skip


# What the simulator, which is written from the API reference, makes of a path: the operation, and the names in it.
ROUTES = {operation: find_route("GET", Call(operation, "P", "pool-a", "np").path) for operation in Operation}
ROUTES[Operation.DELETE_NODE_POOL] = find_route("DELETE", "/v2/P/pools/pool-a/nodepools/np")


@pytest.mark.parametrize(
    ("operation", "target"),
    [
        (Operation.LIST_POOLS, "/v2/P/pools"),
        (Operation.SHOW_POOL, "/v2/P/pools/pool-a"),
        (Operation.LIST_NODE_POOLS, "/v2/P/pools/pool-a/nodepools"),
        (Operation.SHOW_NODE_POOL, "/v2/P/pools/pool-a/nodepools/np"),
        (Operation.LIST_NODE_POOL_NODES, "/v2/P/pools/pool-a/nodepools/np/nodes"),
        (Operation.DELETE_NODE_POOL, "/v2/P/pools/pool-a/nodepools/np"),
    ],
)
def test_each_operation_has_the_path_of_its_page(operation: Operation, target: str) -> None:
    call = Call(operation, "P", "pool-a", "np")
    assert call.target == target
    assert call.method == ("DELETE" if operation is Operation.DELETE_NODE_POOL else "GET")


def test_the_simulator_knows_each_path_as_this_operation() -> None:
    assert {operation: route and route.operation for operation, route in ROUTES.items()} == {
        operation: operation.value for operation in Operation
    }


@pytest.mark.parametrize(
    "operation", [operation for operation, route in ROUTES.items() if route and route.resource_pool]
)
@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_call_can_be_built_with_a_bad_resource_pool(operation: Operation, name: str) -> None:
    with pytest.raises(InvalidName, match="no request was sent"):
        Call(operation, "P", name, "np")


@pytest.mark.parametrize("operation", [operation for operation, route in ROUTES.items() if route and route.node_pool])
@pytest.mark.parametrize("name", [*BAD_NAMES, None])
def test_no_call_can_be_built_with_a_bad_node_pool(operation: Operation, name: str | None) -> None:
    with pytest.raises(InvalidName, match="no request was sent"):
        Call(operation, "P", "pool-a", name)


@pytest.mark.parametrize("project_id", ["", "..", "a/b", "{project_id}", "a" * 65, "a\n", "p%20"])
def test_no_call_can_be_built_with_a_bad_project(project_id: str) -> None:
    with pytest.raises(InvalidName, match="project ID"):
        Call(Operation.LIST_POOLS, project_id)


@given(st.text(max_size=70), st.text(max_size=70))
def test_whatever_the_names_the_path_has_the_shape_of_delete_node_pool(resource_pool: str, node_pool: str) -> None:
    try:
        target = Call(Operation.DELETE_NODE_POOL, "P", resource_pool, node_pool).target
    except InvalidName:
        return
    assert target.split("/") == ["", "v2", "P", "pools", resource_pool, "nodepools", node_pool]
    assert target.isascii()


def test_query_is_encoded_as_the_signature_needs_it() -> None:
    call = Call(Operation.LIST_NODE_POOL_NODES, "P", "pool-a", "np", (("continue", "a b/+=&é"),))
    assert call.target == "/v2/P/pools/pool-a/nodepools/np/nodes?continue=a%20b%2F%2B%3D%26%C3%A9"
    assert "continue" not in call.title


def test_only_the_deletion_of_a_node_pool_changes_anything_in_the_cloud() -> None:
    methods = {operation: Call(operation, "P", "pool-a", "np").method for operation in Operation}
    assert {operation for operation, method in methods.items() if method != "GET"} == {Operation.DELETE_NODE_POOL}
    assert methods[Operation.DELETE_NODE_POOL] == "DELETE"
