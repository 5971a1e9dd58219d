"""The short guards: policy, account, identity, accidents that are bigger than one object, and limits of admins.

Each says what lifts it: a confirmation (names the node pool), an override (names the object's uid), or time. Called
by decide/deletion/table.py only.
"""

from datetime import timedelta

from modelarts_nodepool.api.annotations import ineffective_override, quoted, unusual_pause
from modelarts_nodepool.api.conditions import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION
from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.api.objects import Metadata
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.absence import Missing, weigh_failure
from modelarts_nodepool.decide.deletion.decision import HELD, Decision, Hold, Look, Release
from modelarts_nodepool.decide.failures import hold_for
from modelarts_nodepool.decide.observed import Container, DeletionObserved, Evidence, Fact, FoundOwner, OwnerState
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import CloudNodePool, Moment

# The CRD and the namespace are read by GET, never taken from a watch, and are no older than this.
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
    only tells how likely a garbage collection is.
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
    kind, name, version = (clean(part, _SHOWN) for part in (owner.kind, owner.name, owner.api_version))
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
