"""The entries of status.recentDeletions of an account, which outlive the objects. Pure.

They are the audit trail of admins and the data of the deletion budget. At most one entry per uid, 100 in all. A DELETE
gets its entry when it is sent, and its outcome later, so it counts even if its object is gone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from modelarts_nodepool.api.account import RecentDeletion
from modelarts_nodepool.api.node_pool import DeletionRecord, Identity, SendOutcome
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.deletion.record import record_of
from modelarts_nodepool.decide.observed import DeletionObserved

MOST = 100
# A LIST that lets a DELETE pass may be a minute old, and another DELETE may show no effect for two minutes.
RECENTLY = timedelta(minutes=3)


def recently_deleted(entries: Iterable[RecentDeletion], now: datetime) -> frozenset[str]:
    """Their node pools that were deleted so recently that a LIST may still show them unchanged.

    Only after a DELETE, also if the object was retained later. Without a finishedTime the time of the DELETE counts:
    the object may have gone while there was no leader.
    """
    return frozenset(
        entry.node_pool_name
        for entry in entries
        if entry.sent_time is not None and now - (entry.finished_time or entry.sent_time) < RECENTLY
    )


def keep_newest(
    entries: Iterable[RecentDeletion], window: timedelta | None, now: datetime
) -> tuple[RecentDeletion, ...]:
    """The newest `MOST` entries, newest first. Entries that the budget does not need are evicted first."""
    kept = sorted(entries, key=lambda entry: (_counts(entry, window, now), _time(entry)), reverse=True)[:MOST]
    return tuple(sorted(kept, key=_time, reverse=True))


def build_sent(node_pool: NodePool, identity: Identity, record: DeletionRecord, now: datetime) -> RecentDeletion | None:
    """The entry for a DELETE from its write-ahead on, as `record` describes it.

    A DELETE that was refused and had no effect has no sentTime, so it does not use the budget. None if no DELETE is in
    effect and none was refused.
    """
    is_refused = record.sent_time is None and record.outcome is SendOutcome.REFUSED
    if record.sent_time is None and not is_refused:
        return None
    return _build(
        node_pool,
        identity,
        record,
        outcome=(record.outcome or SendOutcome.UNKNOWN).value,
        finished_time=now.replace(microsecond=0) if is_refused else None,
    )


def build_stripped(
    node_pool: NodePool, identity: Identity, known: RecentDeletion | None, now: datetime
) -> RecentDeletion | None:
    """The entry of an object whose finalizer another client removed after the DELETE was sent; None if none was."""
    record = record_of(node_pool)
    if known is not None and known.sent_time is not None:
        finished = {"finished_time": now.replace(microsecond=0), "outcome": Reason.ORPHANED.value}
        return known.model_copy(update=finished)
    if record.sent_time is None:
        return None
    return _build(node_pool, identity, record, Reason.ORPHANED.value, now.replace(microsecond=0))


def is_recorded_by(known: RecentDeletion | None, entry: RecentDeletion) -> bool:
    """Whether the known entry of the object is about this DELETE or a later one."""
    if known is None or known.sent_time is None or entry.sent_time is None:
        return False
    return known.sent_time >= entry.sent_time


def keep_known(known: RecentDeletion | None, entry: RecentDeletion) -> RecentDeletion:
    """The entry of a release with the confirmation of its DELETE, and with its first finishedTime.

    A confirmation that was removed after the DELETE stays in the entry. A retry of the release does not change it.
    """
    if known is None:
        return entry
    if known.confirmed and known.sent_time is not None and known.sent_time == entry.sent_time:
        entry = entry.model_copy(update={"confirmed": True, "confirmed_by": known.confirmed_by})
    if known.finished_time is None:
        return entry
    return known if known == entry.model_copy(update={"finished_time": known.finished_time}) else entry


def build_entry(observed: DeletionObserved, release: Release, now: datetime) -> RecentDeletion | None:
    """The entry for a release; None if the object has no identity in ModelArts."""
    if observed.identity is None:
        return None
    finished = now.replace(microsecond=0)
    return _build(observed.node_pool, observed.identity, observed.record, release.reason.value, finished)


def _build(
    node_pool: NodePool, identity: Identity, record: DeletionRecord, outcome: str, finished_time: datetime | None
) -> RecentDeletion:
    return RecentDeletion(
        uid=node_pool.metadata.uid,
        namespace=node_pool.metadata.namespace,
        name=node_pool.metadata.name,
        pool_name=identity.pool_name,
        node_pool_name=identity.node_pool_name,
        request_id=record.request_id,
        sent_time=record.sent_time,
        finished_time=finished_time,
        outcome=outcome,
        confirmed=node_pool.confirmation == identity.node_pool_name,
        confirmed_by=node_pool.confirmed_by,
    )


def _counts(entry: RecentDeletion, window: timedelta | None, now: datetime) -> bool:
    return window is not None and entry.sent_time is not None and now - entry.sent_time < window


def _time(entry: RecentDeletion) -> tuple[float, str]:
    moment = entry.finished_time or entry.sent_time
    # An entry without a time is the oldest; the uid makes the order total.
    return (moment.timestamp() if moment else 0.0, entry.uid)
