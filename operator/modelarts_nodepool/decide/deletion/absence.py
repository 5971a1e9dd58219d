"""Is the node pool proven gone? By two witnesses, each begun after the deletion was seen and after the last DELETE.

The guard `absence` releases the object if so. A 403, a redirect, a gateway's 404, an HTML page, an empty or truncated
body are failures here, never absence: modelarts/faults.py creates NotFound only from an answer of ModelArts itself.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from modelarts_nodepool.api.names import is_valid_node_pool_name, is_valid_resource_pool_name
from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import HELD, Decision, Hold, Look, Release
from modelarts_nodepool.decide.failures import RETRY_AFTER, asked_pause, hold_for
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact, Failure
from modelarts_nodepool.errors import CloudUnavailable, NotFound, ResourcePoolNotFound
from modelarts_nodepool.ports import CloudNodePool, Moment, NodePoolListing

T = TypeVar("T")

# A LIST that shows the node pool is requested again if it is older than this, or than two polls. The poller does so
# without being asked; if it does not, a deletion must not wait for it for ever.
LISTING_LASTS = timedelta(minutes=2)


def absence(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Release if proven gone; hold or fetch while that is unknown; None if the node pool exists."""
    node_pool, identity = observed.node_pool, observed.identity
    # A name such as `..` would change the URL of the request: the call would delete the resource pool.
    if identity is None or not (
        is_valid_resource_pool_name(identity.pool_name) and is_valid_node_pool_name(identity.node_pool_name)
    ):
        words = (
            "spec.poolName or spec.nodePoolName is not a valid ModelArts name; no request was sent; names are "
            f"immutable; release the object and keep the node pool: {remedies.retain(node_pool)}"
        )
        return Hold(Reason.INVALID_OBJECT, words, HELD)
    proof = prove_absence(observed, identity, moment)
    if isinstance(proof, Missing):
        return Look(proof.facts)
    if isinstance(proof, Unclear):
        return hold_for(node_pool, proof.failure, "whether the node pool still exists is unknown", proof.retry_after)
    if isinstance(proof, Absent):
        return _gone(observed, with_resource_pool=proof.with_resource_pool)
    shown = proof.node_pool
    if shown.counts is not None:
        return None
    words = (
        f"ModelArts returned unreadable counts for node pool {shown.name} ({shown.problem or 'no numbers'}); retries "
        f"automatically; details: {remedies.describe(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.CLOUD_UNAVAILABLE, words, HELD, is_transient=True)


def _gone(observed: DeletionObserved, *, with_resource_pool: bool) -> Release:
    name = observed.node_pool_name
    if observed.record.attempt > 0:
        what = f"node pool {name} and its resource pool are" if with_resource_pool else f"node pool {name} is"
        return Release(Reason.GONE, f"{what} gone; two requests to ModelArts confirm it")
    what = f"neither node pool {name} nor its resource pool exists" if with_resource_pool else ""
    what = what or f"node pool {name} does not exist"
    return Release(Reason.ALREADY_GONE, f"{what} in ModelArts; two requests confirm it; no DELETE was sent")


@dataclass(frozen=True, slots=True)
class Absent:
    """Proven gone. The resource pool too if `with_resource_pool`."""

    with_resource_pool: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """The newest successful LIST shows it."""

    node_pool: CloudNodePool


@dataclass(frozen=True, slots=True)
class Missing:
    """Facts are missing or too old."""

    facts: frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Unclear:
    """A request failed, or two answers contradict each other."""

    failure: Failure
    retry_after: timedelta


Proof = Absent | Present | Missing | Unclear


def prove_absence(observed: DeletionObserved, identity: Identity, moment: Moment) -> Proof:
    """Absent only by two witnesses; Present by the newest LIST; else the facts that are missing or the failure."""
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
    """A failed request counts for a while, then it is repeated."""
    failure = evidence.failure or CloudUnavailable("the request was abandoned; it is repeated")
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
    """show_node_pool, begun no earlier than the first of the LISTs that agree: a later LIST refutes older answers."""
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
            "list_node_pools does not show the node pool, but show_node_pool does",
            frozenset({Fact.LISTING, Fact.NODE_POOL}),
            moment,
        )
    if earlier is not None and _is_one_interval_later(observed, earlier, listing):
        return Absent()
    return weigh_failure(shown, Fact.NODE_POOL, moment)


def _is_one_interval_later(
    observed: DeletionObserved, earlier: Evidence[NodePoolListing], listing: Evidence[NodePoolListing]
) -> bool:
    """After an accepted DELETE, a second LIST one interval later replaces show_node_pool."""
    if observed.record.accepted_time is None or observed.account is None:
        return False
    return timedelta(seconds=listing.begun - earlier.begun) >= observed.account.active_poll_interval


def _prove_resource_pool_absent(
    observed: DeletionObserved, identity: Identity, listing: Evidence[NodePoolListing], moment: Moment
) -> Proof:
    """show_pool answers ModelArts.50015001, and list_pools of the pinned workspace does not show it.

    Both begun no earlier than the first of the LISTs that agree: a successful LIST refutes older answers.
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
            "list_node_pools answers that the resource pool does not exist, but another request shows it",
            both | {Fact.LISTING},
            moment,
        )
    if isinstance(shown.failure, ResourcePoolNotFound):
        return Absent(with_resource_pool=True)
    return weigh_failure(shown, Fact.RESOURCE_POOL, moment)


def _weigh_contradiction(oldest: float, words: str, facts: frozenset[Fact], moment: Moment) -> Missing | Unclear:
    # The age of the older one counts: polls renew the other one again and again.
    left = RETRY_AFTER - moment.age_of(oldest)
    if left <= timedelta():
        return Missing(facts)
    return Unclear(CloudUnavailable(f"{words}; both are requested again"), left)
