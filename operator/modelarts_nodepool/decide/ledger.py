"""The account's memory of deletions: status.recentDeletions, which outlives the objects. Pure.

It is the audit trail of admins and the memory of the deletion budget. At most one entry per uid, 100 in all.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from modelarts_nodepool.decide.decision import Release
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.resource.account import RecentDeletion
from modelarts_nodepool.resource.node_pool import Identity
from modelarts_nodepool.resource.objects import Account

MOST = 100
# A look may be a minute old when it lets a DELETE pass, and for two minutes the cloud shows nothing of the other one.
LEFT_LATELY = timedelta(minutes=3)


def left_lately(accounts: Iterable[Account], identity: Identity, now: datetime) -> frozenset[str]:
    """Node pools of the same resource pool whose objects went so lately that a look may still show them whole.

    By whatever account: two may name one project. Only after a DELETE; what was retained meanwhile leaves, too.
    """
    return frozenset(
        entry.node_pool_name
        for account in accounts
        if (account.spec.region, account.spec.project_id) == (identity.region, identity.project_id)
        for entry in account.status.recent_deletions
        if entry.pool_name == identity.pool_name
        and entry.sent_time is not None
        and entry.finished_time is not None
        and now - entry.finished_time < LEFT_LATELY
    )


def merge_recent(
    stored: Iterable[RecentDeletion], news: Iterable[RecentDeletion], window: timedelta | None, now: datetime
) -> tuple[RecentDeletion, ...]:
    """Both, the newer word for each uid, newest first. Entries that the budget does not need are evicted first."""
    entries = {entry.uid: entry for entry in stored}
    entries |= {entry.uid: entry for entry in news}
    kept = sorted(entries.values(), key=lambda entry: (_counts(entry, window, now), _time(entry)), reverse=True)[:MOST]
    return tuple(sorted(kept, key=_time, reverse=True))


def build_entry(observed: DeletionObserved, release: Release, now: datetime) -> RecentDeletion | None:
    """The entry for a release; None where nothing of the cloud is known of the object."""
    identity, node_pool, record = observed.identity, observed.node_pool, observed.record
    if identity is None:
        return None
    return RecentDeletion(
        uid=node_pool.metadata.uid,
        namespace=node_pool.metadata.namespace,
        name=node_pool.metadata.name,
        pool_name=identity.pool_name,
        node_pool_name=identity.node_pool_name,
        request_id=record.request_id,
        sent_time=record.sent_time,
        finished_time=now.replace(microsecond=0),
        outcome=release.reason,
        confirmed=node_pool.confirmation == identity.node_pool_name,
    )


def _counts(entry: RecentDeletion, window: timedelta | None, now: datetime) -> bool:
    return window is not None and entry.sent_time is not None and now - entry.sent_time < window


def _time(entry: RecentDeletion) -> tuple[float, str]:
    moment = entry.finished_time or entry.sent_time
    # An entry without any time is the oldest there is; the uid makes the order total.
    return (moment.timestamp() if moment else 0.0, entry.uid)
