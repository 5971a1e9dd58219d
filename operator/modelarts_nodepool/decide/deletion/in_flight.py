"""Rows 8 and 9: whether an earlier DELETE is in effect, came to nothing, was refused, or could not be sent."""

from dataclasses import replace
from datetime import datetime, timedelta

from modelarts_nodepool.api.node_pool import CloudErrorRecord, Counts, SendOutcome
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Wait
from modelarts_nodepool.decide.deletion.record import REFUSALS, SETTLE
from modelarts_nodepool.decide.failures import LONGEST_RETRY, asked_pause, hold_for
from modelarts_nodepool.decide.observed import DeletionObserved, Failure
from modelarts_nodepool.errors import ClockSkew, CredentialsRejected
from modelarts_nodepool.ports import Moment

STUCK = timedelta(hours=2)
REVERTED = timedelta(minutes=30)
FIRST_REFUSAL = timedelta(minutes=5)
LONGEST_REFUSAL = timedelta(hours=1)
SEND_RETRY_AFTER = timedelta(seconds=30)
# So many DELETEs in a row, with their pauses, are more than five minutes: no longer a passing fault.
MANY_ATTEMPTS = 5


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
    in_effect = sent is not None and counts.deleting > 0
    all_deleting = counts.deleting > 0 and counts.deleting == counts.total
    if not (_is_just_sent(observed, moment) or in_effect or all_deleting):
        return None
    retry_after = observed.account.active_poll_interval if observed.account else FIRST_REFUSAL
    since = _since(observed, counts, moment)
    if _elapsed(since, observed, moment) >= STUCK:
        return Wait(Reason.DELETION_STUCK, _stuck(observed, counts, since), retry_after, is_stuck=True)
    return Wait(Reason.DELETING_NODE_POOL, _waiting(observed, counts), retry_after)


