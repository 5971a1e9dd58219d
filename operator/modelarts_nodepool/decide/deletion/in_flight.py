"""The guards about an earlier DELETE: is it in effect, was it refused, was it reverted, could it not be sent."""

from dataclasses import replace
from datetime import datetime, timedelta

from modelarts_nodepool.api.node_pool import CloudErrorRecord, Counts, SendOutcome
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Wait
from modelarts_nodepool.decide.deletion.record import REFUSALS, SETTLE
from modelarts_nodepool.decide.failures import LONGEST_RETRY, asked_pause, describe_resource_pool, hold_for
from modelarts_nodepool.decide.observed import DeletionObserved, Failure
from modelarts_nodepool.errors import ClockSkew, CredentialsRejected
from modelarts_nodepool.ports import Moment

STUCK = timedelta(hours=2)
REVERTED = timedelta(minutes=30)
FIRST_REFUSAL = timedelta(minutes=5)
LONGEST_REFUSAL = timedelta(hours=1)
SEND_RETRY_AFTER = timedelta(seconds=30)
# This many attempts with their pauses take more than five minutes: the failure is no longer transient.
MANY_ATTEMPTS = 5


def shown_counts(observed: DeletionObserved) -> Counts | None:
    """Counts of the newest LIST; None if it does not show the node pool or its counts are unreadable."""
    if observed.listing is None or observed.listing.value is None or observed.identity is None:
        return None
    shown = observed.listing.value.node_pools.get(observed.identity.node_pool_name)
    return shown.counts if shown else None


