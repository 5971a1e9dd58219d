"""The narrow ports between the operator and the world, with what passes through them.

Protocols say what a call promises; modelarts/, kube/ and credentials/ keep the promises; controllers/ relies on
them; decide/ sees only the values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
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
    """A node pool as list_node_pools and show_node_pool show it.

    `counts` is None where they were unreadable (negative, no number); `problem` then says which.
    """

    name: str
    counts: Counts | None
    shape: NodePoolShape
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class NodePoolListing:
    """All node pools of one resource pool, by name. Complete: a page that may be partial is an error."""

    node_pools: Mapping[str, CloudNodePool]
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class CloudResourcePool:
    """A resource pool as show_pool shows it. A missing or unreadable billing mode is UNKNOWN."""

    name: str
    billing: Billing
    phase: str = ""


@dataclass(frozen=True, slots=True)
class CloudNode:
    """A node of a node pool. `billing` is None where the node says nothing: it follows its resource pool."""

    name: str
    billing: Billing | None
    is_locked: bool = False
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A DELETE that was answered 200, 202 or 204. The node pool is not gone yet."""

    request_id: str | None


class ModelArts(Protocol):
    """One project of ModelArts in one region, with credentials in hand.

    Every call makes exactly one HTTP request (list_node_pool_nodes: one a page), never repeats it, and raises
    errors.CloudError or errors.InvalidName (before anything is sent). A body that is not what the API page
    describes is errors.MalformedAnswer, never an empty result.
    """

    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        """All resource pools of a workspace by name."""

    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        """One resource pool; errors.ResourcePoolNotFound where ModelArts says it is not there."""

    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        """All node pools of a resource pool in one answer."""

    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        """One node pool; errors.NotFound where ModelArts says it is not there."""

    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        """All nodes of a node pool, all pages."""

    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        """Ask for a node pool's deletion. `CloudError.had_no_effect` says whether a failure is proven harmless."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Credentials for signing. Never printed: secret and token stay out of repr.

    `expires` is when a temporary key ends (UTC, aware); None where that is not known.
    """

    access: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires: datetime | None = None

    def is_same(self, other: "AccessKey") -> bool:
        """Whether both sign alike, however long they last."""
        mine, theirs = (
            (self.access, self.secret, self.security_token),
            (other.access, other.secret, other.security_token),
        )
        return mine == theirs


class Connections(Protocol):
    """The connections to one project of ModelArts, with nobody logged in."""

    def signing_with(self, key: AccessKey) -> ModelArts:
        """The project as this key sees it; several keys may be in use at once."""

    async def aclose(self) -> None:
        """Close them all."""


class KeySource(Protocol):
    """Somebody who issues temporary access keys: a metadata service, an agent, a token service."""

    async def obtain(self) -> AccessKey:
        """A key that ends in the future (`expires` is set), by one attempt that is bounded in time and size.

        Raises errors.CredentialsUnavailable, whose message says what to do and holds no secret. It names no time
        and no request either: the same trouble has the same words, so that status stays as it is.
        """


class Keys(Protocol):
    """The access key of an account, kept fresh. Safe to ask from many tasks at once: they share one refresh."""

    remedy: str
    """What to do about a key that ModelArts rejects, as the end of a sentence."""

    async def current(self) -> AccessKey:
        """A key that is good as far as we know. Raises errors.CredentialsUnavailable."""

    async def renew(self, rejected: AccessKey) -> AccessKey:
        """The key after ModelArts rejected this one; an equal one where there is no other."""

    async def aclose(self) -> None:
        """Stop what is under way."""


class Cluster(Protocol):
    """The Kubernetes API server, as far as the engine needs it.

    Raises errors.ClusterError; every call is bounded in time. Bodies are plain JSON objects.
    """

    async def list_as(self, path: str, convert: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """All items of a collection path, in pages, each converted as its page arrives."""

    async def get(self, path: str) -> Mapping[str, Any]:
        """One object; errors.ObjectGone on 404."""

    async def get_metadata(self, path: str) -> Mapping[str, Any]:
        """One object with nothing but `metadata` that counts; errors.ObjectGone on 404."""

    async def json_patch(self, path: str, patch: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Apply a JSON Patch; the object after it. errors.ObjectChanged on 409 and 422, ObjectGone on 404."""

    async def create(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create an object."""


class MetadataCluster(Protocol):
    """What a sweep needs of the API server. Raises errors.ClusterError; every call is bounded in time."""

    async def list_metadata(self, path: str, convert: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """As Cluster.list_as, with nothing but `metadata` in each item."""


class ListingCluster(Cluster, MetadataCluster, Protocol):
    """Both: what the supervisor needs."""


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> datetime:
        """Wall time in UTC, aware."""

    def monotonic(self) -> float:
        """Seconds that only grow."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One reading of both clocks: wall time for what is stored, monotonic seconds for how fresh facts are."""

    utc: datetime
    monotonic: float

    def age_of(self, monotonic: float) -> timedelta:
        """How long ago that reading was."""
        return timedelta(seconds=self.monotonic - monotonic)
