"""A call of ModelArts: its method, its URL path, and its title in messages.

Built by modelarts/client.py, sent by modelarts/transport.py. A call with a name that could change the URL cannot be
built: with a node pool named `..` the path of delete_node_pool would be that of "delete resource pool".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from modelarts_nodepool.api.names import (
    NODE_POOL_NAME_PATTERN,
    PROJECT_PATTERN,
    RESOURCE_POOL_NAME_PATTERN,
    is_valid_node_pool_name,
    is_valid_resource_pool_name,
)
from modelarts_nodepool.errors import InvalidName

_PROJECT = re.compile(PROJECT_PATTERN.removeprefix("^").removesuffix("$"))


class Operation(StrEnum):
    """ModelArts' operation ids in snake_case; the `operation` label of metrics."""

    LIST_POOLS = "list_pools"
    SHOW_POOL = "show_pool"
    LIST_NODE_POOLS = "list_node_pools"
    SHOW_NODE_POOL = "show_node_pool"
    LIST_NODE_POOL_NODES = "list_node_pool_nodes"
    DELETE_NODE_POOL = "delete_node_pool"


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to send. Raises errors.InvalidName for a name that is not safe in a URL."""

    operation: Operation
    project_id: str
    resource_pool: str | None = None
    node_pool: str | None = None
    query: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check every name before anything can be sent."""
        _check_id("project ID", self.project_id)
        if self.operation is not Operation.LIST_POOLS:
            _check_name("resource pool", self.resource_pool, is_valid_resource_pool_name, RESOURCE_POOL_NAME_PATTERN)
        if self.operation in _OF_NODE_POOLS:
            _check_name("node pool", self.node_pool, is_valid_node_pool_name, NODE_POOL_NAME_PATTERN)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "DELETE" if self.is_deletion else "GET"

    @property
    def is_deletion(self) -> bool:
        """Whether the call changes anything in the cloud."""
        return self.operation is Operation.DELETE_NODE_POOL

    @property
    def path(self) -> str:
        """The path, percent-encoded; the checked names need no encoding."""
        path = f"/v2/{self.project_id}/pools"
        if self.operation is Operation.LIST_POOLS:
            return path
        path = f"{path}/{self.resource_pool}"
        if self.operation is Operation.SHOW_POOL:
            return path
        path = f"{path}/nodepools"
        if self.operation is Operation.LIST_NODE_POOLS:
            return path
        path = f"{path}/{self.node_pool}"
        return f"{path}/nodes" if self.operation is Operation.LIST_NODE_POOL_NODES else path

    @property
    def target(self) -> str:
        """Path and query as on the wire. A space is %20: a plus sign would break the signature."""
        query = "&".join(f"{_encode(name)}={_encode(value)}" for name, value in self.query)
        return f"{self.path}?{query}" if query else self.path

    @property
    def title(self) -> str:
        """The call in messages, without its query."""
        if self.node_pool:
            return f"{self.operation} of node pool {self.node_pool} in resource pool {self.resource_pool}"
        if self.resource_pool:
            return f"{self.operation} of resource pool {self.resource_pool}"
        return f"{self.operation} of project {self.project_id}"


_OF_NODE_POOLS = frozenset({Operation.SHOW_NODE_POOL, Operation.LIST_NODE_POOL_NODES, Operation.DELETE_NODE_POOL})


def check_workspace(workspace: str) -> None:
    """Raise errors.InvalidName if this is not a workspace ID, which has the same characters as a project ID."""
    _check_id("workspace", workspace)


def _encode(text: str) -> str:
    return quote(text, safe="-._~")


def _check_name(kind: str, name: object, is_valid: Callable[[str], bool], pattern: str) -> None:
    if not isinstance(name, str) or not is_valid(name):
        raise InvalidName(
            f"{_shown(name)} is not a valid {kind} name (it must match {pattern}); no request was sent. Look up the "
            "name in the ModelArts console"
        )


def _check_id(kind: str, value: object) -> None:
    if not isinstance(value, str) or _PROJECT.fullmatch(value) is None:
        raise InvalidName(
            f"{_shown(value)} is not a valid {kind} (it must match {PROJECT_PATTERN}); no request was sent. Correct it "
            "in the ModelArtsAccount"
        )


def _shown(value: object) -> str:
    return ascii(value)[:80]
