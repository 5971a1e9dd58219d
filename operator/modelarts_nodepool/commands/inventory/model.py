"""What was seen in the cloud and in the cluster, and what one says about the other: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.ports import CloudNodePool, CloudResourcePool


class State(StrEnum):
    """What a row of the inventory is."""

    MANAGED = "Managed"
    DUPLICATE = "Duplicate"
    UNMANAGED = "Unmanaged"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, order=True)
class Workspace:
    """Where resource pools are looked for: a workspace of a project in a region. Several accounts may name it."""

    region: str
    project_id: str
    workspace: str


def workspace_of(account: Account) -> Workspace:
    """The one that an account names."""
    return Workspace(account.spec.region, account.spec.project_id, account.spec.workspace)


@dataclass(frozen=True, slots=True)
class SeenPool:
    """A resource pool with its node pools by name; None where they could not be listed, which `problem` explains."""

    resource_pool: CloudResourcePool
    node_pools: Mapping[str, CloudNodePool] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SeenWorkspace:
    """A workspace with its resource pools by name; None where they could not be listed, which `problem` explains.

    `accounts` are all that name it, those that were asked for first; `known` are the names of all its resource pools,
    whether they were asked for or not.
    """

    workspace: Workspace
    accounts: tuple[Account, ...]
    resource_pools: Mapping[str, SeenPool] | None
    problem: str = ""
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """All objects, all accounts by name, and the labels of every namespace."""

    node_pools: tuple[NodePool, ...]
    accounts: Mapping[str, Account]
    namespaces: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """A node pool of the cloud, an object of the cluster, or both.

    `identity` is None for an object that names an account which does not exist. `accounts` are names, `granted` says
    in words which namespaces may name the resource pool, `notes` what is odd, `obstacle` why no object can ever stand
    for the node pool (empty where one can).
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
