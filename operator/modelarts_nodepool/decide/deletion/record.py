"""status.deletion through one deletion: written ahead, answered, refused, noted. Pure.

`sent_time` is set exactly while some DELETE may be in effect; `outcome` is that of the last attempt.
"""

from datetime import datetime, timedelta

from modelarts_nodepool.api.node_pool import CloudErrorRecord, Counts, DeletionRecord, SendOutcome
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.errors import CloudError, PermissionDenied, RefusedByModelArts

# How long after a DELETE the cloud may go on showing nothing of it.
SETTLE = timedelta(minutes=2)
# A 403 to a DELETE is the cloud's refusal of this very deletion, whatever may still be read.
REFUSALS = (RefusedByModelArts, PermissionDenied)
# A DELETE that was sent so long before its object was created is another object's: no clock is that wrong, for the
# cloud refuses signatures that are 15 minutes off.
BEFORE_CREATION = timedelta(hours=1)


def record_of(node_pool: NodePool) -> DeletionRecord:
    """status.deletion, as far as it is about this very object: a backup brings back what was done about another."""
    record = node_pool.status.deletion or DeletionRecord()
    is_another_s = record.sent_time is not None and record.sent_time < node_pool.metadata.created - BEFORE_CREATION
    return DeletionRecord() if is_another_s else record


def write_ahead(record: DeletionRecord, now: datetime) -> DeletionRecord:
    """Before a DELETE: one attempt more, outcome unknown."""
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

    Where the answer proves that this DELETE had no effect, what was known of an earlier one stands again; else
    the outcome stays unknown. A 409 is shown as refused and may still mean that a deletion is in effect.
    """
    changes: dict[str, object] = {
        "last_error": CloudErrorRecord(
            code=error.code, message=error.message[:1024], request_id=error.request_id, time=_whole(now)
        ),
        "request_id": error.request_id,
    }
    if error.had_no_effect:
        changes |= _known_before(before)
    if before.sent_time is not None and error.had_no_effect:
        # A support ticket is about the DELETE that may be in effect; this answer's own id stands in last_error.
        changes["request_id"] = before.request_id
    if isinstance(error, REFUSALS):
        changes["outcome"] = SendOutcome.REFUSED
    return record.model_copy(update=changes)


def _known_before(before: DeletionRecord) -> dict[str, object]:
    outcome = None
    if before.sent_time is not None:
        outcome = SendOutcome.UNKNOWN if before.accepted_time is None else SendOutcome.ACCEPTED
    return {
        "sent_time": before.sent_time,
        "accepted_time": before.accepted_time,
        "nothing_deleting_since": before.nothing_deleting_since,
        "outcome": outcome,
    }


def note_progress(record: DeletionRecord, counts: Counts | None, now: datetime) -> DeletionRecord:
    """Keep `nothing_deleting_since`: set when an accepted DELETE shows nothing, cleared when a node is deleting."""
    if counts is None or record.accepted_time is None:
        return record
    since, sent = record.nothing_deleting_since, record.sent_time
    if counts.deleting > 0:
        return record if since is None else record.model_copy(update={"nothing_deleting_since": None})
    if since is not None and since <= now:
        return record
    if since is None and sent is not None and timedelta() <= now - sent < SETTLE:
        return record
    # Also where the clock was put back meanwhile: a beginning in the future would never be over.
    return record.model_copy(update={"nothing_deleting_since": _whole(now)})


def cap_future(record: DeletionRecord, first_seen: datetime) -> DeletionRecord:
    """A sent_time in the future counts as when this process first saw it: clocks jump, waits must end.

    `first_seen` has to be when this very sent_time was first seen: anything earlier would end a wait too soon.
    """
    if record.sent_time is None or record.sent_time <= first_seen:
        return record
    return record.model_copy(update={"sent_time": _whole(first_seen)})


def _whole(moment: datetime) -> datetime:
    # Whole seconds, as it will be read back: else every comparison would see a difference.
    return moment.replace(microsecond=0)
