"""The audit trail: one log record per DELETE and per release, and the accounts' recentDeletions.

A log record has the object and its uid, the identity in the cloud, the cloud's request id, whether and by whom the
deletion was confirmed, and the outcome. recentDeletions outlive the objects, and the deletion budget counts them. A
DELETE gets its entry when it is sent; the entry is updated when the DELETE is answered and when the object is
released. controllers/account.py writes the entries. Entries that are not written yet count for the budget too: a
finalizer that is removed by hand returns no slot.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from modelarts_nodepool.api.account import RecentDeletion
from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.controllers.workqueue import Key, Kind
from modelarts_nodepool.decide.deletion.audit_entry import is_recorded_by, recently_deleted
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.errors import CloudError
from modelarts_nodepool.ports import Accepted, Clock

logger = logging.getLogger("modelarts_nodepool.audit")

# The shortest time between two writes of entries to one account. The entry of a new DELETE waits for the same time: the
# answer mostly arrives within it, and both need one write.
BATCH = timedelta(seconds=1)


@dataclass(slots=True, eq=False)
class Pending:
    """A change of the entry of one uid that is still to be written. `entry` None: the entry is removed.

    `due`: not written before that (monotonic). `is_fallback`: written only if the account has no entry about that
    DELETE.
    """

    entry: RecentDeletion | None
    due: float
    is_fallback: bool = False
    waiters: list["asyncio.Future[None]"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Applied:
    """An account as it was read, and with its pending entries, also by resource pool."""

    read: Account
    account: Account
    by_resource_pool: dict[str, list[RecentDeletion]]


class AuditTrail:
    """The pending entries of recentDeletions of all accounts."""

    def __init__(self, clock: Clock, on_entry: Callable[[Key, timedelta], None] = lambda _key, _wait: None) -> None:
        """`on_entry` gets an account's key and the time until its entries are due."""
        self._clock = clock
        self._on_entry = on_entry
        self._pending: dict[str, dict[str, Pending]] = {}
        self._written_at: dict[str, float] = {}
        self._applied: dict[str, _Applied] = {}

    def add(self, account: str, entry: RecentDeletion) -> None:
        """Add the entry of a DELETE that was sent or answered. It is written within a second; nothing waits."""
        self._put(account, entry.uid, Pending(entry, self._clock.monotonic() + BATCH.total_seconds()))

    def add_if_missing(self, account: str, entry: RecentDeletion) -> None:
        """The same, unless the account then has an entry about this DELETE or a later one."""
        if entry.uid not in self._pending.get(account, {}):
            due = self._clock.monotonic() + BATCH.total_seconds()
            self._put(account, entry.uid, Pending(entry, due, is_fallback=True))

    def withdraw(self, account: str, uid: str) -> None:
        """No DELETE of this object is in effect and none was refused: remove its entry."""
        self._put(account, uid, Pending(None, self._clock.monotonic() + BATCH.total_seconds()))

    def finish(self, account: str, entry: RecentDeletion) -> "asyncio.Future[None]":
        """Add the entry of a release. The future is done when the entry is written, or the account is gone."""
        before = self._pending.get(account, {}).get(entry.uid)
        if before is not None and before.entry == entry and before.waiters and not before.waiters[-1].done():
            # A release that is retried waits for the same write.
            return before.waiters[-1]
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(account, entry.uid, Pending(entry, self._clock.monotonic(), waiters=[written]))
        return written

    def find(self, account: Account, uid: str) -> RecentDeletion | None:
        """The newest entry about this object, written or pending."""
        pending = self._pending.get(account.metadata.name, {}).get(uid)
        if pending is not None and not pending.is_fallback:
            return pending.entry
        stored = (entry for entry in account.status.recent_deletions if entry.uid == uid)
        return next(stored, pending.entry if pending is not None else None)

    def is_written(self, account: Account, entry: RecentDeletion) -> bool:
        """Whether the account has exactly this entry and nothing is pending about its object."""
        return entry.uid not in self._pending.get(account.metadata.name, {}) and (
            entry in account.status.recent_deletions
        )

    def applied_to(self, account: Account) -> Account:
        """The account with all its pending entries."""
        return self._apply(account).account

    def recently_deleted(self, accounts: Iterable[Account], identity: Identity, now: datetime) -> frozenset[str]:
        """Node pools of the same resource pool whose deletion a LIST may not show yet, by written and pending entries.

        Of all accounts, because two accounts can name one project.
        """
        entries = [
            entry
            for account in accounts
            if (account.spec.region, account.spec.project_id) == (identity.region, identity.project_id)
            for entry in self._apply(account).by_resource_pool.get(identity.pool_name, ())
        ]
        return recently_deleted(entries, now)

    def _apply(self, account: Account) -> _Applied:
        # Cached: each decision about a deletion reads it, and it changes only a few times per deletion.
        known = self._applied.get(account.metadata.name)
        if known is None or known.read is not account:
            applied = apply(account, self._pending.get(account.metadata.name, {}))
            by_resource_pool: dict[str, list[RecentDeletion]] = {}
            for entry in applied.status.recent_deletions:
                by_resource_pool.setdefault(entry.pool_name, []).append(entry)
            known = self._applied[account.metadata.name] = _Applied(account, applied, by_resource_pool)
        return known

    def of(self, account: str) -> dict[str, Pending]:
        """The pending entries of this account, by uid."""
        return dict(self._pending.get(account, {}))

    def due_in(self, account: str) -> timedelta | None:
        """The time until entries are due; None if none is pending. At most one write per second."""
        waiting = self._pending.get(account)
        if not waiting:
            return None
        rested = self._written_at.get(account, float("-inf")) + BATCH.total_seconds()
        left = max(min(each.due for each in waiting.values()), rested) - self._clock.monotonic()
        return timedelta(seconds=max(left, 0.0))

    def begin_write(self, account: str) -> None:
        """A write of entries begins: the next one waits for the shortest time between two."""
        self._written_at[account] = self._clock.monotonic()

    def forget(self, account: str) -> None:
        """The account is gone: no release waits for an entry any more."""
        self._written_at.pop(account, None)
        self.complete(account, self.of(account))

    def complete(self, account: str, written: dict[str, Pending]) -> None:
        """These entries are written, or their account is gone. An entry that replaced one of them stays pending."""
        self._applied.pop(account, None)
        waiting = self._pending.get(account, {})
        for uid, each in written.items():
            if waiting.get(uid) is not each:
                continue
            del waiting[uid]
            for waiter in each.waiters:
                if not waiter.done():
                    waiter.set_result(None)
        if not waiting:
            self._pending.pop(account, None)

    def _put(self, account: str, uid: str, pending: Pending) -> None:
        waiting = self._pending.setdefault(account, {})
        before = waiting.get(uid)
        if before is not None:
            # A release that waits for the older entry waits for this one; the earlier due time counts.
            pending.waiters = before.waiters + pending.waiters
            pending.due = min(pending.due, before.due)
        waiting[uid] = pending
        self._applied.pop(account, None)
        self._on_entry(Key(Kind.ACCOUNT, account), self.due_in(account) or timedelta())


