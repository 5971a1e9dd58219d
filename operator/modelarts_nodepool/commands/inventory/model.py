"""What was listed in the cloud and in the cluster, and the rows of the comparison: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.ports import CloudNodePool, CloudResourcePool


class State(StrEnum):
    """The state of a row."""

    MANAGED = "Managed"
    DUPLICATE = "Duplicate"
    UNMANAGED = "Unmanaged"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, order=True)
class Workspace:
    """A workspace of a project in a region. Several accounts may name it."""

    region: str
    project_id: str
    workspace: str


def workspace_of(account: Account) -> Workspace:
    """The workspace of an account."""
    return Workspace(account.spec.region, account.spec.project_id, account.spec.workspace)


@dataclass(frozen=True, slots=True)
class SeenPool:
    """A resource pool with its node pools by name; None if they could not be listed, for the reason in `problem`."""

    resource_pool: CloudResourcePool
    node_pools: Mapping[str, CloudNodePool] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SeenWorkspace:
    """A workspace with its resource pools by name; None if they could not be listed, for the reason in `problem`.

    `accounts`: all accounts that name it, the chosen ones first. `known`: the names of all its resource pools, chosen
    or not.
    """

    workspace: Workspace
    accounts: tuple[Account, ...]
    resource_pools: Mapping[str, SeenPool] | None
    problem: str = ""
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """All objects, all accounts by name, and the labels of every namespace, as they were at one time."""

    node_pools: tuple[NodePool, ...]
    accounts: Mapping[str, Account]
    namespaces: Mapping[str, Mapping[str, str]]
    time: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A deletion that the operator holds, since when, and for how many hours. `nodes`: None if unknown."""

    reason: str
    since: datetime
    hours: float
    nodes: int | None

    @property
    def node_hours(self) -> float | None:
        """Nodes multiplied by hours: what the hold has cost so far, if the number of nodes did not change."""
        return None if self.nodes is None else self.nodes * self.hours


@dataclass(frozen=True, slots=True)
class Row:
    """A node pool of the cloud, an object of the cluster, or both.

    `identity` is None for an object whose account does not exist. `notes`: remarks. `obstacle`: why no object can refer
    to the node pool (empty if one can). `held`: the hold of its deletion, None if it is not being deleted or not held.
    """

    state: State
    identity: Identity | None
    pool_name: str
    node_pool_name: str
    accounts: tuple[Account, ...] = ()
    objects: tuple[NodePool, ...] = ()
    cloud: CloudNodePool | None = None
    resource_pool: CloudResourcePool | None = None
    notes: tuple[str, ...] = field(default=())
    obstacle: str = ""
    held: Held | None = None
