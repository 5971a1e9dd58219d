"""Is the node pool proven gone? Two witnesses, each begun after the deletion was seen and after the last DELETE.

Read by decide/deletion/table.py. A 403, a redirect, a gateway's 404, a page of HTML, an empty or truncated body are
failures here, never absence: modelarts/faults.py makes NotFound only of what ModelArts itself says.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.decide.failures import RETRY_AFTER, asked_pause
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact, Failure
from modelarts_nodepool.errors import CloudUnavailable, NotFound, ResourcePoolNotFound
from modelarts_nodepool.ports import CloudNodePool, Moment, NodePoolListing

T = TypeVar("T")

# A LIST that shows the node pool is asked for again when it is older than this, or than two polls: the poller
# does that by itself, and where it does not, a deletion must not wait on its word for ever.
LISTING_LASTS = timedelta(minutes=2)


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


def prove_absence(observed: DeletionObserved, identity: Identity, moment: Moment) -> Proof:
    """Absent only by two witnesses; Present by the newest LIST; else what is missing or in the way."""
    listing = _begun_since(observed.listing, observed.witnesses_count_from)
    if listing is None:
        return Missing(frozenset({Fact.LISTING}))
    if isinstance(listing.failure, NotFound):
        return _prove_resource_pool_absent(observed, identity, listing, moment)
    if listing.value is None:
        return weigh_failure(listing, Fact.LISTING, moment)
    shown = listing.value.node_pools.get(identity.node_pool_name)
    if shown is None:
        return _second_witness(observed, identity, listing, moment)
    if moment.age_of(listing.begun) >= _listing_lasts(observed):
        return Missing(frozenset({Fact.LISTING}))
    return Present(shown)


def weigh_failure(evidence: Evidence[object], fact: Fact, moment: Moment) -> Missing | Unclear:
    """A failed look stands for a while, then it is made again."""
    failure = evidence.failure or CloudUnavailable("the look at the cloud was given up; it is made again")
    left = asked_pause(failure) - moment.age_of(evidence.begun)
    if left <= timedelta():
        return Missing(frozenset({fact}))
    return Unclear(failure, left)


def _begun_since(evidence: Evidence[T] | None, moment: float) -> Evidence[T] | None:
    return evidence if evidence is not None and evidence.begun >= moment else None


def _listing_lasts(observed: DeletionObserved) -> timedelta:
    return max(LISTING_LASTS, 2 * observed.account.poll_interval) if observed.account else LISTING_LASTS


def _second_witness(
    observed: DeletionObserved, identity: Identity, listing: Evidence[NodePoolListing], moment: Moment
) -> Proof:
    """show_node_pool, begun no earlier than the first of the LISTs that agree: older ones are refuted by now."""
    earlier = _begun_since(observed.earlier_listing, observed.witnesses_count_from)
    if earlier is None or earlier.value is None or identity.node_pool_name in earlier.value.node_pools:
        earlier = None
    shown = _begun_since(observed.shown, min(listing.begun, earlier.begun) if earlier else listing.begun)
    if shown is None:
        return Missing(frozenset({Fact.NODE_POOL}))
    if isinstance(shown.failure, NotFound):
        return Absent()
    if shown.value is not None:
        return _weigh_contradiction(
            min(shown.begun, listing.begun),
            "list_node_pools does not show the node pool and show_node_pool does",
            frozenset({Fact.LISTING, Fact.NODE_POOL}),
            moment,
        )
    if earlier is not None and _is_one_interval_later(observed, earlier, listing):
        return Absent()
    return weigh_failure(shown, Fact.NODE_POOL, moment)


def _is_one_interval_later(
    observed: DeletionObserved, earlier: Evidence[NodePoolListing], listing: Evidence[NodePoolListing]
) -> bool:
    """After an accepted DELETE, a second LIST one interval later stands in for show_node_pool."""
    if observed.record.accepted_time is None or observed.account is None:
        return False
    return timedelta(seconds=listing.begun - earlier.begun) >= observed.account.active_poll_interval


def _prove_resource_pool_absent(
    observed: DeletionObserved, identity: Identity, listing: Evidence[NodePoolListing], moment: Moment
) -> Proof:
    """show_pool says ModelArts.50015001 and list_pools of the pinned workspace does not show it.

    Both begun no earlier than the first of the LISTs that agree: a LIST that worked refutes what was said before it.
    """
    earlier = _begun_since(observed.earlier_listing, observed.witnesses_count_from)
    is_one_run = earlier is not None and isinstance(earlier.failure, NotFound)
    counts_from = min(listing.begun, earlier.begun) if earlier is not None and is_one_run else listing.begun
    shown = _begun_since(observed.resource_pool, counts_from)
    listed = _begun_since(observed.resource_pools, counts_from)
    both = frozenset({Fact.RESOURCE_POOL, Fact.RESOURCE_POOLS})
    if shown is None or listed is None:
        return Missing(both)
    if listed.value is None:
        return weigh_failure(listed, Fact.RESOURCE_POOLS, moment)
    if shown.value is not None or identity.pool_name in listed.value:
        return _weigh_contradiction(
            min(shown.begun, listed.begun),
            "list_node_pools says that the resource pool does not exist and another call shows it",
            both | {Fact.LISTING},
            moment,
        )
    if isinstance(shown.failure, ResourcePoolNotFound):
        return Absent(with_resource_pool=True)
    return weigh_failure(shown, Fact.RESOURCE_POOL, moment)


def _weigh_contradiction(oldest: float, words: str, facts: frozenset[Fact], moment: Moment) -> Missing | Unclear:
    # Counted from the older of the two: polls renew the other one for ever.
    left = RETRY_AFTER - moment.age_of(oldest)
    if left <= timedelta():
        return Missing(facts)
    return Unclear(CloudUnavailable(f"{words}: nothing is concluded, both are asked again"), left)
