"""Is the node pool proven gone? Two witnesses, each begun after the deletion was seen and after the last DELETE.

Read by decide/deletion.py. A 403, a redirect, a gateway's 404, a page of HTML, an empty or truncated body are
failures here, never absence: modelarts/faults.py makes NotFound only of what ModelArts itself says.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact, Failure
from modelarts_nodepool.errors import CloudError, CloudUnavailable, NotFound, ResourcePoolNotFound
from modelarts_nodepool.ports import CloudNodePool, Moment, NodePoolListing

T = TypeVar("T")

# A failed look is repeated after this, or after what the server asked for. Rejected keys are not hammered by
# it: the breaker in engine/credentials.py answers instead of the cloud.
RETRY_AFTER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Absent:
    """Proven gone. `resource_pool` too where `with_resource_pool`."""

    with_resource_pool: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """The newest good LIST shows it."""

    node_pool: CloudNodePool


@dataclass(frozen=True, slots=True)
class Missing:
    """Facts are missing or too old."""

    facts: frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Unclear:
    """A look failed, or two looks contradict each other."""

    failure: Failure
    retry_after: timedelta


Proof = Absent | Present | Missing | Unclear


def prove_absence(observed: DeletionObserved, moment: Moment) -> Proof:
    """Absent only by two witnesses; Present by the newest LIST; else what is missing or in the way."""
    identity = observed.identity
    listing = _counting(observed.listing, observed)
    if identity is None or listing is None:
        return Missing(frozenset({Fact.LISTING}))
    if isinstance(listing.failure, NotFound):
        return _prove_resource_pool_absent(observed, moment)
    if listing.value is None:
        return weigh_failure(listing, Fact.LISTING, moment)
    shown = listing.value.node_pools.get(identity.node_pool_name)
    if shown is not None:
        return Present(shown)
    return _second_witness(observed, listing, moment)


def weigh_failure(evidence: Evidence[object], fact: Fact, moment: Moment) -> Missing | Unclear:
    """A failed look stands for a while, then it is made again."""
    failure = evidence.failure or CloudUnavailable("the look at the cloud was given up; it is made again")
    asked = failure.retry_after if isinstance(failure, CloudError) else None
    left = (asked or RETRY_AFTER) - moment.age_of(evidence.begun)
    if left <= timedelta():
        return Missing(frozenset({fact}))
    return Unclear(failure, left)


def _counting(evidence: Evidence[T] | None, observed: DeletionObserved) -> Evidence[T] | None:
    if evidence is None or evidence.begun < observed.witnesses_count_from:
        return None
    return evidence


def _second_witness(observed: DeletionObserved, listing: Evidence[NodePoolListing], moment: Moment) -> Proof:
    shown = _counting(observed.shown, observed)
    if shown is None:
        return Missing(frozenset({Fact.NODE_POOL}))
    if isinstance(shown.failure, NotFound):
        return Absent()
    if shown.value is not None:
        return _weigh_contradiction(
            max(shown.begun, listing.begun),
            "list_node_pools does not show the node pool and show_node_pool does",
            frozenset({Fact.LISTING, Fact.NODE_POOL}),
            moment,
        )
    if _is_absent_twice(observed, listing):
        return Absent()
    return weigh_failure(shown, Fact.NODE_POOL, moment)


def _is_absent_twice(observed: DeletionObserved, listing: Evidence[NodePoolListing]) -> bool:
    """After an accepted DELETE, a second LIST one interval later stands in for show_node_pool."""
    earlier = _counting(observed.earlier_listing, observed)
    if observed.record.accepted_time is None or observed.account is None or observed.identity is None:
        return False
    if earlier is None or earlier.value is None:
        return False
    apart = timedelta(seconds=listing.begun - earlier.begun)
    return (
        apart >= observed.account.active_poll_interval
        and observed.identity.node_pool_name not in earlier.value.node_pools
    )


def _prove_resource_pool_absent(observed: DeletionObserved, moment: Moment) -> Proof:
    """show_pool says ModelArts.50015001 and list_pools of the pinned workspace does not show it."""
    shown = _counting(observed.resource_pool, observed)
    listed = _counting(observed.resource_pools, observed)
    both = frozenset({Fact.RESOURCE_POOL, Fact.RESOURCE_POOLS})
    if shown is None or listed is None or observed.identity is None:
        return Missing(both)
    if listed.value is None:
        return weigh_failure(listed, Fact.RESOURCE_POOLS, moment)
    if shown.value is not None or observed.identity.pool_name in listed.value:
        return _weigh_contradiction(
            max(shown.begun, listed.begun),
            "list_node_pools says that the resource pool does not exist and another call shows it",
            both | {Fact.LISTING},
            moment,
        )
    if isinstance(shown.failure, ResourcePoolNotFound):
        return Absent(with_resource_pool=True)
    return weigh_failure(shown, Fact.RESOURCE_POOL, moment)


def _weigh_contradiction(newest: float, words: str, facts: frozenset[Fact], moment: Moment) -> Missing | Unclear:
    left = RETRY_AFTER - moment.age_of(newest)
    if left <= timedelta():
        return Missing(facts)
    return Unclear(CloudUnavailable(f"{words}: nothing is concluded, both are asked again"), left)
