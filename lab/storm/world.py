"""What stands before the storm: accounts, resource pools, namespaces, and the shapes of a plan. Pure.

plan.py fills them, manifests.py turns them into bodies for the API server and the simulator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lab.storm.cases import Case

NAMESPACES = ("ml", "research")
DOOMED_NAMESPACE = "doomed"
SPARE = "spare"  # a node pool without an object, so that no other is the resource pool's last


@dataclass(frozen=True)
class AccountPlan:
    """An account: its resource pools, what guards it."""

    name: str
    resource_pools: tuple[str, ...]
    budget: Mapping[str, Any]
    asks_confirmation: bool = False


PLAIN = AccountPlan("plain", ("rp-a", "rp-b", "rp-last"), {"unlimited": True})
CAREFUL = AccountPlan("careful", ("rp-c", "rp-d"), {"max": 100, "window": "1h"}, asks_confirmation=True)
THRIFTY = AccountPlan("thrifty", ("rp-e",), {"max": 4, "window": "1m"})
ACCOUNTS = (PLAIN, CAREFUL, THRIFTY)
LAST_RESOURCE_POOL = "rp-last"
ACCOUNT_OF = {resource_pool: account for account in ACCOUNTS for resource_pool in account.resource_pools}


@dataclass(frozen=True)
class ObjectPlan:
    """One object and its node pool. `cloud` are the node pool's own keys in the simulator's scenario."""

    name: str
    namespace: str
    case: Case
    resource_pool: str
    node_pool: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    cloud: Mapping[str, Any] = field(default_factory=dict)
    is_late: bool = False

    @property
    def title(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def place(self) -> tuple[str, str]:
        """Resource pool and node pool."""
        return (self.resource_pool, self.node_pool)

    @property
    def account(self) -> AccountPlan:
        """The account of its resource pool."""
        return ACCOUNT_OF[self.resource_pool]


class Verb(StrEnum):
    """What can happen."""

    CREATE = "create"
    DELETE = "delete"
    DELETE_NAMESPACE = "delete namespace"
    RETAIN = "retain"
    ANNOTATE = "annotate"
    UNPAUSE = "unpause"
    STRIP = "strip the foreign finalizer"
    TOUCH_ACCOUNT = "touch account"
    VANISH = "vanish in the cloud"
    CHANGE_NODES = "change nodes"
    FAULT = "cloud fault"
    ROTATE = "rotate the key"
    RESTART_API = "restart the API server"
    KILL = "SIGKILL operator"
    TERMINATE = "SIGTERM operator"
    FREEZE = "freeze operator"


@dataclass(frozen=True)
class Happening:
    """Something at a moment, in seconds from the beginning of the storm. `target` names whom it happens to."""

    at: float
    verb: Verb
    target: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Everything that a seed decides."""

    seed: int
    fault_seconds: float
    operators: int
    objects: tuple[ObjectPlan, ...]
    happenings: tuple[Happening, ...]
    secrets: Mapping[str, tuple[tuple[str, str], ...]]  # account → its keys in turn: access key, secret key
    shape: Mapping[str, Any]
    timings: Mapping[str, Any]

    def find(self, title: str) -> ObjectPlan:
        """The object of that title."""
        return next(planned for planned in self.objects if planned.title == title)
