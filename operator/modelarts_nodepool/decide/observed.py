"""Everything that a decision may depend on. Gathered by controllers/deletion/gather.py, read by decide/.

All classes are frozen: the same observation at the same moment always gives the same decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Generic, TypeVar

from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.api.objects import Account, NodePool, Owner
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.errors import CloudError, ClusterError, CredentialsUnavailable
from modelarts_nodepool.ports import (
    CloudNode,
    CloudNodePool,
    CloudResourcePool,
    CloudWorkload,
    Moment,
    NodePoolListing,
)

T_co = TypeVar("T_co", covariant=True)

# The schema requires at least this; an object from before the schema must not cause a busy loop.
_SHORTEST_INTERVAL = timedelta(seconds=1)

Failure = CloudError | CredentialsUnavailable


class Fact(StrEnum):
    """A fact that costs requests to ModelArts or to the API server. A decision asks for it by `Look`."""

    LISTING = "list_node_pools"
    NODE_POOL = "show_node_pool"
    RESOURCE_POOL = "show_pool"
    RESOURCE_POOLS = "list_pools"
    NODES = "list_node_pool_nodes"
    WORKLOADS = "list_workloads"
    DEFINITION = "the CustomResourceDefinition"
    NAMESPACE = "the namespace"
    OWNERS = "the owners"


@dataclass(frozen=True, slots=True)
class Evidence(Generic[T_co]):
    """The result of one request: a value or a failure, and when the request began (monotonic seconds).

    The beginning counts, not the end: the answer is true for a moment after the request was sent.
    For list_workloads only: `since` is when the first of the unbroken run of values, or of failures, began, and
    `unreadable_since` the same for unreadable answers.
    """

    begun: float
    value: T_co | None = None
    failure: Failure | None = None
    since: float | None = None
    unreadable_since: float | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """The CRD or the namespace of an object, as the API server shows it. `created` is None if it does not exist.

    It may not exist while objects are left in it, for example after its finalizers were removed by force.
    """

    created: datetime | None
    deleted: datetime | None = None


class OwnerState(StrEnum):
    """Whether an owner exists in this cluster, as messages say it. GONE only by an answer of the API server."""

    EXISTS = "exists"
    DELETING = "is being deleted"
    GONE = "does not exist"
    UNKNOWN = "could not be read"


@dataclass(frozen=True, slots=True)
class FoundOwner:
    """An owner of the object, as the API server shows it. `why` is short and steady: it becomes part of a status."""

    owner: Owner
    state: OwnerState
    why: str = ""


@dataclass(frozen=True, slots=True)
class BudgetView:
    """The account's deletion budget for one deletion. `limit` None: unlimited.

    `used`: DELETEs of other objects in the window. `ahead`: deletions that have waited longer than this one.
    """

    limit: int | None
    window: timedelta = timedelta()
    used: int = 0
    ahead: int = 0
    frees_at: datetime | None = None

    @property
    def is_used_up(self) -> bool:
        """Whether this deletion must wait: no slot is left after those that come first."""
        return self.limit is not None and self.used + self.ahead >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account that an object names, with what it means for this object."""

    account: Account
    is_granted: bool
    identity: Identity

    @property
    def poll_interval(self) -> timedelta:
        """The interval between two polls of a resource pool."""
        return self.account.spec.poll_interval

    @property
    def active_poll_interval(self) -> timedelta:
        """The interval while nodes are created or deleted; never longer than `poll_interval`, never zero."""
        return max(min(self.account.spec.active_poll_interval, self.account.spec.poll_interval), _SHORTEST_INTERVAL)

    def changed_from(self, pinned: Identity) -> str:
        """The fields of a pinned identity for which account and spec now give another value, by their API names."""
        now = self.identity.to_wire()
        return ", ".join(key for key, value in pinned.to_wire().items() if value != now[key])