def apply(account: Account, changes: dict[str, Pending]) -> Account:
    """The account with these changes of its recentDeletions, unordered and without a limit."""
    if not changes:
        return account
    entries = {entry.uid: entry for entry in account.status.recent_deletions}
    for uid, change in changes.items():
        if change.entry is None:
            entries.pop(uid, None)
        elif not change.is_fallback or not is_recorded_by(entries.get(uid), change.entry):
            entries[uid] = change.entry
    status = account.status.model_copy(update={"recent_deletions": tuple(entries.values())})
    return replace(account, status=status)


def log_delete(
    node_pool: NodePool, identity: Identity, record: DeletionRecord, answer: Accepted | CloudError | None
) -> None:
    """Log a DELETE with its result. None: the operator stopped before the answer."""
    outcome = "Unknown" if answer is None else "Accepted" if isinstance(answer, Accepted) else answer.reason
    logger.info(
        "DELETE of node pool %s: %s",
        identity.node_pool_name,
        outcome,
        extra={
            "audit": "delete",
            **_who(node_pool),
            "identity": identity.to_wire(),
            "requestId": None if answer is None else answer.request_id,
            "attempt": record.attempt,
            "outcome": outcome,
            "confirmed": node_pool.confirmation == identity.node_pool_name,
            "confirmedBy": node_pool.confirmed_by,
        },
    )


def log_release(node_pool: NodePool, identity: Identity | None, record: DeletionRecord, release: Release) -> None:
    """Log why the finalizer was removed."""
    logger.info(
        "released %s: %s",
        node_pool.title,
        release.reason,
        extra={
            "audit": "release",
            **_who(node_pool),
            "identity": identity.to_wire() if identity else None,
            "requestId": record.request_id,
            "sentTime": record.sent_time.isoformat() if record.sent_time else None,
            "outcome": release.reason.value,
            "orphan": release.is_orphan,
        },
    )


def _who(node_pool: NodePool) -> dict[str, object]:
    return {"object": node_pool.title, "uid": node_pool.metadata.uid}
