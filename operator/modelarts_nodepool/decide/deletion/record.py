"""status.deletion during one deletion: written ahead, then updated with the answer and the progress. Pure.

`sent_time` is set exactly while a DELETE may be in effect. `outcome` is the outcome of the last attempt.
"""

from datetime import datetime, timedelta

from modelarts_nodepool.api.node_pool import CloudErrorRecord, Counts, DeletionRecord, SendOutcome
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.errors import CloudError, PermissionDenied, RefusedByModelArts

# ModelArts may show no effect of a DELETE for this long.
SETTLE = timedelta(minutes=2)
# A 403 to a DELETE refuses this deletion, whatever the account may read.
REFUSALS = (RefusedByModelArts, PermissionDenied)
# A DELETE that was sent this long before its object was created belongs to another object. No clock is that wrong:
# ModelArts refuses signatures that are 15 minutes off.
BEFORE_CREATION = timedelta(hours=1)


def record_of(node_pool: NodePool) -> DeletionRecord:
    """status.deletion, if it is about this object. A backup restores the record of another object."""
    record = node_pool.status.deletion or DeletionRecord()
    is_of_another = record.sent_time is not None and record.sent_time < node_pool.metadata.created - BEFORE_CREATION
    return DeletionRecord() if is_of_another else record


def write_ahead(record: DeletionRecord, now: datetime) -> DeletionRecord:
    """Before a DELETE: one more attempt, outcome unknown."""
    return DeletionRecord(attempt=record.attempt + 1, sent_time=_whole(now), outcome=SendOutcome.UNKNOWN)


def accept(record: DeletionRecord, request_id: str | None, now: datetime) -> DeletionRecord:
    """After 200, 202 or 204."""
    return record.model_copy(
        update={
            "accepted_time": _whole(now),
            "request_id": request_id,
            "outcome": SendOutcome.ACCEPTED,
            "last_error": None,
        }
    )


def fail(record: DeletionRecord, before: DeletionRecord, error: CloudError, now: datetime) -> DeletionRecord:
    """After any other answer, or none. `before` is the record from before the write-ahead.

    If the answer proves that this DELETE had no effect, the record of the earlier one counts again. Otherwise the
    outcome stays unknown. A 409 shows as refused, although a deletion may be in effect.
    """
    changes: dict[str, object] = {
        "last_error": CloudErrorRecord(
            code=error.code, message=error.message[:1024], request_id=error.request_id, time=_whole(now)
        ),
        "request_id": error.request_id,
    }
    if error.had_no_effect:
        changes |= _earlier(before)
    if before.sent_time is not None and error.had_no_effect:
        # A support ticket needs the DELETE that may be in effect; the id of this answer is in last_error.
        changes["request_id"] = before.request_id
    if isinstance(error, REFUSALS):
        changes["outcome"] = SendOutcome.REFUSED
    return record.model_copy(update=changes)


def _earlier(before: DeletionRecord) -> dict[str, object]:
    outcome = None
    if before.sent_time is not None:
        outcome = SendOutcome.UNKNOWN if before.accepted_time is None else SendOutcome.ACCEPTED
    return {
        "sent_time": before.sent_time,
        "accepted_time": before.accepted_time,
        "nothing_deleting_since": before.nothing_deleting_since,
        "outcome": outcome,
    }


def record_progress(record: DeletionRecord, counts: Counts | None, now: datetime) -> DeletionRecord:
    """Set `nothing_deleting_since` if an accepted DELETE deletes nothing; clear it if a node is deleting."""
    if counts is None or record.accepted_time is None:
        return record
    since, sent = record.nothing_deleting_since, record.sent_time
    if counts.deleting > 0:
        return record if since is None else record.model_copy(update={"nothing_deleting_since": None})
    if since is not None and since <= now:
        return record
    if since is None and sent is not None and timedelta() <= now - sent < SETTLE:
        return record
    # Also if the clock was set back: a wait that begins in the future would not end.
    return record.model_copy(update={"nothing_deleting_since": _whole(now)})


def cap_future(record: DeletionRecord, first_seen: datetime) -> DeletionRecord:
    """A sent_time in the future counts as the time when this process first saw it: clocks jump, waits must end.

    `first_seen` must be when this sent_time was first seen: an earlier time would end a wait too soon.
    """
    if record.sent_time is None or record.sent_time <= first_seen:
        return record
    return record.model_copy(update={"sent_time": _whole(first_seen)})


def _whole(moment: datetime) -> datetime:
    # Whole seconds, as the API server returns them: otherwise every comparison finds a difference.
    return moment.replace(microsecond=0)
