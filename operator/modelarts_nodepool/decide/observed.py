"""What a decision may depend on, and nothing else. Gathered by controllers/deletion/gather.py, read by decide/.

Everything is frozen: the same observation and the same moment always give the same decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.api.objects import Account, NodePool, Owner
from modelarts_nodepool.api.unreadable import Misfit
from modelarts_nodepool.errors import CloudError, ClusterError, CredentialsUnavailable
from modelarts_nodepool.ports import CloudNode, CloudNodePool, CloudResourcePool, NodePoolListing

T_co = TypeVar("T_co", covariant=True)

# The schema asks for at least this; an object from before the schema must not make anything spin.
_SHORTEST_INTERVAL = timedelta(seconds=1)

Failure = CloudError | CredentialsUnavailable


class Fact(StrEnum):
    """A fact that costs calls, to the cloud or to the API server. A decision asks for it by `Look`."""

    LISTING = "list_node_pools"
    NODE_POOL = "show_node_pool"
    RESOURCE_POOL = "show_pool"
    RESOURCE_POOLS = "list_pools"
    NODES = "list_node_pool_nodes"
    DEFINITION = "the CustomResourceDefinition"
    NAMESPACE = "the namespace"
    OWNERS = "the owners"


@dataclass(frozen=True, slots=True)
class Evidence(Generic[T_co]):
    """What one look at the cloud showed: a value or a failure, and when the look began (monotonic seconds).

    The beginning counts, not the end: an answer is true for some moment after its request was sent.
    """

    begun: float
    value: T_co | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """What an object lives in, its CRD or its namespace, as the API server shows it. `created` is None if gone.

    Gone while objects are left in it: somebody emptied its finalizers, or the API server was not itself.
    """

    created: datetime | None
    deleted: datetime | None = None


class OwnerState(StrEnum):
    """Whether an owner is in this cluster, in words. Only what the API server says itself is Gone."""

    EXISTS = "exists"
    DELETING = "is being deleted"
    GONE = "does not exist"
    UNKNOWN = "could not be looked up"


@dataclass(frozen=True, slots=True)
class FoundOwner:
    """An owner of the object, as the API server shows it. `why` is short and stays the same: it ends in a status."""

    owner: Owner
    state: OwnerState
    why: str = ""


@dataclass(frozen=True, slots=True)
class BudgetView:
    """The account's budget as one deletion sees it. `limit` None: unlimited.

    `free` slots are left for others than those counted; `ahead` deletions wait for one for longer than this.
    """

    limit: int | None
    window: timedelta = timedelta()
    used: int = 0
    ahead: int = 0
    frees_at: datetime | None = None

    @property
    def is_used_up(self) -> bool:
        """Whether this deletion has to wait: no slot is left once those ahead of it have theirs."""
        return self.limit is not None and self.used + self.ahead >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account that an object names, with what it means for this object."""

    account: Account
    is_granted: bool
    identity: Identity

    @property
    def poll_interval(self) -> timedelta:
        """How often the account lets a resource pool be looked at."""
        return self.account.spec.poll_interval

    @property
    def active_poll_interval(self) -> timedelta:
        """The same while something is created or deleted; never slower than the usual interval, never nothing."""
        return max(min(self.account.spec.active_poll_interval, self.account.spec.poll_interval), _SHORTEST_INTERVAL)

    def changed_from(self, pinned: Identity) -> str:
        """What of a pinned identity account and spec now say otherwise, in the words of the API."""
        now = self.identity.to_wire()
        return ", ".join(key for key, value in pinned.to_wire().items() if value != now[key])


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionObserved:
    """Everything that the deletion of one object depends on.

    - `deletion_seen`: when this process first saw the deletionTimestamp (monotonic).
    - `retain_seen`: the policy was Retain at any time since then.
    - `record`: status.deletion, with what this process knows beyond it.
    - `send_finished`: when the last DELETE of this process was answered or given up (monotonic).
    - `last_failure`: how that DELETE failed, or why it could not be sent; None where it was accepted or none
      was tried by this process. `last_failure_at`: when (monotonic).
    - `sent_seen`: when this process first found the record's sent_time, where it did not send that one (monotonic).
    - `reconcile_requested`: when a reconcile-at value not handled yet was first seen (monotonic).
    - `went_past`: when the newest reconcile-at was first seen that no DELETE has followed yet, handled or not
      (monotonic): what it lifted stays lifted while a later row holds.
    - `listing`: the newest LIST of the identity's resource pool; `earlier_listing`: the first one of the unbroken
      run of LISTs up to it that do not show the node pool, None where the newest shows it.
    - `twins`: other objects that stand for the same node pool, granted and with their account.
    - `unplaced_duplicate`: another that names it, in a namespace of which this process does not know the labels yet.
    - `unreadable_duplicate`: another that names it and cannot be read by this version.
    - `leaving`: node pools of the same resource pool whose DELETE may be in effect.
    - `definition`, `namespace`: the CRD and the namespace, read by GET.
    - `owners`: those of its ownerReferences that were looked up, each read by GET.
    - `budget`: the account's, as this deletion sees it; None without an account.
    """

    node_pool: NodePool
    account: AccountView | None
    deletion_seen: float
    retain_seen: bool = False
    record: DeletionRecord = field(default_factory=DeletionRecord)
    send_finished: float | None = None
    last_failure: Failure | None = None
    last_failure_at: float | None = None
    sent_seen: float | None = None
    reconcile_requested: float | None = None
    went_past: float | None = None
    listing: Evidence[NodePoolListing] | None = None
    earlier_listing: Evidence[NodePoolListing] | None = None
    shown: Evidence[CloudNodePool] | None = None
    resource_pool: Evidence[CloudResourcePool] | None = None
    resource_pools: Evidence[Mapping[str, CloudResourcePool]] | None = None
    nodes: Evidence[tuple[CloudNode, ...]] | None = None
    duplicates: tuple[NodePool, ...] = ()
    unplaced_duplicate: NodePool | None = None
    unreadable_duplicate: Misfit | None = None
    leaving: frozenset[str] = frozenset()
    definition: Evidence[Container] | None = None
    namespace: Evidence[Container] | None = None
    owners: Evidence[tuple[FoundOwner, ...]] | None = None
    budget: BudgetView | None = None

    @property
    def identity(self) -> Identity | None:
        """The pinned identity, else what account and spec say now, else None without an account."""
        if self.node_pool.status.identity is not None:
            return self.node_pool.status.identity
        return self.account.identity if self.account else None

    @property
    def node_pool_name(self) -> str:
        """The node pool's name: the pinned one, for what spec says later is not what is deleted."""
        pinned = self.node_pool.status.identity
        return pinned.node_pool_name if pinned else self.node_pool.node_pool_name

    @property
    def witnesses_count_from(self) -> float:
        """A look that began earlier than this proves nothing about absence (monotonic)."""
        return self.deletion_seen if self.send_finished is None else max(self.deletion_seen, self.send_finished)

    @property
    def asked_to_go_on(self) -> float | None:
        """When reconcile-at was set that no DELETE has followed yet (monotonic): each value lifts one pause."""
        asked = [moment for moment in (self.reconcile_requested, self.went_past) if moment is not None]
        return max(asked, default=None)

    @property
    def is_asked_to_go_on(self) -> bool:
        """Whether that was since the last DELETE."""
        asked = self.asked_to_go_on
        return asked is not None and (self.send_finished is None or asked >= self.send_finished)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObserved:
    """Everything that the status of an object that lives depends on.

    - `account` is None where the account does not exist.
    - `failure`: why the newest look failed, None where it worked.
    - `seen`: the newest good LIST of its resource pool, None where there was none yet.
    - `seen_age`: how long ago that LIST began; where it shows the node pool with unreadable counts, how long ago
      the last one with readable counts began; where there is none, how long looking has been tried.
    - `older_duplicate`: title of an older object that stands for the same node pool.
    - `reconcile_at`: the newest reconcile-at value that a look has followed.
    - `finalizer_refused`: why the API server does not take our finalizer, once that has lasted; None while it is on
      the object, or not refused for long.
    """

    node_pool: NodePool
    account: AccountView | None
    finalizer_refused: ClusterError | None = None
    failure: Failure | None = None
    seen: NodePoolListing | None = None
    seen_age: timedelta = timedelta()
    older_duplicate: str | None = None
    reconcile_at: str | None = None
