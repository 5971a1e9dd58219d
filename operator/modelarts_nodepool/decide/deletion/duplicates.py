"""The guards of duplicates: several objects refer to one node pool, and only the last of them may delete it.

A rename or a move between namespaces in Git creates the new object and prunes the old one. That must not delete the
node pool. And two objects that are deleted together must not send two DELETEs.
"""

from datetime import datetime, timedelta

from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Release
from modelarts_nodepool.decide.deletion.record import record_of
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.ports import Moment

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
