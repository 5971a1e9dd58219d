"""The guard of billing: nothing that is billed yearly/monthly, or locked, is deleted, and billing must be known."""

from datetime import timedelta
from typing import TypeVar

from modelarts_nodepool.api.annotations import ineffective_override
from modelarts_nodepool.api.node_pool import Counts
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.absence import Missing, weigh_failure
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look
from modelarts_nodepool.decide.deletion.in_flight import shown_counts
from modelarts_nodepool.decide.failures import hold_for
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact
from modelarts_nodepool.errors import NotFound
from modelarts_nodepool.ports import Billing, CloudNode, CloudResourcePool, Moment

T = TypeVar("T")

# Facts that let a DELETE pass are at most this old; facts that hold it are fetched less often.
FRESH = timedelta(seconds=60)
HELD = timedelta(minutes=5)
_NAMED_NODES = 3


def billing(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Hold for yearly/monthly, locked and unknown billing; fetch facts that are missing or old."""
    resource_pool, nodes = observed.resource_pool, observed.nodes
    missing = frozenset(
        fact
        for fact, evidence in ((Fact.RESOURCE_POOL, resource_pool), (Fact.NODES, nodes))
        if not _is_usable(evidence, observed, moment, HELD)
    )
    if missing or resource_pool is None or nodes is None:
        return Look(missing)
    for fact, evidence in ((Fact.RESOURCE_POOL, resource_pool), (Fact.NODES, nodes)):
        if evidence.value is None:
            return _failed(observed, evidence, fact, moment)
    held = _hold(observed, resource_pool.value, nodes.value or ())
    if held is not None:
        return held
    facts = ((Fact.LISTING, observed.listing), (Fact.RESOURCE_POOL, resource_pool), (Fact.NODES, nodes))
    old = frozenset(fact for fact, evidence in facts if not _is_usable(evidence, observed, moment, FRESH))
    return Look(old) if old else None


def _hold(
    observed: DeletionObserved, resource_pool: CloudResourcePool | None, nodes: tuple[CloudNode, ...]
) -> Hold | None:
    node_pool = observed.node_pool
    own = resource_pool.billing if resource_pool else Billing.UNKNOWN
    if own is Billing.YEARLY_MONTHLY:
        return _yearly_monthly(observed, f"resource pool {node_pool.spec.pool_name} is billed yearly/monthly")
    prepaid = [node.name for node in nodes if node.billing is Billing.YEARLY_MONTHLY]
    if prepaid:
        return _yearly_monthly(observed, f"{_name_some(prepaid)} billed yearly/monthly")
    locked = [node.name for node in nodes if node.is_locked]
    if locked:
        words = (
            f"{_name_some(locked)} locked against deletion; unlock in the ModelArts console, then: "
            f"{remedies.look_again(node_pool)}; {remedies.way_out(node_pool)}"
        )
        return Hold(Reason.NODE_LOCKED, words, HELD)
    unknown = _unknown_billing(observed, own, nodes)
    if unknown is None or Reason.BILLING_UNKNOWN in node_pool.overrides:
        return None
    words = (
        f"ModelArts does not report how {unknown} billed; if you know that it is pay-per-use"
        f"{ineffective_override(node_pool, Reason.BILLING_UNKNOWN)}: "
        f"{remedies.override(node_pool, Reason.BILLING_UNKNOWN)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.BILLING_UNKNOWN, words, HELD)


def _yearly_monthly(observed: DeletionObserved, what: str) -> Hold:
    node_pool = observed.node_pool
    words = (
        f"{what}; ModelArts does not delete prepaid nodes, and this operator never unsubscribes; no DELETE is sent; "
        f"unsubscribe in the ModelArts console, then: {remedies.look_again(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.YEARLY_MONTHLY_BILLING, words, HELD)


def _unknown_billing(observed: DeletionObserved, own: Billing, nodes: tuple[CloudNode, ...]) -> str | None:
    if own is Billing.UNKNOWN:
        return f"resource pool {observed.node_pool.spec.pool_name} is"
    unknown = [node.name for node in nodes if node.billing is Billing.UNKNOWN]
    if unknown:
        return _name_some(unknown)
    counts = shown_counts(observed) or Counts()
    if not nodes and counts.available + counts.abnormal > 0:
        # Any of these nodes may be prepaid.
        return f"the {counts.total} nodes that it counts but does not list are"
    return None


def _failed(observed: DeletionObserved, evidence: Evidence[object], fact: Fact, moment: Moment) -> Decision:
    weighed = weigh_failure(evidence, fact, moment)
    if isinstance(weighed, Missing):
        # "Not found" contradicts the LIST that shows the node pool: request the LIST again, too.
        is_contradiction = isinstance(evidence.failure, NotFound)
        return Look(weighed.facts | {Fact.LISTING} if is_contradiction else weighed.facts)
    what = f"whether the node pool may be deleted is unknown ({fact} could not be read)"
    return hold_for(observed.node_pool, weighed.failure, what, weighed.retry_after)


def _is_usable(evidence: Evidence[T] | None, observed: DeletionObserved, moment: Moment, longest: timedelta) -> bool:
    if evidence is None or evidence.begun < observed.deletion_seen:
        return False
    if observed.reconcile_requested is not None and evidence.begun < observed.reconcile_requested:
        return False
    return moment.age_of(evidence.begun) < longest


def _name_some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED_NODES])
    more = f" and {len(names) - _NAMED_NODES} more" if len(names) > _NAMED_NODES else ""
    return f"node {shown} is" if len(names) == 1 else f"nodes {shown}{more} are"
