"""Which operation a method and a raw path mean. Pure: no request object, no world."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

OPERATIONS = {
    ("GET", "pools"): "list_pools",
    ("GET", "pools/*"): "show_pool",
    ("DELETE", "pools/*"): "delete_pool",
    ("GET", "pools/*/nodes"): "list_pool_nodes",
    ("GET", "pools/*/workloads"): "list_workloads",
    ("GET", "pools/*/nodepools"): "list_node_pools",
    ("POST", "pools/*/nodepools"): "create_node_pool",
    ("GET", "pools/*/nodepools/*"): "show_node_pool",
    ("PATCH", "pools/*/nodepools/*"): "patch_node_pool",
    ("DELETE", "pools/*/nodepools/*"): "delete_node_pool",
    ("GET", "pools/*/nodepools/*/nodes"): "list_node_pool_nodes",
}
if TYPE_CHECKING:
    OperationName = str
else:
    # One of these names and nothing else: pydantic refuses any other in a scenario.
    OperationName = Literal[tuple(OPERATIONS.values())]
# Where the names stand behind /v2/{project_id}.
RESOURCE_POOL, NODE_POOL = 1, 3


@dataclass(frozen=True, slots=True)
class Route:
    """An operation and the names in its path, decoded once. Names that the path does not hold are empty."""

    operation: str
    project_id: str
    resource_pool: str = ""
    node_pool: str = ""


def find_route(method: str, raw_path: str) -> Route | None:
    """The route of a request, or None where the gateway publishes no such API.

    Dot segments are names like any other here: a client that normalises them sends another path. One trailing
    slash is forgiven, which makes `…/pools/{pool}/` the resource pool itself.
    """
    root, *segments = (unquote(segment) for segment in raw_path.removesuffix("/").split("/"))
    if root or len(segments) < 3 or segments[0] != "v2" or not all(segments):  # noqa: PLR2004 v2, project, pools
        return None
    project_id, *rest = segments[1:]
    names = {position: rest[position] for position in (RESOURCE_POOL, NODE_POOL) if position < len(rest)}
    pattern = "/".join("*" if position in names else segment for position, segment in enumerate(rest))
    operation = OPERATIONS.get((method, pattern))
    if operation is None:
        return None
    return Route(operation, project_id, names.get(RESOURCE_POOL, ""), names.get(NODE_POOL, ""))
