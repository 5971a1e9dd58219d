"""status.deletion through one deletion: written ahead, answered, refused, noted. Pure.

`sent_time` is set exactly while some DELETE may be in effect; `outcome` is that of the last attempt.
"""

from datetime import datetime, timedelta

from modelarts_nodepool.errors import CloudError
from modelarts_nodepool.resource.node_pool import CloudErrorRecord, Counts, DeletionRecord, SendOutcome

# How long after a DELETE the cloud may go on showing nothing of it.
SETTLE = timedelta(minutes=2)


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
    the outcome stays unknown.
    """
    refused = error.reason == "RefusedByModelArts"
    changes: dict[str, object] = {
        "last_error": CloudErrorRecord(
            code=error.code, message=error.message[:1024], request_id=error.request_id, time=_whole(now)
        ),
        "request_id": error.request_id,
        "outcome": SendOutcome.REFUSED if refused else record.outcome,
    }
    if error.had_no_effect:
        changes["sent_time"] = before.sent_time
        changes["accepted_time"] = before.accepted_time
        changes["nothing_deleting_since"] = before.nothing_deleting_since
        if not refused:
            changes["outcome"] = before.outcome
    return record.model_copy(update=changes)


def note_progress(record: DeletionRecord, counts: Counts | None, now: datetime) -> DeletionRecord:
    """Keep `nothing_deleting_since`: set when an accepted DELETE shows nothing, cleared when a node is deleting."""
    if counts is None or record.accepted_time is None or record.sent_time is None:
        return record
    if counts.deleting > 0:
        return record.model_copy(update={"nothing_deleting_since": None})
    if record.nothing_deleting_since is None and now - record.sent_time >= SETTLE:
        return record.model_copy(update={"nothing_deleting_since": _whole(now)})
    return record


def cap_future(record: DeletionRecord, first_seen: datetime) -> DeletionRecord:
    """A sent_time in the future counts as when this process first saw it: clocks jump, waits must end."""
    if record.sent_time is None or record.sent_time <= first_seen:
        return record
    return record.model_copy(update={"sent_time": _whole(first_seen)})


def _whole(moment: datetime) -> datetime:
    # Whole seconds, as it will be read back: else every comparison would see a difference.
    return moment.replace(microsecond=0)