@dataclass(frozen=True, kw_only=True)
class DeletionObserved:
    """Everything that the deletion of one object depends on.

    - `deletion_seen`: when this process first saw the deletionTimestamp (monotonic).
    - `retain_seen`: the policy was Retain at any time since then.
    - `record`: status.deletion, updated with what this process knows.
    - `send_finished`: when the last DELETE of this process was answered or abandoned (monotonic).
    - `last_failure`: how that DELETE failed, or why it could not be sent; None if it was accepted or this process
      sent none. `last_failure_at`: when (monotonic).
    - `sent_seen`: when this process first saw the record's sent_time, if another process sent it (monotonic).
    - `reconcile_requested`: when a reconcile-at value that is not handled yet was first seen (monotonic).
    - `went_past`: when the newest reconcile-at value since the last DELETE was first seen, handled or not
      (monotonic): a pause that it lifted stays lifted while a later guard holds.
    - `listing`: the newest LIST of the identity's resource pool; `earlier_listing`: the first of the unbroken run
      of LISTs up to it that do not show the node pool, None if the newest LIST shows it.
    - `workloads`: the jobs of the whole resource pool; those that have ended or wait may be left out.
    - `duplicates`: other objects that refer to the same node pool, granted and with their account.
    - `unplaced_duplicate`: another object that names it, in a namespace whose labels are not known yet.
    - `unreadable_duplicate`: another object that names it and that this version cannot read.
    - `leaving`: node pools of the same resource pool whose DELETE may be in effect.
    - `definition`, `namespace`: the CRD and the namespace, read by GET.
    - `owners`: the owners in its ownerReferences, each read by GET.
    - `budget`: the account's budget for this deletion; None without an account.
    - `spare`: for how long its facts must stay fresh: the time to the request. Zero right before the request.
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
    workloads: Evidence[tuple[CloudWorkload, ...]] | None = None
    duplicates: tuple[NodePool, ...] = ()
    unplaced_duplicate: NodePool | None = None
    unreadable_duplicate: UnreadableObject | None = None
    leaving: frozenset[str] = frozenset()
    definition: Evidence[Container] | None = None
    namespace: Evidence[Container] | None = None
    owners: Evidence[tuple[FoundOwner, ...]] | None = None
    budget: BudgetView | None = None
    spare: timedelta = timedelta()

    @cached_property
    def identity(self) -> Identity | None:
        """The pinned identity, else the identity by account and spec; None without an account."""
        if self.node_pool.status.identity is not None:
            return self.node_pool.status.identity
        return self.account.identity if self.account else None

    @cached_property
    def node_pool_name(self) -> str:
        """The node pool's name. The pinned name, because a later change of spec does not change what is deleted."""
        pinned = self.node_pool.status.identity
        return pinned.node_pool_name if pinned else self.node_pool.node_pool_name

    @property
    def witnesses_count_from(self) -> float:
        """A request that began earlier than this proves nothing about absence (monotonic)."""
        return self.deletion_seen if self.send_finished is None else max(self.deletion_seen, self.send_finished)

    def is_usable(self, evidence: Evidence[object] | None, moment: Moment, longest: timedelta) -> bool:
        """Whether it is younger than `longest`, and began after the deletion was seen and reconcile-at was set."""
        if evidence is None or evidence.begun < self.deletion_seen:
            return False
        if self.reconcile_requested is not None and evidence.begun < self.reconcile_requested:
            return False
        return moment.age_of(evidence.begun) < longest

    @cached_property
    def asked_to_go_on(self) -> float | None:
        """When reconcile-at was last set since the last DELETE (monotonic): each value lifts one pause."""
        asked = [moment for moment in (self.reconcile_requested, self.went_past) if moment is not None]
        return max(asked, default=None)

    @property
    def is_asked_to_go_on(self) -> bool:
        """Whether that was since the last DELETE."""
        asked = self.asked_to_go_on
        return asked is not None and (self.send_finished is None or asked >= self.send_finished)


@dataclass(frozen=True, slots=True)
class AbnormalNodes:
    """Some of a node pool's abnormal nodes, in a steady order, and its resource pool if it could be read."""

    nodes: tuple[CloudNode, ...]
    resource_pool: CloudResourcePool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObserved:
    """Everything that the status of an object depends on that is not being deleted.

    - `account` is None if the account does not exist.
    - `failure`: why the newest poll failed, None if it succeeded.
    - `seen`: the newest successful LIST of its resource pool, None if there is none yet.
    - `seen_age`: the age of that LIST; if it shows unreadable counts, the age of the last LIST with readable counts;
      without a LIST, how long polling has been tried.
    - `abnormal`: the abnormal nodes, read when their number changed; None if there are none, or they could not be read.
    - `older_duplicate`: title of an older object that refers to the same node pool.
    - `reconcile_at`: the newest reconcile-at value that a poll has followed.
    - `finalizer_refused`: why the API server refuses our finalizer, after some time; None while the finalizer is on the
      object, or the refusal is recent.
    """

    node_pool: NodePool
    account: AccountView | None
    finalizer_refused: ClusterError | None = None
    failure: Failure | None = None
    seen: NodePoolListing | None = None
    seen_age: timedelta = timedelta()
    abnormal: AbnormalNodes | None = None
    older_duplicate: str | None = None
    reconcile_at: str | None = None