def decide_reverted(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Row 9: refused, or accepted and nothing deleting. Goes on after a while, or at once when asked to."""
    if observed.is_asked_to_go_on:
        return None
    return _refused(observed, moment) or _reverted(observed, moment)


def decide_send_failed(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Row 6, for the DELETE itself: the last one of this process could not be sent; it is not hammered.

    A refusal is row 9's. An unknown outcome is row 8's, which lasts longer than any pause here.
    """
    failure, failed_at = observed.last_failure, observed.last_failure_at
    if failure is None or failed_at is None or isinstance(failure, REFUSALS):
        return None
    asked = observed.asked_to_go_on
    if asked is not None and asked >= failed_at:
        return None
    left = _pause_after(failure, observed.record.attempt) - moment.age_of(failed_at)
    if left <= timedelta():
        return None
    node_pool = observed.node_pool
    what = f"the DELETE of node pool {observed.node_pool_name} was not sent or had no effect"
    again = f"or try the DELETE at once: {remedies.look_again(node_pool)}"
    hold = hold_for(node_pool, failure, what, left, also=again)
    return replace(
        hold,
        is_transient=hold.is_transient and observed.record.attempt < MANY_ATTEMPTS,
    )


def _pause_after(failure: Failure, attempt: int) -> timedelta:
    if isinstance(failure, CredentialsRejected | ClockSkew):
        # Six bad signatures in a row lock the key.
        return FIRST_REFUSAL
    return max(asked_pause(failure, SEND_RETRY_AFTER), _doubled(SEND_RETRY_AFTER, attempt, LONGEST_RETRY))


def _is_just_sent(observed: DeletionObserved, moment: Moment) -> bool:
    """By both clocks: the wall clock may jump, and the monotonic one begins anew with each process."""
    sent, finished = observed.record.sent_time, observed.send_finished
    if sent is None:
        return False
    if finished is not None:
        return moment.age_of(finished) < SETTLE or timedelta() <= moment.utc - sent < SETTLE
    is_news = observed.sent_seen is None or moment.age_of(observed.sent_seen) < SETTLE
    if sent > moment.utc:
        return is_news
    # Another process sent it, by another clock: where its outcome is unknown, its word about the time is not enough.
    is_unknown = observed.record.outcome is SendOutcome.UNKNOWN and observed.sent_seen is not None
    return moment.utc - sent < SETTLE or (is_unknown and is_news)


def _since(observed: DeletionObserved, counts: Counts, moment: Moment) -> datetime:
    """Since when this has been going on, as well as the record can say."""
    record = observed.record
    if record.sent_time is None:
        return observed.node_pool.metadata.deleted or moment.utc
    if record.outcome is SendOutcome.UNKNOWN and counts.deleting == 0:
        # Each attempt before this one was looked after for at least so long.
        return record.sent_time - min(SETTLE * max(record.attempt - 1, 0), STUCK)
    return record.sent_time


def _refused(observed: DeletionObserved, moment: Moment) -> Hold | None:
    record, error = observed.record, observed.record.last_error
    if record.outcome is not SendOutcome.REFUSED or error is None:
        return None
    left = _doubled(FIRST_REFUSAL, record.attempt, LONGEST_REFUSAL) - _elapsed(error.time, observed, moment)
    if left <= timedelta():
        return None
    node_pool = observed.node_pool
    words = (
        f"ModelArts refused to delete node pool {observed.node_pool_name}: {_said(error)}; repair that, then try "
        f"again: {remedies.look_again(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.REFUSED_BY_MODELARTS, words, left)


def _reverted(observed: DeletionObserved, moment: Moment) -> Hold | None:
    record = observed.record
    if record.accepted_time is None:
        return None
    # Nothing noted yet: controllers/deletion/gather.py notes it with the next look; till then it began just now.
    since = record.nothing_deleting_since
    left = REVERTED - (_elapsed(since, observed, moment) if since else timedelta())
    if observed.send_finished is not None:
        # Never sooner than so long after the DELETE itself: a wall clock that jumps ends no wait.
        left = max(left, REVERTED - moment.age_of(observed.send_finished))
    if left <= timedelta():
        return None
    node_pool = observed.node_pool
    counts = shown_counts(observed) or Counts()
    words = (
        f"ModelArts accepted the DELETE of node pool {observed.node_pool_name}{_request(record.request_id)}, yet it "
        f"is there and none of its {counts.total} nodes is being deleted; sent again 30 min after that was first "
        f"seen, or at once: {remedies.look_again(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.DELETION_REVERTED, words, left)


def _elapsed(since: datetime, observed: DeletionObserved, moment: Moment) -> timedelta:
    """How long ago; a time in the future counts as when this process could first see it, so that waits end."""
    if since > moment.utc:
        return moment.age_of(observed.witnesses_count_from)
    return moment.utc - since


def _doubled(first: timedelta, attempt: int, longest: timedelta) -> timedelta:
    doublings = min(max(attempt - 1, 0), 10)
    return min(first * (1 << doublings), longest)


def _waiting(observed: DeletionObserved, counts: Counts) -> str:
    name, record = observed.node_pool_name, observed.record
    if counts.deleting:
        return f"{counts.deleting} of {counts.total} nodes of node pool {name} are being deleted"
    if record.accepted_time is not None:
        return f"ModelArts accepted the DELETE of node pool {name}; it shows no node being deleted yet"
    why = f" ({_said(record.last_error)})" if record.last_error else ""
    return f"the DELETE of node pool {name} was sent and its outcome is unknown{why}: looking before sending again"


def _stuck(observed: DeletionObserved, counts: Counts, since: datetime) -> str:
    node_pool, record = observed.node_pool, observed.record
    why = f"; last answer: {_said(record.last_error)}" if record.last_error else ""
    return (
        f"node pool {observed.node_pool_name} has been deleting since {since:%Y-%m-%dT%H:%M:%SZ} and "
        f"{counts.deleting} of {counts.total} nodes are shown as deleting{why}; looking goes on; open a ticket with "
        f"Huawei Cloud{_request(record.request_id)}; or let the object go, whatever becomes of the node pool: "
        f"{remedies.retain(node_pool)}"
    )


def _said(error: CloudErrorRecord) -> str:
    """The cloud's last words about a DELETE, with what a support ticket needs."""
    code = f"{error.code}: " if error.code and error.code not in error.message else ""
    return f"{code}{error.message.rstrip('. ')}{_request(error.request_id)}"


def _request(request_id: str | None) -> str:
    return f" (request {request_id})" if request_id else ""
