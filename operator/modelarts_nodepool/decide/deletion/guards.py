"""Rows 12, 13, 13a, 14, 16 and 17: accidents that are bigger than one object, and limits that admins set.

Each holds with what lifts it: a confirmation (naming the node pool), an override (naming the object's uid), time.
"""

from collections.abc import Iterable
from datetime import timedelta

from modelarts_nodepool.api.annotations import ineffective_override, quoted
from modelarts_nodepool.api.model import to_timestamp
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION
from modelarts_nodepool.api.objects import Metadata
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.absence import Missing, weigh_failure
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look
from modelarts_nodepool.decide.failures import hold_for
from modelarts_nodepool.decide.observed import Container, DeletionObserved, Evidence, Fact, FoundOwner, OwnerState
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import CloudNodePool, Moment

# The CRD and the namespace are read by GET, never taken from a watch, and no older than this.
FRESH = timedelta(seconds=60)
HELD = timedelta(minutes=1)
# The owners only change the words of a hold that a person ends.
OWNERS_LAST = timedelta(minutes=5)
OWNERS_NAMED = 5
_SHOWN = 100


def definition_terminating(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Row 12: the CRD is being deleted, and with it every object there is."""
    what = "the CRD of the kind ModelArtsNodePool"
    return _doomed(observed, observed.definition, Fact.DEFINITION, Reason.CRD_TERMINATING, what, moment)


def namespace_terminating(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Row 13: the namespace is being deleted, and with it every object in it."""
    what = f"namespace {observed.node_pool.metadata.namespace}"
    return _doomed(observed, observed.namespace, Fact.NAMESPACE, Reason.NAMESPACE_TERMINATING, what, moment)


def owned(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Row 13a: the garbage collector deletes an object none of whose owners exists, and nobody meant it.

    Who sent the delete cannot be seen, so every object that has owners is held; what is known of them only says how
    likely that is.
    """
    owners, evidence = observed.node_pool.metadata.owners, observed.owners
    if not owners or is_confirmed(observed):
        return None
    if evidence is None or evidence.begun < observed.deletion_seen or moment.age_of(evidence.begun) >= OWNERS_LAST:
        return Look(frozenset({Fact.OWNERS}))
    found = evidence.value or tuple(FoundOwner(owner, OwnerState.UNKNOWN) for owner in owners[:OWNERS_NAMED])
    is_gone = any(each.state is OwnerState.GONE for each in found)
    if is_gone:
        what = "an owner of the object is not in this cluster, so the garbage collector may have deleted it"
    else:
        what = "the object has owners, so the garbage collector may have deleted it because of them"
    more = len(owners) - len(found)
    named = ", ".join(_owner(each) for each in found) + (f", and {more} more" if more > 0 else "")
    return Hold(
        Reason.OWNER_GONE if is_gone else Reason.OWNED_OBJECT, _confirmable(observed, f"{what} ({named})"), HELD
    )


def _owner(found: FoundOwner) -> str:
    owner = found.owner
    kind, name, version = (clean(part, _SHOWN) for part in (owner.kind, owner.name, owner.api_version))
    return f"{kind} {name} of {version} {found.state}" + (f": {found.why}" if found.why else "")


def confirmation_required(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Row 14: the account asks for a confirmation of every deletion."""
    if observed.account is None or not observed.account.account.spec.require_confirmation or is_confirmed(observed):
        return None
    what = f"ModelArtsAccount {observed.node_pool.spec.account_ref.name} asks for a confirmation of every deletion"
    return Hold(Reason.CONFIRMATION_REQUIRED, _confirmable(observed, what), HELD)


def last_node_pool(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Row 16: deleting the last node pool can remove the whole resource pool."""
    node_pool, identity = observed.node_pool, observed.identity
    if identity is None or Reason.LAST_NODE_POOL in node_pool.overrides:
        return None
    listing = observed.listing.value if observed.listing else None
    if listing is not None and _remaining(observed, listing.node_pools.values()):
        return None
    words = (
        f"node pool {observed.node_pool_name} is the last one of resource pool {identity.pool_name} (those being "
        "deleted do not count), and deleting it can remove the whole resource pool, or ModelArts may refuse it; if "
        f"that is meant{ineffective_override(node_pool, Reason.LAST_NODE_POOL)}: "
        f"{remedies.override(node_pool, Reason.LAST_NODE_POOL)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.LAST_NODE_POOL, words, HELD)


def budget_exhausted(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Row 17: so many DELETEs in so much time; nothing on the object lifts it, it frees by itself."""
    budget = observed.budget
    if budget is None or not budget.is_used_up:
        return None
    frees_at = budget.frees_at or moment.utc + budget.window
    words = (
        f"the deletion budget of ModelArtsAccount {observed.node_pool.spec.account_ref.name} is used: {budget.used} of "
        f"{budget.limit} DELETEs in the last {_span(budget.window)}; the next slot frees at {to_timestamp(frees_at)} "
        f"and is taken by itself, oldest deletion first ({budget.ahead} ahead); an administrator can raise "
        f"spec.deletionBudget{_change_account(observed)}; {remedies.way_out(observed.node_pool)}"
    )
    left = min(max(frees_at - moment.utc, timedelta(seconds=1)), HELD)
    return Hold(Reason.DELETION_BUDGET_EXHAUSTED, words, left)


def _change_account(observed: DeletionObserved) -> str:
    name = observed.node_pool.spec.account_ref.name
    command = remedies.edit_account(name)
    return remedies.by_hand(observed.account.account.metadata, command) if observed.account else f": {command}"


def is_confirmed(observed: DeletionObserved) -> bool:
    """Whether people named this very node pool in confirm-delete."""
    return observed.node_pool.confirmation == observed.node_pool_name


def _doomed(
    observed: DeletionObserved,
    evidence: Evidence[Container] | None,
    fact: Fact,
    reason: Reason,
    what: str,
    moment: Moment,
) -> Decision | None:
    """Held where the container was deleted no later than the object: nobody meant this object in particular."""
    if is_confirmed(observed):
        return None
    if evidence is None or evidence.begun < observed.deletion_seen or moment.age_of(evidence.begun) >= FRESH:
        return Look(frozenset({Fact.DEFINITION, Fact.NAMESPACE}))
    if evidence.value is None:
        # A look that was given up as well: it stands for a while, so that nothing asks without end.
        weighed = weigh_failure(evidence, fact, moment)
        if isinstance(weighed, Missing):
            return Look(weighed.facts)
        return hold_for(observed.node_pool, weighed.failure, f"{fact} could not be read", weighed.retry_after)
    fate = _fate(evidence.value, observed.node_pool.metadata)
    return Hold(reason, _confirmable(observed, f"{what} {fate}"), HELD) if fate else None


def _fate(container: Container, metadata: Metadata) -> str:
    """What happened to the container no later than the object was deleted, in words; empty where nothing did."""
    deleted = metadata.deleted
    if deleted is None:
        return ""
    if container.created is None:
        return "is gone, and every object in it was deleted with it"
    if container.deleted is not None and container.deleted <= deleted:
        return "is being deleted, and with it every object in it"
    # One that is younger than the object is not the one that the object was created in: that one was deleted.
    if metadata.created < container.created and deleted <= container.created:
        return "was deleted, and with it every object in it, before it was created again"
    return ""


def _confirmable(observed: DeletionObserved, what: str) -> str:
    node_pool = observed.node_pool
    given = node_pool.confirmation
    named = (
        ""
        if given is None
        else f" ({CONFIRM_ANNOTATION} names {quoted(given)}, the node pool is {quoted(observed.node_pool_name)})"
    )
    return (
        f"{what}; confirm the deletion of node pool {observed.node_pool_name}{named}: {remedies.confirm(node_pool)}; "
        f"{remedies.way_out(node_pool)}"
    )


def _remaining(observed: DeletionObserved, node_pools: Iterable[CloudNodePool]) -> bool:
    return any(
        shown.name != observed.node_pool_name
        and shown.name not in observed.leaving
        and not (shown.counts is not None and 0 < shown.counts.total == shown.counts.deleting)
        for shown in node_pools
    )


def _span(window: timedelta) -> str:
    hours, rest = divmod(int(window.total_seconds()), 3600)
    return f"{hours} h" if hours and not rest else f"{int(window.total_seconds()) // 60} min"
