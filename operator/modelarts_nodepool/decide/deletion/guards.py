"""The guards: policy, account, identity, accidents bigger than one object, duplicates, billing, budget. Pure.

Each says what lifts it: a confirmation (names the node pool), an override (names the object's uid), or time. Called
by decide/deletion/table.py, which has their order.

- Duplicates are objects that refer to one node pool; only the last of them may delete it. A rename or a move between
  namespaces in Git creates the new object and prunes the old one: that must not delete the node pool. And two objects
  that are deleted together must not send two DELETEs.
- Nothing that is billed yearly/monthly, or locked, is deleted, and billing must be known.
- The budget is how many DELETEs an account may send in a time window, and in which order. The cluster keeps the
  record: sent_time of the objects, and recentDeletions of the account. A restart loses nothing. Only a slot that is
  reserved but not written ahead yet is kept in memory.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from modelarts_nodepool.api.annotations import ineffective_override, quoted, unusual_pause
from modelarts_nodepool.api.meta import ConditionStatus, ConditionType, find_condition, to_timestamp
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION
from modelarts_nodepool.api.node_pool import Counts, DeletionPolicy
from modelarts_nodepool.api.objects import Account, Metadata, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.absence import Missing, weigh_failure
from modelarts_nodepool.decide.deletion.decision import HELD, Decision, Hold, Look, Release
from modelarts_nodepool.decide.deletion.in_flight import shown_counts
from modelarts_nodepool.decide.deletion.record import record_of
from modelarts_nodepool.decide.deletion.workloads import fetched_with_nodes, is_wanted
from modelarts_nodepool.decide.failures import hold_for
from modelarts_nodepool.decide.observed import (
    BudgetView,
    Container,
    DeletionObserved,
    Evidence,
    Fact,
    FoundOwner,
    OwnerState,
)
from modelarts_nodepool.errors import NotFound
from modelarts_nodepool.logs import clean_name
from modelarts_nodepool.ports import Billing, CloudNode, CloudNodePool, CloudResourcePool, Moment

# Facts that let a DELETE pass are younger than this. CRD and namespace are read by GET, never taken from a watch.
FRESH = timedelta(seconds=60)
# Owners only change the message of a hold that a person lifts.
OWNERS_LAST = timedelta(minutes=5)
OWNERS_NAMED = 5
_NAMED_FINALIZERS = 5
_SHOWN = 100


def retained(observed: DeletionObserved, _: Moment) -> Decision | None:
    """The policy is Retain, or was Retain at any time since the deletion: release without a request to ModelArts."""
    node_pool = observed.node_pool
    if node_pool.spec.deletion_policy is not DeletionPolicy.RETAIN and not observed.retain_seen:
        return None
    name = observed.node_pool_name
    if observed.record.sent_time is not None:
        words = (
            f"a DELETE of node pool {name} was sent before the policy became Retain; check it in the ModelArts console"
        )
        return Release(Reason.RETAINED_AFTER_SEND, words, is_orphan=True)
    if _was_held(observed) or observed.record.attempt > 0:
        words = f"node pool {name} stays in the cloud and no object refers to it; its deletion was held"
        return Release(Reason.ORPHANED, words, is_orphan=True)
    return Release(Reason.RETAINED, f"node pool {name} stays in the cloud, because deletionPolicy is Retain")


def _was_held(observed: DeletionObserved) -> bool:
    blocked = find_condition(observed.node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
    # ReleaseRefused: the release was decided before, so a retained node pool does not become an orphan.
    return blocked is not None and blocked.status is ConditionStatus.TRUE and blocked.reason != Reason.RELEASE_REFUSED


def account_not_found(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Without the account the operator has no credentials."""
    if observed.account is not None:
        return None
    node_pool = observed.node_pool
    words = (
        f"ModelArtsAccount {node_pool.spec.account_ref.name} does not exist; create it: "
        f"{remedies.create_account()}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.ACCOUNT_NOT_FOUND, words, HELD)


def not_granted(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Without a grant the object may neither read nor delete the node pool."""
    if observed.account is None or observed.account.is_granted:
        return None
    node_pool, name = observed.node_pool, observed.node_pool.spec.account_ref.name
    words = (
        f"ModelArtsAccount {name} grants namespace {node_pool.metadata.namespace} no access to resource pool "
        f"{node_pool.spec.pool_name}; add it to "
        f"spec.grants{remedies.by_hand(observed.account.account.metadata, remedies.edit_account(name))}"
    )
    return Hold(Reason.NOT_GRANTED, f"{words}; {remedies.way_out(node_pool)}", HELD)


def identity_mismatch(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Account and spec now name another node pool than the pinned one."""
    pinned = observed.node_pool.status.identity
    if pinned is None or observed.account is None or pinned == observed.account.identity:
        return None
    words = (
        f"the object refers to node pool {pinned.node_pool_name} of resource pool {pinned.pool_name} in project "
        f"{pinned.project_id} ({pinned.region}), but account and spec now give another "
        f"{observed.account.changed_from(pinned)}; create the account again with the old values; to see the account: "
        f"{remedies.describe_account(observed.node_pool.spec.account_ref.name)}"
    )
    return Hold(Reason.IDENTITY_MISMATCH, f"{words}; {remedies.way_out(observed.node_pool)}", HELD)


def paused(observed: DeletionObserved, _: Moment) -> Decision | None:
    """After `absence`: a paused object is released once its node pool is proven gone."""
    node_pool = observed.node_pool
    if not node_pool.is_paused:
        return None
    words = (
        f"the object is paused{unusual_pause(node_pool)}; no DELETE is sent; to resume: "
        f"{remedies.unpause(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.PAUSED, words, HELD)


def other_finalizers(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Another controller still needs the object."""
    node_pool = observed.node_pool
    others = node_pool.other_finalizers
    if not others or Reason.OTHER_FINALIZERS in node_pool.overrides:
        return None
    named = ", ".join(others[:_NAMED_FINALIZERS]) + (", …" if len(others) > _NAMED_FINALIZERS else "")
    words = (
        f"the object has other finalizers ({named}); the node pool is deleted after they are removed; to delete it "
        f"now{ineffective_override(node_pool, Reason.OTHER_FINALIZERS)}: "
        f"{remedies.override(node_pool, Reason.OTHER_FINALIZERS)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.OTHER_FINALIZERS, words, HELD)


def crd_terminating(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """The CRD is being deleted, and with it every object of its kind."""
    what = "the CRD of the kind ModelArtsNodePool"
    return _terminating(observed, observed.definition, Fact.DEFINITION, Reason.CRD_TERMINATING, what, moment)


def namespace_terminating(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """The namespace is being deleted, and with it every object in it."""
    what = f"namespace {observed.node_pool.metadata.namespace}"
    return _terminating(observed, observed.namespace, Fact.NAMESPACE, Reason.NAMESPACE_TERMINATING, what, moment)


def _terminating(
    observed: DeletionObserved,
    evidence: Evidence[Container] | None,
    fact: Fact,
    reason: Reason,
    what: str,
    moment: Moment,
) -> Decision | None:
    """Hold if the container was deleted no later than the object: then this object was not deleted by itself."""
    if is_confirmed(observed):
        return None
    if evidence is None or evidence.begun < observed.deletion_seen or moment.age_of(evidence.begun) >= FRESH:
        return Look(frozenset({Fact.DEFINITION, Fact.NAMESPACE}))
    if evidence.value is None:
        # Also after a request that was abandoned: without a pause the table would ask for the fact in a loop.
        weighed = weigh_failure(evidence, fact, moment)
        if isinstance(weighed, Missing):
            return Look(weighed.facts)
        return hold_for(observed.node_pool, weighed.failure, f"{fact} could not be read", weighed.retry_after)
    fate = _fate(evidence.value, observed.node_pool.metadata)
    return Hold(reason, _confirmable(observed, f"{what} {fate}"), HELD) if fate else None


def _fate(container: Container, metadata: Metadata) -> str:
    """What happened to the container no later than the object was deleted; "" if nothing."""
    deleted = metadata.deleted
    if deleted is None:
        return ""
    if container.created is None:
        return "no longer exists; every object in it was deleted"
    if container.deleted is not None and container.deleted <= deleted:
        return "is being deleted with every object in it"
    # A container that is younger than the object replaced the one in which the object was created.
    if metadata.created < container.created and deleted <= container.created:
        return "was deleted with every object in it, and created again"
    return ""


def owned(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """The garbage collector deletes an object if none of its owners exists, without a person's intent.

    Kubernetes does not show who sent the delete, so every object with ownerReferences is held. The state of the owners
    only says how likely a garbage collection is.
    """
    owners, evidence = observed.node_pool.metadata.owners, observed.owners
    if not owners or is_confirmed(observed):
        return None
    if evidence is None or evidence.begun < observed.deletion_seen or moment.age_of(evidence.begun) >= OWNERS_LAST:
        return Look(frozenset({Fact.OWNERS}))
    found = evidence.value or tuple(FoundOwner(owner, OwnerState.UNKNOWN) for owner in owners[:OWNERS_NAMED])
    is_gone = any(each.state is OwnerState.GONE for each in found)
    if is_gone:
        what = "an owner of the object does not exist in this cluster, so the garbage collector may have deleted it"
    else:
        what = "the object has owners, so the garbage collector may have deleted it"
    more = len(owners) - len(found)
    named = ", ".join(_describe_owner(each) for each in found) + (f", and {more} more" if more > 0 else "")
    reason = Reason.OWNER_GONE if is_gone else Reason.OWNED_OBJECT
    return Hold(reason, _confirmable(observed, f"{what} ({named})"), HELD)


def _describe_owner(found: FoundOwner) -> str:
    owner = found.owner
    kind, name, version = (clean_name(part, _SHOWN) for part in (owner.kind, owner.name, owner.api_version))
    return f"{kind} {name} of {version} {found.state}" + (f": {found.why}" if found.why else "")


def confirmation_required(observed: DeletionObserved, _: Moment) -> Decision | None:
    """The account requires a confirmation of every deletion."""
    if observed.account is None or not observed.account.account.spec.require_confirmation or is_confirmed(observed):
        return None
    what = f"ModelArtsAccount {observed.node_pool.spec.account_ref.name} requires a confirmation of every deletion"
    return Hold(Reason.CONFIRMATION_REQUIRED, _confirmable(observed, what), HELD)


def last_node_pool(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Deleting the last node pool can remove the whole resource pool."""
    node_pool, identity = observed.node_pool, observed.identity
    if identity is None or Reason.LAST_NODE_POOL in node_pool.overrides:
        return None
    listing = observed.listing.value if observed.listing else None
    if listing is not None and any(_remains(observed, shown) for shown in listing.node_pools.values()):
        return None
    words = (
        f"node pool {observed.node_pool_name} is the last node pool of resource pool {identity.pool_name}, not "
        "counting those being deleted; deleting it can remove the whole resource pool, or ModelArts may refuse it; to "
        f"delete it anyway{ineffective_override(node_pool, Reason.LAST_NODE_POOL)}: "
        f"{remedies.override(node_pool, Reason.LAST_NODE_POOL)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.LAST_NODE_POOL, words, HELD)


def _remains(observed: DeletionObserved, shown: CloudNodePool) -> bool:
    """Whether this is another node pool that nothing deletes."""
    is_leaving = shown.name in observed.leaving or (
        shown.counts is not None and 0 < shown.counts.total == shown.counts.deleting
    )
    return shown.name != observed.node_pool_name and not is_leaving


def is_confirmed(observed: DeletionObserved) -> bool:
    """Whether the annotation confirm-delete names this node pool."""
    return observed.node_pool.confirmation == observed.node_pool_name


def _confirmable(observed: DeletionObserved, what: str) -> str:
    node_pool, given = observed.node_pool, observed.node_pool.confirmation
    named = (
        ""
        if given is None
        else f" ({CONFIRM_ANNOTATION} names {quoted(given)}, the node pool is {quoted(observed.node_pool_name)})"
    )
    return (
        f"{what}; confirm the deletion of node pool {observed.node_pool_name}{named}: {remedies.confirm(node_pool)}; "
        f"{remedies.way_out(node_pool)}"
    )


SOON = timedelta(seconds=2)


def handed_over(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Release without a request to ModelArts if another object keeps the node pool or deletes it."""
    if observed.record.sent_time is not None:
        return None
    living = [other for other in observed.duplicates if other.metadata.deleted is None]
    protected = [other for other in living if other.is_protected]
    if protected:
        return _release(observed, protected[0], "keeps it")
    if living:
        words = (
            f"{living[0].title} also refers to node pool {observed.node_pool_name}; this object is released after "
            f"that object gets this operator's finalizer: {remedies.show(living[0])}; or release this object now: "
            f"{remedies.retain(observed.node_pool)}"
        )
        return Hold(Reason.DUPLICATE_OBJECT, words, SOON, is_transient=True)
    return _unplaced(observed) or _all_deleted(observed)


def _unplaced(observed: DeletionObserved) -> Decision | None:
    """The watch of namespaces may be behind the watch of objects, and grants depend on namespace labels."""
    other = observed.unplaced_duplicate
    if other is None:
        return None
    namespace = other.metadata.namespace
    words = (
        f"{other.title} also names node pool {observed.node_pool_name}, but the operator has not seen namespace "
        f"{namespace} yet, so it cannot check whether the account grants that object the node pool; retries "
        f"automatically; details: {remedies.show_namespace(namespace)}; {remedies.way_out(observed.node_pool)}"
    )
    return Hold(Reason.DUPLICATE_OBJECT, words, SOON, is_transient=True)


def _all_deleted(observed: DeletionObserved) -> Decision | None:
    """All are being deleted: the oldest object sends the DELETE, and the others are released once it is recorded.

    Not before: two objects that hand over to each other at the same moment would both go, and nothing would delete the
    node pool. Objects with the policy Retain, or without our finalizer, cannot take over.
    """
    deleting = [
        other
        for other in observed.duplicates
        if other.is_protected and other.spec.deletion_policy is DeletionPolicy.DELETE
    ]
    sent = [other for other in deleting if record_of(other).sent_time is not None]
    if sent:
        return _release(observed, min(sent, key=_age), "sent its DELETE")
    older = [other for other in deleting if _age(other) < _age(observed.node_pool)]
    if not older:
        return None
    first = min(older, key=_age)
    words = (
        f"{first.title} also refers to node pool {observed.node_pool_name}, is older and sends the DELETE; this object "
        f"is released after that; details: {remedies.describe(first)}; or release only this object now: "
        f"{remedies.retain(observed.node_pool)}"
    )
    return Hold(Reason.DUPLICATE_OBJECT, words, SOON)


def unreadable_duplicate(observed: DeletionObserved, _: Moment) -> Decision | None:
    """An object that this version cannot read may keep the node pool.

    After `absence`: what is gone is released. Before every DELETE, not only before the first one.
    """
    other = observed.unreadable_duplicate
    if other is None:
        return None
    words = (
        f"{other.title} also names node pool {observed.node_pool_name}, but this version of the operator cannot read "
        f"that object ({other.problem}), so it cannot check whether that object keeps the node pool; continues "
        f"automatically after that object is corrected or deleted; details: {remedies.describe(other)}; "
        f"{remedies.way_out(observed.node_pool)}"
    )
    return Hold(Reason.DUPLICATE_OBJECT, words, SOON)


def _release(observed: DeletionObserved, heir: NodePool, what: str) -> Release:
    name = observed.node_pool_name
    words = f"{heir.title} also refers to node pool {name} and {what}; no DELETE was sent for this object"
    return Release(Reason.HANDED_OVER, words, heir=heir)


def _age(node_pool: NodePool) -> tuple[datetime, str]:
    return (node_pool.metadata.created, node_pool.metadata.uid)


# Facts that hold a DELETE are this old at most; those that let it pass are younger (`_outdated`).
_BILLING_HELD = timedelta(minutes=5)
_NAMED_NODES = 3


def billing(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Hold for yearly/monthly, locked and unknown billing; fetch facts that are missing or old."""
    resource_pool, nodes = observed.resource_pool, observed.nodes
    missing = frozenset(
        fact
        for fact, evidence in ((Fact.RESOURCE_POOL, resource_pool), (Fact.NODES, nodes))
        if not observed.is_usable(evidence, moment, _BILLING_HELD)
    )
    if missing or resource_pool is None or nodes is None:
        return Look(missing | fetched_with_nodes(observed))
    for fact, evidence in ((Fact.RESOURCE_POOL, resource_pool), (Fact.NODES, nodes)):
        if evidence.value is None:
            return _failed(observed, evidence, fact, moment)
    return _hold(observed, resource_pool.value, nodes.value or ())


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
            f"{remedies.reconcile_now(node_pool)}; {remedies.way_out(node_pool)}"
        )
        return Hold(Reason.NODE_LOCKED, words, _BILLING_HELD)
    unknown = _unknown_billing(observed, own, nodes)
    if unknown is None or Reason.BILLING_UNKNOWN in node_pool.overrides:
        return None
    words = (
        f"ModelArts does not report how {unknown} billed; if you know that it is pay-per-use"
        f"{ineffective_override(node_pool, Reason.BILLING_UNKNOWN)}: "
        f"{remedies.override(node_pool, Reason.BILLING_UNKNOWN)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.BILLING_UNKNOWN, words, _BILLING_HELD)


def _yearly_monthly(observed: DeletionObserved, what: str) -> Hold:
    node_pool = observed.node_pool
    words = (
        f"{what}; ModelArts does not delete prepaid nodes, and this operator never unsubscribes; no DELETE is sent; "
        f"unsubscribe in the ModelArts console, then: {remedies.reconcile_now(node_pool)}; "
        f"{remedies.way_out(node_pool)}"
    )
    return Hold(Reason.YEARLY_MONTHLY_BILLING, words, _BILLING_HELD)


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


def _name_some(names: list[str]) -> str:
    shown = ", ".join(clean_name(name, _SHOWN) for name in names[:_NAMED_NODES])
    more = f" and {len(names) - _NAMED_NODES} more" if len(names) > _NAMED_NODES else ""
    return f"node {shown} is" if len(names) == 1 else f"nodes {shown}{more} are"


# (deletionTimestamp, uid): the oldest deletion gets the first slot that frees.
Place = tuple[datetime, str]


def budget_exhausted(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Hold until a slot frees. Nothing on the object lifts it.

    The last guard before the DELETE: a slot is given for fresh facts only.
    """
    old = _outdated(observed, moment)
    if old:
        return Look(old)
    budget = observed.budget
    if budget is None or not budget.is_used_up:
        return None
    name = observed.node_pool.spec.account_ref.name
    command = remedies.edit_account(name)
    change = remedies.by_hand(observed.account.account.metadata, command) if observed.account else f": {command}"
    frees_at = budget.frees_at or moment.utc + budget.window
    words = (
        f"the deletion budget of ModelArtsAccount {name} is used up: {budget.used} of {budget.limit} DELETEs in the "
        f"last {_describe_window(budget.window)}; the next slot frees at {to_timestamp(frees_at)}; the operator then "
        f"continues automatically, oldest deletion first ({budget.ahead} ahead); an administrator can raise "
        f"spec.deletionBudget{change}; {remedies.way_out(observed.node_pool)}"
    )
    left = min(max(frees_at - moment.utc, timedelta(seconds=1)), HELD)
    return Hold(Reason.DELETION_BUDGET_EXHAUSTED, words, left)


def _outdated(observed: DeletionObserved, moment: Moment) -> frozenset[Fact]:
    """Facts that are too old for a DELETE. Guards that hold accept older ones."""
    facts: dict[Fact, Evidence[object] | None] = {
        Fact.LISTING: observed.listing,
        Fact.RESOURCE_POOL: observed.resource_pool,
        Fact.NODES: observed.nodes,
    }
    if is_wanted(observed) and observed.workloads is not None:
        facts[Fact.WORKLOADS] = observed.workloads
    longest = FRESH - observed.spare
    return frozenset(fact for fact, evidence in facts.items() if not observed.is_usable(evidence, moment, longest))


def _describe_window(window: timedelta) -> str:
    hours, rest = divmod(int(window.total_seconds()), 3600)
    return f"{hours} h" if hours and not rest else f"{int(window.total_seconds()) // 60} min"


@dataclass(slots=True)
class Waiting:
    """The deletions that only the budget holds, in order. Each counts those before it without visiting them."""

    _ordered: list[Place] = field(default_factory=list)
    _by_uid: dict[str, Place] = field(default_factory=dict)

    @property
    def uids(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(uid for _, uid in self._ordered)

    def add(self, place: Place) -> None:
        """Start to wait, or wait at another place."""
        self.remove(place[1])
        self._by_uid[place[1]] = place
        insort(self._ordered, place)

    def remove(self, uid: str) -> None:
        """Stop to wait; no effect if it does not wait."""
        place = self._by_uid.pop(uid, None)
        if place is not None:
            del self._ordered[bisect_left(self._ordered, place)]

    def __len__(self) -> int:
        """How many wait."""
        return len(self._ordered)

    def before(self, place: Place, apart_from: Iterable[str]) -> int:
        """How many wait before this place, without these uids."""
        others = (self._by_uid[uid] for uid in apart_from if uid in self._by_uid)
        return bisect_left(self._ordered, place) - sum(1 for other in others if other < place)


def view_budget(
    account: Account,
    place: Place,
    sent: Mapping[str, datetime | None],
    waiting: Waiting,
    now: datetime,
) -> BudgetView:
    """What others than the deletion at `place` use, and how many of `waiting` come before it.

    `sent`: uid → sent_time of objects whose DELETE may be in effect; None for a slot that is only reserved.
    """
    budget = account.spec.deletion_budget
    if budget.unlimited or budget.max is None or budget.window is None:
        return BudgetView(limit=None)
    times: dict[str, datetime] = {
        entry.uid: entry.sent_time for entry in account.status.recent_deletions if entry.sent_time is not None
    }
    times |= {other: moment or now for other, moment in sent.items()}
    times.pop(place[1], None)
    inside = sorted(moment for moment in times.values() if now - moment < budget.window)
    ahead = waiting.before(place, apart_from=times)
    frees_at = inside[len(inside) - budget.max] + budget.window if len(inside) >= budget.max else None
    return BudgetView(limit=budget.max, window=budget.window, used=len(inside), ahead=ahead, frees_at=frees_at)
