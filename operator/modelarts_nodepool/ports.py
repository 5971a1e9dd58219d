"""The ports between the operator and the cloud, the cluster and the clock, with their values.

modelarts/, kube/ and credentials/ implement the protocols; controllers/ calls them; decide/ sees only the values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from modelarts_nodepool.api.node_pool import Counts, NodePoolShape

T = TypeVar("T")


class Billing(StrEnum):
    """os.modelarts/billing.mode of a resource pool or a node."""

    PAY_PER_USE = "0"
    YEARLY_MONTHLY = "1"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CloudNodePool:
    """A node pool in the answers of list_node_pools and show_node_pool.

    `counts` is None if they are unreadable (negative, not a number); `problem` then says which.
    """

    name: str
    counts: Counts | None
    shape: NodePoolShape
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class NodePoolListing:
    """All node pools of one resource pool, by name. Complete: a page that may be partial is an error."""

    node_pools: Mapping[str, CloudNodePool]


@dataclass(frozen=True, slots=True)
class CloudResourcePool:
    """A resource pool in the answer of show_pool. A missing or unreadable billing mode is UNKNOWN.

    `frozen` says why ModelArts froze it, for example "arrears", from the bits of spec.controlMode; "" if it did not.
    """

    name: str
    billing: Billing
    phase: str = ""
    frozen: str = ""


@dataclass(frozen=True, slots=True)
class CloudNode:
    """A node of a node pool. `billing` is None if the node has none: it has that of its resource pool.

    - `host_ip`: status.privateIp, which workloads name; "" if missing.
    - `is_in_use`: whether it shows accelerators in use; None if it does not say.
    - `reason`: why ModelArts calls it abnormal, where it says so; "" otherwise.
    """

    name: str
    billing: Billing | None
    is_locked: bool = False
    phase: str = ""
    host_ip: str = ""
    is_in_use: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWorkload:
    """A job in the answer of list_workloads. Texts that are missing are "".

    - `kind`: the field `type`: train, infer, notebook, x-infer, or a value that this version does not know.
    - `name`: jobName, else name.
    - `status`: as ModelArts writes it; it may be a value that this version does not know.
    - `host_ips`: of the nodes on which it runs, from hostIps and nodes[].hostIp; empty if the answer names none.
    - `running`: runningDuration; None if missing or unreadable.
    """

    uid: str
    kind: str
    name: str
    status: str
    host_ips: frozenset[str] = frozenset()
    running: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer 200, 202 or 204 to a DELETE. The node pool is not gone yet."""

    request_id: str | None


class ModelArts(Protocol):
    """One project of ModelArts in one region, with credentials.

    Each call sends exactly one HTTP request (list_node_pool_nodes and list_workloads: one per page), never repeats it,
    and raises errors.CloudError, or errors.InvalidName before it sends anything. A body that the API page does not
    describe is errors.MalformedAnswer, never an empty result.
    """

    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        """All resource pools of a workspace by name."""

    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        """One resource pool; errors.ResourcePoolNotFound if ModelArts answers that it does not exist."""

    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        """All node pools of a resource pool in one answer."""

    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        """One node pool; errors.NotFound if ModelArts answers that it does not exist."""

    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        """All nodes of a node pool, all pages."""

    async def list_workloads(self, resource_pool: str) -> Sequence[CloudWorkload]:
        """All jobs of a resource pool in any status, all pages: an error, never a list that may be partial.

        Not every region has this operation: errors.WrongEndpoint (404 of the gateway) then. A resource pool that does
        not exist is errors.ResourcePoolNotFound. A list that changes while it is read is read again, three times at
        most; then errors.MalformedAnswer.
        """

    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        """Request a node pool's deletion. `CloudError.had_no_effect` says whether a failed request had no effect."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Credentials for signing. The secret and the token are not in repr.

    - `expires`: the end of a temporary key (UTC, aware); None if unknown.
    - `digest`: distinguishes keys where none of them may be kept; `access_digest`: the same for the ID alone.
    """

    access: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires: datetime | None = None
    digest: str = field(init=False, repr=False, compare=False)
    access_digest: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Once for each key: every call asks for the digests."""
        whole = "\n".join((self.access, self.secret, self.security_token or ""))
        object.__setattr__(self, "digest", sha256(whole.encode()).hexdigest())
        object.__setattr__(self, "access_digest", sha256(self.access.encode()).hexdigest())

    def is_same(self, other: "AccessKey") -> bool:
        """Whether both give the same signatures; `expires` does not matter."""
        mine, theirs = (
            (self.access, self.secret, self.security_token),
            (other.access, other.secret, other.security_token),
        )
        return mine == theirs


class Connections(Protocol):
    """The connections to one project of ModelArts, without a key."""

    def with_key(self, key: AccessKey) -> ModelArts:
        """The project as this key sees it; several keys may be in use at once."""

    async def aclose(self) -> None:
        """Close all connections."""


class KeyProvider(Protocol):
    """An issuer of temporary access keys: a metadata service, an agent, a token service."""

    async def fetch(self) -> AccessKey:
        """A key that expires in the future (`expires` is set), by one attempt that is bounded in time and size.

        Raises errors.CredentialsUnavailable. Its message says what to do and holds no secret, no time and no request
        id: the same failure has the same message, so that no status changes.
        """


class Credentials(Protocol):
    """The access key of an account, kept fresh. Safe to use from many tasks at once: they share one refresh."""

    remedy: str
    """What to do if ModelArts rejects the key, as the end of a sentence."""

    async def current(self) -> AccessKey:
        """A key that has not expired. Raises errors.CredentialsUnavailable."""

    async def renew(self, rejected: AccessKey) -> AccessKey:
        """The key after ModelArts rejected this one; the same key if there is no other."""

    async def aclose(self) -> None:
        """Stop a refresh that runs."""


class Cluster(Protocol):
    """The Kubernetes API server, with the requests that controllers need.

    Raises errors.ClusterError; each request is limited in time. Bodies are plain JSON objects.
    """

    async def list_as(self, path: str, convert: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """All items of a collection path, in pages, each converted as its page arrives."""

    async def get(self, path: str) -> Mapping[str, Any]:
        """One object; errors.ObjectGone on 404."""

    async def get_metadata(self, path: str) -> Mapping[str, Any]:
        """One object, of which only `metadata` is valid; errors.ObjectGone on 404."""

    async def json_patch(self, path: str, patch: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Apply a JSON Patch; the object after it. errors.ObjectChanged on 409 and 422, ObjectGone on 404."""

    async def create(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create an object."""


class MetadataCluster(Protocol):
    """What a resync needs of the API server. Raises errors.ClusterError; each request is limited in time."""

    async def list_metadata(self, path: str, convert: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """As Cluster.list_as, with `metadata` only in each item."""


class ListingCluster(Cluster, MetadataCluster, Protocol):
    """The requests that the supervisor needs."""


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> datetime:
        """Wall time in UTC, aware."""

    def monotonic(self) -> float:
        """Seconds that never decrease."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One reading of both clocks: wall time for stored values, monotonic seconds for the age of facts."""

    utc: datetime
    monotonic: float

    @classmethod
    def of(cls, clock: Clock) -> "Moment":
        """Both clocks, read at once."""
        return cls(clock.now(), clock.monotonic())

    def age_of(self, monotonic: float) -> timedelta:
        """The time since that reading."""
        return timedelta(seconds=self.monotonic - monotonic)
