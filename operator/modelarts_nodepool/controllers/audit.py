"""The audit trail: one log record per DELETE and per release, and the accounts' recentDeletions.

The log says who (object, uid), what (the identity in the cloud), the cloud's request id, whether and by whom it was
confirmed, and the outcome. recentDeletions outlive the objects and are the budget's memory: a DELETE is entered when it
is sent, and again when it is answered and when its object is released; controllers/account.py writes the entries. What
is not written yet counts for the budget as well: a finalizer that is stripped in between gives no slot back.
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

# An account is written at most once in so long. A DELETE that was just sent waits for as long: its answer mostly
# comes within that time and saves a write.
BATCH = timedelta(seconds=1)


@dataclass(slots=True, eq=False)
class Pending:
    """What is to be written about one uid; `entry` None: its entry is taken back.

    `due`: not to be written before (monotonic). `is_fallback`: only where the account has no word about that DELETE.
    """

    entry: RecentDeletion | None
    due: float
    is_fallback: bool = False
    waiters: list["asyncio.Future[None]"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Applied:
    """An account as it was read, and with its entries that are to be written, also by resource pool."""

    read: Account
    account: Account
    by_resource_pool: dict[str, list[RecentDeletion]]


class AuditTrail:
    """What is still to be written of the recentDeletions, of all accounts."""

    def __init__(self, clock: Clock, on_entry: Callable[[Key, timedelta], None] = lambda _key, _wait: None) -> None:
        """Empty. `on_entry` gets an account's key, and how long until its entries are to be written."""
        self._clock = clock
        self._on_entry = on_entry
        self._pending: dict[str, dict[str, Pending]] = {}
        self._written_at: dict[str, float] = {}
        self._applied: dict[str, _Applied] = {}

    def enter(self, account: str, entry: RecentDeletion) -> None:
        """A DELETE that was sent, or what was answered: written within about a second, nothing waits for it."""
        self._put(account, entry.uid, Pending(entry, self._clock.monotonic() + BATCH.total_seconds()))

    def enter_if_missing(self, account: str, entry: RecentDeletion) -> None:
        """The same, unless the account has an entry about this DELETE or a later one by then."""
        if entry.uid not in self._pending.get(account, {}):
            due = self._clock.monotonic() + BATCH.total_seconds()
            self._put(account, entry.uid, Pending(entry, due, is_fallback=True))

    def withdraw(self, account: str, uid: str) -> None:
        """No DELETE of this object is in effect, and none was refused: it has no entry."""
        self._put(account, uid, Pending(None, self._clock.monotonic() + BATCH.total_seconds()))

    def finish(self, account: str, entry: RecentDeletion) -> "asyncio.Future[None]":
        """A release: written as soon as may be; done when it is written, or the account is gone."""
        before = self._pending.get(account, {}).get(entry.uid)
        if before is not None and before.entry == entry and before.waiters and not before.waiters[-1].done():
            # A release that is tried again waits for the same write.
            return before.waiters[-1]
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(account, entry.uid, Pending(entry, self._clock.monotonic(), waiters=[written]))
        return written

    def find(self, account: Account, uid: str) -> RecentDeletion | None:
        """The newest word about this object, written or not."""
        pending = self._pending.get(account.metadata.name, {}).get(uid)
        if pending is not None and not pending.is_fallback:
            return pending.entry
        stored = (entry for entry in account.status.recent_deletions if entry.uid == uid)
        return next(stored, pending.entry if pending is not None else None)

    def is_written(self, account: Account, entry: RecentDeletion) -> bool:
        """Whether the account has exactly this entry, and nothing else is to be written of its object."""
        return entry.uid not in self._pending.get(account.metadata.name, {}) and (
            entry in account.status.recent_deletions
        )

    def applied_to(self, account: Account) -> Account:
        """The account with all its entries that are to be written."""
        return self._apply(account).account

    def recently_deleted(self, accounts: Iterable[Account], identity: Identity, now: datetime) -> frozenset[str]:
        """Node pools of the same resource pool whose deletion a LIST may not show yet, written or not.

        Of all accounts, because two accounts may name one project.
        """
        entries = [
            entry
            for account in accounts
            if (account.spec.region, account.spec.project_id) == (identity.region, identity.project_id)
            for entry in self._apply(account).by_resource_pool.get(identity.pool_name, ())
        ]
        return recently_deleted(entries, now)

    def _apply(self, account: Account) -> _Applied:
        # Each decision about a deletion of the account asks for it, and it changes a few times for each deletion.
        known = self._applied.get(account.metadata.name)
        if known is None or known.read is not account:
            applied = apply(account, self._pending.get(account.metadata.name, {}))
            by_resource_pool: dict[str, list[RecentDeletion]] = {}
            for entry in applied.status.recent_deletions:
                by_resource_pool.setdefault(entry.pool_name, []).append(entry)
            known = self._applied[account.metadata.name] = _Applied(account, applied, by_resource_pool)
        return known

    def of(self, account: str) -> dict[str, Pending]:
        """What is to be written of this account now, by uid."""
        return dict(self._pending.get(account, {}))

    def due_in(self, account: str) -> timedelta | None:
        """How long until entries are to be written; None where there are none. At most one write a second."""
        waiting = self._pending.get(account)
        if not waiting:
            return None
        rested = self._written_at.get(account, float("-inf")) + BATCH.total_seconds()
        left = max(min(each.due for each in waiting.values()), rested) - self._clock.monotonic()
        return timedelta(seconds=max(left, 0.0))

    def begin_write(self, account: str) -> None:
        """A write of entries begins: the next one waits for its time."""
        self._written_at[account] = self._clock.monotonic()

    def forget(self, account: str) -> None:
        """The account is gone: releases wait for no entry any more."""
        self._written_at.pop(account, None)
        self.settle(account, self.of(account))

    def settle(self, account: str, written: dict[str, Pending]) -> None:
        """These are written, or there is nothing to write them to. What replaced one of them goes on waiting."""
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
            # A release that waits for the older entry waits for this one; what was to be written soon still is.
            pending.waiters = before.waiters + pending.waiters
            pending.due = min(pending.due, before.due)
        waiting[uid] = pending
        self._applied.pop(account, None)
        self._on_entry(Key(Kind.ACCOUNT, account), self.due_in(account) or timedelta())


def apply(account: Account, changes: dict[str, Pending]) -> Account:
    """The account with these changes of its recentDeletions, in no order and without a limit."""
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
    """The finalizer left the object: why."""
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
