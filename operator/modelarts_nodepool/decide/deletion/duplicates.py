"""Row 5: several objects stand for one node pool. Only the last of them may delete it.

Git renames an object or moves its namespace: the new one is applied, the old one pruned. That must not cost the
node pool, and two objects deleted together must not send two DELETEs.
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
    """Released without a call where another object goes on with the node pool, or deletes it."""
    if observed.record.sent_time is not None:
        return None
    living = [twin for twin in observed.duplicates if twin.metadata.deleted is None]
    protected = [twin for twin in living if twin.is_protected]
    if protected:
        return _release(observed, protected[0], "goes on with it")
    if living:
        words = (
            f"{living[0].title} stands for the same node pool and is about to take over; it lacks this operator's "
            f"finalizer yet: {remedies.show(living[0])}; or let this object go at once: "
            f"{remedies.retain(observed.node_pool)}"
        )
        return Hold(Reason.DUPLICATE_OBJECT, words, SOON, is_transient=True)
    return _unplaced(observed) or _among_deleted(observed)


def unreadable(observed: DeletionObserved, _: Moment) -> Decision | None:
    """Nobody can say whether an object that this version cannot read goes on with the node pool.

    Behind the proof of absence: what is gone is released all the same. Before every DELETE, not the first alone.
    """
    twin = observed.unreadable_duplicate
    if twin is None:
        return None
    words = (
        f"{twin.title} names node pool {observed.node_pool_name} as well and cannot be read by this version of the "
        f"operator ({twin.problem}), so it cannot say whether that object goes on with the node pool; this is "
        f"decided once that object is readable or gone; see what it needs: {remedies.describe(twin)}; "
        f"{remedies.way_out(observed.node_pool)}"
    )
    return Hold(Reason.DUPLICATE_OBJECT, words, SOON)


def _unplaced(observed: DeletionObserved) -> Decision | None:
    """The watch of namespaces may lag behind that of objects: nothing is decided on a guess."""
    twin = observed.unplaced_duplicate
    if twin is None:
        return None
    namespace = twin.metadata.namespace
    words = (
        f"{twin.title} names node pool {observed.node_pool_name} as well, and the operator has not seen namespace "
        f"{namespace} yet, so it cannot say whether that object is granted the node pool and goes on with it; "
        f"this is decided once it has: {remedies.show_namespace(namespace)}; "
        f"{remedies.way_out(observed.node_pool)}"
    )
    return Hold(Reason.DUPLICATE_OBJECT, words, SOON, is_transient=True)


def _among_deleted(observed: DeletionObserved) -> Decision | None:
    """All are being deleted: the oldest deletes the node pool, and the others go once its DELETE is written down.

    Not before: two that hand over to each other at the same moment would both go, and the node pool would be forgotten.
    Those that will not delete the node pool (Retain) cannot take over, nor can those out of our hands.
    """
    deleting = [
        twin for twin in observed.duplicates if twin.is_protected and twin.spec.deletion_policy is DeletionPolicy.DELETE
    ]
    sent = [twin for twin in deleting if record_of(twin).sent_time is not None]
    if sent:
        return _release(observed, min(sent, key=_age), "has sent its DELETE")
    older = [twin for twin in deleting if _age(twin) < _age(observed.node_pool)]
    if not older:
        return None
    first = min(older, key=_age)
    words = (
        f"{first.title} is older, stands for node pool {observed.node_pool_name} as well and is deleted first; this "
        f"object goes with it; see what it waits for: {remedies.describe(first)}; or let only this object go, the "
        f"other one goes on: {remedies.retain(observed.node_pool)}"
    )
    return Hold(Reason.DUPLICATE_OBJECT, words, SOON)


def _release(observed: DeletionObserved, heir: NodePool, what: str) -> Release:
    words = f"{heir.title} stands for node pool {observed.node_pool_name} as well and {what}: nothing was sent"
    return Release(Reason.HANDED_OVER, words, heir=heir)


def _age(node_pool: NodePool) -> tuple[datetime, str]:
    return (node_pool.metadata.created, node_pool.metadata.uid)
