"""The account's memory of deletions: status.recentDeletions, which outlives the objects. Pure.

It is the audit trail of admins and the memory of the deletion budget. At most one entry per uid, 100 in all. A DELETE
has its entry from the moment it is sent, and its outcome later: it counts whatever becomes of its object.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from modelarts_nodepool.api.account import RecentDeletion
from modelarts_nodepool.api.node_pool import DeletionRecord, Identity, SendOutcome
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.deletion.record import record_of
from modelarts_nodepool.decide.observed import DeletionObserved

MOST = 100
# A look may be a minute old when it lets a DELETE pass, and for two minutes the cloud shows nothing of the other one.
RECENTLY = timedelta(minutes=3)


def recently_deleted(accounts: Iterable[Account], identity: Identity, now: datetime) -> frozenset[str]:
    """Node pools of the same resource pool whose objects went so lately that a look may still show them whole.

    By whatever account: two may name one project. Only after a DELETE; what was retained meanwhile leaves, too. Without
    a finishedTime it counts from the DELETE: its object may have gone while no leader was there to see it.
    """
    return frozenset(
        entry.node_pool_name
        for account in accounts
        if (account.spec.region, account.spec.project_id) == (identity.region, identity.project_id)
        for entry in account.status.recent_deletions
        if entry.pool_name == identity.pool_name
        and entry.sent_time is not None
        and now - (entry.finished_time or entry.sent_time) < RECENTLY
    )


def keep_newest(
    entries: Iterable[RecentDeletion], window: timedelta | None, now: datetime
) -> tuple[RecentDeletion, ...]:
    """As many as are kept, newest first. Entries that the budget does not need are evicted first."""
    kept = sorted(entries, key=lambda entry: (_counts(entry, window, now), _time(entry)), reverse=True)[:MOST]
    return tuple(sorted(kept, key=_time, reverse=True))


def build_sent(node_pool: NodePool, identity: Identity, record: DeletionRecord, now: datetime) -> RecentDeletion | None:
    """The entry for a DELETE, from its write-ahead on: what is known of it by `record`.

    One that was refused and had no effect is entered without a sentTime, so that it uses nothing of the budget. None
    where no DELETE is in effect and none was refused: nothing was sent, or nobody has done anything with it.
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
    """The entry of an object that went without us after its DELETE was sent; None where none was."""
    record = record_of(node_pool)
    if known is not None and known.sent_time is not None:
        finished = {"finished_time": now.replace(microsecond=0), "outcome": Reason.ORPHANED.value}
        return known.model_copy(update=finished)
    if record.sent_time is None:
        return None
    return _build(node_pool, identity, record, Reason.ORPHANED.value, now.replace(microsecond=0))


def is_recorded_by(known: RecentDeletion | None, entry: RecentDeletion) -> bool:
    """Whether what is known of the object is about this DELETE or a later one."""
    if known is None or known.sent_time is None or entry.sent_time is None:
        return False
    return known.sent_time >= entry.sent_time


def keep_finished_time(known: RecentDeletion | None, entry: RecentDeletion) -> RecentDeletion:
    """The entry of a release as it was first made: a release that is tried again says nothing new by its time."""
    if known is None or known.finished_time is None:
        return entry
    return known if known == entry.model_copy(update={"finished_time": known.finished_time}) else entry


def build_entry(observed: DeletionObserved, release: Release, now: datetime) -> RecentDeletion | None:
    """The entry for a release; None where nothing of the cloud is known of the object."""
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
    )


def _counts(entry: RecentDeletion, window: timedelta | None, now: datetime) -> bool:
    return window is not None and entry.sent_time is not None and now - entry.sent_time < window


def _time(entry: RecentDeletion) -> tuple[float, str]:
    moment = entry.finished_time or entry.sent_time
    # An entry without any time is the oldest there is; the uid makes the order total.
    return (moment.timestamp() if moment else 0.0, entry.uid)
