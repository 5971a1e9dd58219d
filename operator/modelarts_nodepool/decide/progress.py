"""Rows 8 and 9: is an earlier DELETE in effect, did it come to nothing, was it refused?"""

from datetime import datetime, timedelta

from modelarts_nodepool.decide import commands
from modelarts_nodepool.decide.decision import Decision, Hold, Wait
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.decide.record import SETTLE
from modelarts_nodepool.ports import Moment
from modelarts_nodepool.resource.node_pool import Counts, SendOutcome
from modelarts_nodepool.resource.reasons import Reason

STUCK = timedelta(hours=2)
REVERTED = timedelta(minutes=30)
FIRST_REFUSAL = timedelta(minutes=5)
LONGEST_REFUSAL = timedelta(hours=1)


def shown_counts(observed: DeletionObserved) -> Counts | None:
    """Counts of the newest LIST, None where it does not show the node pool or they are unreadable."""
    if observed.listing is None or observed.listing.value is None or observed.identity is None:
        return None
    shown = observed.listing.value.node_pools.get(observed.identity.node_pool_name)
    return shown.counts if shown else None


def decide_in_effect(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Row 8: sent less than two minutes ago, or sent and a node deleting, or every node deleting."""
    counts = shown_counts(observed) or Counts()
    sent = observed.record.sent_time
    just_sent = sent is not None and moment.utc - sent < SETTLE
    in_effect = sent is not None and counts.deleting > 0
    all_deleting = counts.deleting > 0 and counts.deleting == counts.total
    if not (just_sent or in_effect or all_deleting):
        return None
    since = sent or observed.node_pool.metadata.deleted or moment.utc
    retry_after = observed.account.active_poll_interval if observed.account else FIRST_REFUSAL
    if moment.utc - since >= STUCK:
        return Wait(Reason.DELETION_STUCK, _stuck(observed, counts, since), retry_after, is_stuck=True)
    return Wait(Reason.DELETING_NODE_POOL, _waiting(observed, counts, sent), retry_after)


def decide_reverted(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Row 9: refused, or accepted and nothing deleting. Goes on after a while, or at once when asked to."""
    if observed.reconcile_requested is not None:
        return None
    return _refused(observed, moment) or _reverted(observed, moment)


def _refused(observed: DeletionObserved, moment: Moment) -> Hold | None:
    record = observed.record
    if record.outcome is not SendOutcome.REFUSED or record.last_error is None:
        return None
    pause = min(FIRST_REFUSAL * 2 ** min(max(record.attempt - 1, 0), 10), LONGEST_REFUSAL)
    left = _left(record.last_error.time, pause, moment.utc)
    if left is None:
        return None
    error = record.last_error
    said = f"{error.code}: {error.message}" if error.code else error.message
    node_pool = observed.node_pool
    words = (
        f"ModelArts refused to delete node pool {node_pool.node_pool_name}: {said} (request {error.request_id}); "
        f"mend that, then try at once: {commands.look_again(node_pool)}; or let the object go and keep the node "
        f"pool: {commands.retain(node_pool)}"
    )
    return Hold(Reason.REFUSED_BY_MODELARTS, words, left)


def _reverted(observed: DeletionObserved, moment: Moment) -> Hold | None:
    record = observed.record
    if record.accepted_time is None:
        return None
    left = _left(record.nothing_deleting_since or moment.utc, REVERTED, moment.utc)
    if left is None:
        return None
    node_pool = observed.node_pool
    counts = shown_counts(observed) or Counts()
    words = (
        f"ModelArts accepted the DELETE of node pool {node_pool.node_pool_name} (request {record.request_id}), yet "
        f"it is there and none of its {counts.total} nodes is being deleted; sent again 30 min after that was "
        f"first seen, or at once: {commands.look_again(node_pool)}"
    )
    return Hold(Reason.DELETION_REVERTED, words, left)


def _left(since: datetime, pause: timedelta, now: datetime) -> timedelta | None:
    """What is left of a pause, None when it is over. A start in the future is taken for now."""
    left = pause - max(now - since, timedelta())
    return left if left > timedelta() else None


def _waiting(observed: DeletionObserved, counts: Counts, sent: datetime | None) -> str:
    name = observed.node_pool.node_pool_name
    if counts.deleting:
        return f"{counts.deleting} of {counts.total} nodes of node pool {name} are being deleted"
    if sent is not None and observed.record.accepted_time is None:
        return f"the DELETE of node pool {name} was sent and its outcome is unknown: looking before sending again"
    return f"the DELETE of node pool {name} was sent; ModelArts shows no node being deleted yet"


def _stuck(observed: DeletionObserved, counts: Counts, since: datetime) -> str:
    node_pool = observed.node_pool
    return (
        f"node pool {node_pool.node_pool_name} has been deleting since {since:%Y-%m-%dT%H:%M:%SZ} and "
        f"{counts.deleting} of {counts.total} nodes are still shown as deleting; no second DELETE is sent; open a "
        f"ticket with request {observed.record.request_id}, or let the object go: {commands.retain(node_pool)}"
    )
