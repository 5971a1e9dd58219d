"""Entries of the accounts' recentDeletions on their way to the API server, by account and uid.

A DELETE is entered when it is sent, and again when it is answered and when its object is released;
controllers/account.py writes them. What is not written yet counts for the budget as if it were: a finalizer that
somebody strips in between gives no slot back.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from modelarts_nodepool.api.account import RecentDeletion
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.decide.deletion.audit_entry import is_recorded_by
from modelarts_nodepool.ports import Clock

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


class Entries:
    """What is still to be written, of all accounts."""

    def __init__(self, clock: Clock) -> None:
        """Empty; `on_entry` is called with the account's name when there is something to write, or sooner."""
        self._clock = clock
        self._pending: dict[str, dict[str, Pending]] = {}
        self.on_entry: Callable[[str], None] = lambda _name: None

    def enter(self, account: str, entry: RecentDeletion) -> None:
        """A DELETE that was sent, or what was answered: written within about a second, nobody waits for it."""
        self._put(account, entry.uid, Pending(entry, self._clock.monotonic() + BATCH.total_seconds()))

    def enter_if_missing(self, account: str, entry: RecentDeletion) -> None:
        """The same, unless the account has an entry about this DELETE or a later one by then."""
        if entry.uid not in self._pending.get(account, {}):
            due = self._clock.monotonic() + BATCH.total_seconds()
            self._put(account, entry.uid, Pending(entry, due, is_fallback=True))

    def take_back(self, account: str, uid: str) -> None:
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
        """The account as if all that is to be written of it were."""
        return apply(account, self._pending.get(account.metadata.name, {}))

    def of(self, account: str) -> dict[str, Pending]:
        """What is to be written of this account now, by uid."""
        return dict(self._pending.get(account, {}))

    def due_in(self, account: str) -> timedelta | None:
        """How long until something of it is to be written; None where nothing is."""
        waiting = self._pending.get(account)
        if not waiting:
            return None
        left = min(each.due for each in waiting.values()) - self._clock.monotonic()
        return timedelta(seconds=max(left, 0.0))

    def settle(self, account: str, written: dict[str, Pending]) -> None:
        """These are written, or there is nothing to write them to. What replaced one of them goes on waiting."""
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
            # Whoever waits for the older word waits for this one; and what was to be written soon still is.
            pending.waiters = before.waiters + pending.waiters
            pending.due = min(pending.due, before.due)
        waiting[uid] = pending
        self.on_entry(account)


def apply(account: Account, changes: dict[str, Pending]) -> Account:
    """The account with these changes of its recentDeletions, in no order and however many they are."""
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
