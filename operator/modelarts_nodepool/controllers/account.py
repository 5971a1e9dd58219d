"""Accounts: our in-use finalizer, and a status that is written when what there is to say changes.

The one writer of accounts. Told of every look by the controller, and by controllers/entries.py of every DELETE and
every release; its queue's work is one account by name, with at most one write of entries a second.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from modelarts_nodepool.api.names import ACCOUNT_FINALIZER
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.controllers.entries import BATCH, Pending, apply
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.controllers.workqueue import KeyedQueue
from modelarts_nodepool.controllers.writes import FIRST_PAUSE, Write
from modelarts_nodepool.decide.account import decide_account_status
from modelarts_nodepool.decide.deletion.audit_entry import keep_newest
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.errors import ClusterError, CredentialsUnavailable, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import patches, paths

logger = logging.getLogger(__name__)

SOON = timedelta(milliseconds=100)
AFTER_A_FAULT = timedelta(seconds=30)
# An account whose write is not answered must not hold up the releases of the others.
WORKERS = 4


class Accounts:
    """Writes the status of accounts."""

    def __init__(self, tools: Tools, is_awaited: Callable[[Account], bool] = lambda _: False) -> None:
        """Run `queue.run()`; add names to it. What `is_awaited` says will soon be known is not guessed meanwhile."""
        self._tools = tools
        self._is_awaited = is_awaited
        self._last: dict[str, Failure | None] = {}
        self._entered_at: dict[str, float] = {}
        self._held: set[str] = set()
        self.queue = KeyedQueue(self._work, WORKERS)
        tools.entries.on_entry = self._plan

    def note(self, name: str, failure: Failure | None) -> None:
        """A look with this account's credentials worked, or failed like this."""
        if name in self._last and name not in self._held and _same(self._last[name], failure):
            return
        self._last[name] = failure
        self.queue.add(name)

    def _plan(self, name: str) -> None:
        """Something of its recentDeletions is to be written: once it is due and the last write is long enough ago."""
        wait = self._until_due(name)
        if wait <= timedelta():
            self.queue.add(name)
        else:
            self.queue.add_after(name, wait)

    def _until_due(self, name: str) -> timedelta:
        return max(self._tools.entries.due_in(name) or timedelta(), self._rest(name))

    def _rest(self, name: str) -> timedelta:
        """How long entries still have to wait; zero or less: they may be written now."""
        since = self._tools.clock.monotonic() - self._entered_at.get(name, float("-inf"))
        return BATCH - timedelta(seconds=min(since, BATCH.total_seconds()))

    async def _work(self, name: str) -> None:
        account = self._tools.registry.accounts.get(name)
        try:
            if account is None:
                await self._forget(name)
            else:
                await self._bring_up_to_date(account)
        except ClusterError:
            if account is not None:
                # controllers/writes.py logs it, for all objects together.
                self.queue.add_after(name, self._retry_after(account))
        except Exception:
            logger.exception("the status of account %s could not be decided; tried again", name)
            self.queue.add_after(name, AFTER_A_FAULT)

    async def _bring_up_to_date(self, account: Account) -> None:
        try:
            is_written, refused = await self._keep_finalizer(account), None
        except (ObjectChanged, ObjectGone):
            await self._refresh(account)
            return
        except ClusterError as error:
            # A finalizer that is refused stands in the way of no entry: deletions wait for theirs.
            is_written, refused = False, error
            self._tools.tell_unwritten(account, Write.FINALIZER)
        if not is_written:
            await self._write_or_refresh(account)
        if refused is not None:
            raise refused

    def _retry_after(self, account: Account) -> timedelta:
        """Entries wait for nothing but their own write."""
        name, uid = account.metadata.name, account.metadata.uid
        pause = self._tools.writes.pause(uid)
        if self._tools.entries.due_in(name) is None or self._tools.writes.wait(uid, Write.STATUS) > timedelta():
            return pause
        return min(pause, max(self._until_due(name), SOON))

    async def _write_or_refresh(self, account: Account) -> None:
        try:
            await self._write(account)
        except (ObjectChanged, ObjectGone):
            await self._refresh(account)
        except ClusterError:
            self._tools.tell_unwritten(account)
            raise

    async def _forget(self, name: str) -> None:
        """The account is gone, and with it what was kept of it; nobody waits for an entry any more."""
        self._last.pop(name, None)
        self._held.discard(name)
        self._entered_at.pop(name, None)
        self._tools.entries.settle(name, self._tools.entries.of(name))
        await self._tools.clouds.keep_only(self._tools.registry.accounts)

    async def _keep_finalizer(self, account: Account) -> bool:
        """In use from first sight until no object refers to it; whether that took a write (its news comes back)."""
        is_used = self._tools.registry.is_used(account.metadata.name)
        is_marked = ACCOUNT_FINALIZER in account.metadata.finalizers
        if not account.is_terminating and not is_marked:
            patch = patches.build_finalizer_added(account)
        elif account.is_terminating and is_marked and not is_used:
            patch = patches.build_finalizer_removed(account)
        else:
            return False
        body = await self._tools.writes.patch(account, Write.FINALIZER, paths.path_of(account), patch)
        taken = self._tools.registry.take_account(body)
        if taken is not None and not taken.is_terminating:
            self.queue.add(account.metadata.name)
        return True

    async def _write(self, account: Account) -> None:
        name, now = account.metadata.name, self._tools.clock.now()
        entries = self._due_entries(name)
        if not entries and self._is_awaited(account):
            self._held.add(name)
            return
        self._held.discard(name)
        status = decide_account_status(account, was_used=name in self._last, failure=self._last.get(name), now=now)
        if entries:
            window = account.spec.deletion_budget.window
            recent = keep_newest(apply(account, entries).status.recent_deletions, window, now)
            status = status.model_copy(update={"recent_deletions": recent})
            self._entered_at[name] = self._tools.clock.monotonic()
        if status != account.status:
            patch = patches.build_status(account, status)
            body = await self._tools.writes.patch(account, Write.STATUS, paths.status_path_of(account), patch)
            self._tools.registry.take_account(body)
        self._tools.entries.settle(name, entries)

    def _due_entries(self, name: str) -> dict[str, Pending]:
        """Those to write now. The news of our own write comes back at once: what was entered meanwhile has to wait."""
        waiting = self._tools.entries.of(name)
        if waiting and (wait := self._until_due(name)) > timedelta():
            self.queue.add_after(name, wait)
            return {}
        return waiting

    async def _refresh(self, account: Account) -> None:
        name = account.metadata.name
        try:
            body = await self._tools.cluster.get(paths.path_of(account))
        except ObjectGone:
            self._tools.registry.drop_account(name, account.metadata.uid)
            return
        except ClusterError as error:
            self._tools.writes.warn(account, error)
            self.queue.add_after(name, FIRST_PAUSE)
        else:
            self._tools.registry.take_account(body)
            self.queue.add_after(name, SOON)


def _same(one: Failure | None, other: Failure | None) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, CredentialsUnavailable) or isinstance(other, CredentialsUnavailable):
        # Their words name what is missing, and change only with it.
        return (type(one), str(one)) == (type(other), str(other))
    return one.reason == other.reason