def deleting(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Wait if a DELETE was sent less than two minutes ago, or sent and a node is deleting, or all are deleting."""
    counts = shown_counts(observed) or Counts()
    sent = observed.record.sent_time
    in_effect = sent is not None and counts.deleting > 0
    all_deleting = counts.deleting > 0 and counts.deleting == counts.total
    if not (_is_just_sent(observed, moment) or in_effect or all_deleting):
        return None
    since = _since(observed, counts, moment)
    left = STUCK - _elapsed(since, observed, moment)
    retry_after = _retry_after(observed, counts, left)
    if left <= timedelta():
        return Wait(Reason.DELETION_STUCK, _describe_stuck(observed, counts, since), retry_after, is_stuck=True)
    return Wait(Reason.DELETING_NODE_POOL, _describe_progress(observed, counts), retry_after)


def _retry_after(observed: DeletionObserved, counts: Counts, until_stuck: timedelta) -> timedelta:
    """A poll that shows a change adds the key. Until a node is deleting, the decision also changes with time."""
    view = observed.account
    if view is None:
        return FIRST_REFUSAL
    if not counts.deleting:
        return view.active_poll_interval
    usual = max(view.poll_interval, view.active_poll_interval)
    return min(usual, until_stuck) if until_stuck > timedelta() else usual


def _is_just_sent(observed: DeletionObserved, moment: Moment) -> bool:
    """By both clocks: the wall clock may jump, and the monotonic clock restarts with each process."""
    sent, finished = observed.record.sent_time, observed.send_finished
    if sent is None:
        return False
    if finished is not None:
        return moment.age_of(finished) < SETTLE or timedelta() <= moment.utc - sent < SETTLE
    is_new = observed.sent_seen is None or moment.age_of(observed.sent_seen) < SETTLE
    if sent > moment.utc:
        return is_new
    # Another process sent it and wrote the time by its own clock. If the outcome is unknown, that is not reliable.
    is_unknown = observed.record.outcome is SendOutcome.UNKNOWN and observed.sent_seen is not None
    return moment.utc - sent < SETTLE or (is_unknown and is_new)


def _since(observed: DeletionObserved, counts: Counts, moment: Moment) -> datetime:
    """When the deletion began, as far as the record shows."""
    record = observed.record
    if record.sent_time is None:
        return observed.node_pool.metadata.deleted or moment.utc
    if record.outcome is SendOutcome.UNKNOWN and counts.deleting == 0:
        # The operator checked for SETTLE after each earlier attempt.
        return record.sent_time - min(SETTLE * max(record.attempt - 1, 0), STUCK)
    return record.sent_time


def _describe_progress(observed: DeletionObserved, counts: Counts) -> str:
    name, record = observed.node_pool_name, observed.record
    if counts.deleting:
        return f"{counts.deleting} of {counts.total} nodes of node pool {name} are being deleted"
    if record.accepted_time is not None:
        return f"ModelArts accepted the DELETE of node pool {name}; no node is being deleted yet"
    why = f" ({_describe_error(record.last_error)})" if record.last_error else ""
    return (
        f"the DELETE of node pool {name} was sent and its outcome is unknown{why}; the operator checks the node pool "
        "before it sends another DELETE"
    )


def _describe_stuck(observed: DeletionObserved, counts: Counts, since: datetime) -> str:
    record, name = observed.record, observed.node_pool_name
    why = f"; last answer: {_describe_error(record.last_error)}" if record.last_error else ""
    return (
        f"node pool {name} has been deleting since {since:%Y-%m-%dT%H:%M:%SZ}; {counts.deleting} of {counts.total} "
        f"nodes are being deleted{why}; polling continues; open a ticket with Huawei Cloud"
        f"{_request(record.request_id)}; or release the object without waiting for the node pool: "
        f"{remedies.retain(observed.node_pool)}"
    )


def refused(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """ModelArts refused the last DELETE. Retried after a pause, or at once on reconcile-at."""
    record, error = observed.record, observed.record.last_error
    if observed.is_asked_to_go_on or record.outcome is not SendOutcome.REFUSED or error is None:
        return None
    left = Backoff(FIRST_REFUSAL, LONGEST_REFUSAL).after(record.attempt) - _elapsed(error.time, observed, moment)
    if left <= timedelta():
        return None
    node_pool = observed.node_pool
    words = (
        f"ModelArts refused to delete node pool {observed.node_pool_name}: {_describe_error(error)}"
        f"{describe_resource_pool(observed.resource_pool.value if observed.resource_pool else None)}; fix the cause, "
        f"then retry: {remedies.reconcile_now(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.REFUSED_BY_MODELARTS, words, left)


def reverted(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """ModelArts accepted the DELETE, but deletes nothing. Sent again after a pause, or at once on reconcile-at."""
    record = observed.record
    if observed.is_asked_to_go_on or record.accepted_time is None:
        return None
    # Without a time, controllers/deletion/gather.py sets it after the next poll: it begins now.
    since = record.nothing_deleting_since
    left = REVERTED - (_elapsed(since, observed, moment) if since else timedelta())
    if observed.send_finished is not None:
        # Also by the monotonic clock: a wall clock that jumps must not end the pause.
        left = max(left, REVERTED - moment.age_of(observed.send_finished))
    if left <= timedelta():
        return None
    node_pool = observed.node_pool
    counts = shown_counts(observed) or Counts()
    words = (
        f"ModelArts accepted the DELETE of node pool {observed.node_pool_name}{_request(record.request_id)}, but it "
        f"still exists and none of its {counts.total} nodes is being deleted; the DELETE is sent again after 30 "
        f"minutes in this state; to send it now: {remedies.reconcile_now(node_pool)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.DELETION_REVERTED, words, left)


def send_failed(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """The last DELETE of this process failed before it had an effect: pause before the next one.

    `refused` handles a refusal, and `deleting` an unknown outcome, which lasts longer than any pause here.
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
    again = f"to send the DELETE now: {remedies.reconcile_now(node_pool)}"
    hold = hold_for(node_pool, failure, what, left, also=again)
    return replace(hold, is_transient=hold.is_transient and observed.record.attempt < MANY_ATTEMPTS)


def _pause_after(failure: Failure, attempt: int) -> timedelta:
    if isinstance(failure, CredentialsRejected | ClockSkew):
        # Six bad signatures in a row lock the key.
        return FIRST_REFUSAL
    return max(asked_pause(failure, SEND_RETRY_AFTER), Backoff(SEND_RETRY_AFTER, LONGEST_RETRY).after(attempt))


def _elapsed(since: datetime, observed: DeletionObserved, moment: Moment) -> timedelta:
    """Time since then. A time in the future counts as when this process could first see it, so that waits end."""
    if since > moment.utc:
        return moment.age_of(observed.witnesses_count_from)
    return moment.utc - since


def _describe_error(error: CloudErrorRecord) -> str:
    """The last answer of ModelArts to a DELETE, with what a support ticket needs."""
    code = f"{error.code}: " if error.code and error.code not in error.message else ""
    return f"{code}{error.message.rstrip('. ')}{_request(error.request_id)}"


def _request(request_id: str | None) -> str:
    return f" (request {request_id})" if request_id else ""
