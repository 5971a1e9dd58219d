"""Accounts: our in-use finalizer, and a status that is written only when it changes.

`AccountReconciler` is the only writer of accounts, recentDeletions included, with at most one write of those per
second. `AccountCalls` records the result of the last call with each account. `AccountCheck` verifies the credentials
of an account that no object uses: one list_pools for each generation, until it is answered. Without that, the status
of such an account would not mention its credentials, and Flux, which waits for the account before it creates objects,
would wait forever.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.access.rate_limiter import Lane, Priority
from modelarts_nodepool.api.meta import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.names import ACCOUNT_FINALIZER
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.audit import AuditTrail, Pending, apply
from modelarts_nodepool.controllers.workqueue import Key, Kind, Outcome, Result, Workqueue
from modelarts_nodepool.controllers.writes import FIRST_PAUSE, Write, Writes
from modelarts_nodepool.decide.deletion.audit_entry import keep_newest
from modelarts_nodepool.decide.failures import RETRY_AFTER, needs_a_person
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.decide.status import decide_account_status
from modelarts_nodepool.errors import (
    CloudError,
    CloudUnavailable,
    ClusterError,
    CredentialsUnavailable,
    ObjectChanged,
    ObjectGone,
)
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import build_finalizer_added, build_finalizer_removed, build_status
from modelarts_nodepool.polling import Pollers, Schedule
from modelarts_nodepool.ports import Clock, Cluster

logger = logging.getLogger(__name__)

SOON = timedelta(milliseconds=100)
# Objects are often applied together with their account: their polls then make the check unnecessary.
GRACE = timedelta(seconds=5)
# A repaired Secret is noticed within this time, or within pollInterval if that is longer.
SHORTEST_REPEAT = timedelta(seconds=60)


@dataclass(slots=True, eq=False)
class Trial:
    """The check of one generation of an account; `seen` is in monotonic seconds."""

    uid: str
    generation: int
    since: float
    schedule: Schedule
    is_spread: bool = False
    is_answered: bool = False
    is_verified: bool = False

    def is_of(self, account: Account) -> bool:
        """Whether it is about the current generation of the account."""
        return (self.uid, self.generation) == (account.metadata.uid, account.metadata.generation)

    def record(self, failure: Failure | None) -> None:
        """Record the result of a call with the account."""
        is_transient = isinstance(failure, CloudError) and failure.is_transient
        is_refused = failure is not None and needs_a_person(failure)
        self.is_answered = self.is_answered or not is_transient
        # ModelArts answers "not found" only after it accepted the credentials.
        self.is_verified = self.is_verified or not (is_transient or is_refused)


class AccountCalls:
    """The result of the last call with each account, and the check of its current generation."""

    def __init__(
        self, cache: Cache, queue: Workqueue, clock: Clock, jitter: Callable[[], float] = random.random
    ) -> None:
        """An account's key is added to the queue if a call has another result than the call before."""
        self._cache = cache
        self._queue = queue
        self._clock = clock
        self._jitter = jitter
        self.last: dict[str, Failure | None] = {}
        self.trials: dict[str, Trial] = {}
        self.beginning: set[str] = set()
        # Accounts whose status waits for the result of the next call.
        self.awaited: set[str] = set()

    def plan_check(self, name: str) -> None:
        """The account was added, changed or deleted: plan the check of a new generation."""
        account = self._cache.accounts.get(name)
        if account is None or not _may_be_tried(account):
            self._forget(name)
            return
        trial = self.trials.get(name)
        if trial is not None and trial.is_of(account):
            return
        self._forget(name)
        metadata, now = account.metadata, self._clock.monotonic()
        trial = Trial(metadata.uid, metadata.generation, now, Schedule(self._jitter))
        # Verified by an earlier process: a restart costs no call and no write.
        trial.is_verified = trial.is_answered = _is_ready(account)
        self.trials[name] = trial
        if not trial.is_verified:
            self.beginning.add(name)
            self._queue.add_after(Key(Kind.ACCOUNT_CHECK, name), GRACE)

    def record_poll(self, name: str, failure: Failure | None, begun: float) -> None:
        """Record the result of a poll with this account; `begun` is in monotonic seconds."""
        trial = self.trials.get(name)
        if trial is not None and begun >= trial.since:
            trial.record(failure)
        self.record(name, failure)

    def record(self, name: str, failure: Failure | None) -> None:
        """Record the result of a call with this account; None if it succeeded."""
        if name in self.last and name not in self.awaited and _is_same(self.last[name], failure):
            return
        self.last[name] = failure
        self._queue.add(Key(Kind.ACCOUNT, name))

    def forget(self, name: str) -> None:
        """The account is gone."""
        self.last.pop(name, None)
        self.awaited.discard(name)

    def _forget(self, name: str) -> None:
        self.trials.pop(name, None)
        self.beginning.discard(name)
        self._queue.forget(Key(Kind.ACCOUNT_CHECK, name))


class AccountReconciler:
    """Writes the status of accounts."""

    def __init__(
        self,
        cache: Cache,
        calls: AccountCalls,
        pollers: Pollers,
        clouds: Gateway,
        writes: Writes,
        trail: AuditTrail,
        cluster: Cluster,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._calls = calls
        self._pollers = pollers
        self._clouds = clouds
        self._writes = writes
        self._trail = trail
        self._cluster = cluster
        self._clock = clock
        self._uids: dict[str, str] = {}

    async def reconcile(self, name: str) -> Result:
        """Update the account's finalizer and status, and write the entries that are due."""
        account = self._cache.accounts.get(name)
        former = self._uids.pop(name, None)
        if account is not None:
            self._uids[name] = account.metadata.uid
        if former is not None and former != self._uids.get(name):
            self._writes.forget(former)
        if account is None:
            self._calls.forget(name)
            self._trail.forget(name)
            await self._clouds.keep_only(self._cache.accounts)
            return Result()
        try:
            await self._bring_up_to_date(account)
        except (ObjectChanged, ObjectGone):
            return await self._refresh(account)
        except ClusterError:
            # controllers/writes.py logs it, in one line for all objects.
            return Result(self._retry_after(account), Outcome.UNAVAILABLE)
        return Result(self._trail.due_in(name))

    async def _bring_up_to_date(self, account: Account) -> None:
        current: Account | None = account
        refused: ClusterError | None = None
        try:
            current = await self._keep_finalizer(account)
        except (ObjectChanged, ObjectGone):
            raise
        except ClusterError as error:
            # A refused finalizer must not block the entries: deletions wait for them.
            refused = error
            self._writes.report_lasting(account, Write.FINALIZER)
        if current is not None:
            try:
                await self._write_status(current)
            except (ObjectChanged, ObjectGone):
                raise
            except ClusterError:
                self._writes.report_lasting(account)
                raise
        if refused is not None:
            raise refused

    async def _keep_finalizer(self, account: Account) -> Account | None:
        """Keep the finalizer until no object refers to the account. The account after that; None if it was released."""
        is_marked = ACCOUNT_FINALIZER in account.metadata.finalizers
        if not account.is_terminating and not is_marked:
            patch = build_finalizer_added(account)
        elif account.is_terminating and is_marked and not self._cache.is_used(account.metadata.name):
            patch = build_finalizer_removed(account)
        else:
            return account
        body = await self._writes.patch(account, Write.FINALIZER, paths.path_of(account), patch)
        taken = self._cache.upsert_account(body)
        return taken if taken is not None and not taken.is_terminating else None

    async def _write_status(self, account: Account) -> None:
        name, now, calls = account.metadata.name, self._clock.now(), self._calls
        entries = self._due_entries(name)
        if not entries and self._is_awaited(account):
            calls.awaited.add(name)
            return
        calls.awaited.discard(name)
        status = decide_account_status(account, was_used=name in calls.last, failure=calls.last.get(name), now=now)
        if entries:
            window = account.spec.deletion_budget.window
            recent = keep_newest(apply(account, entries).status.recent_deletions, window, now)
            status = status.model_copy(update={"recent_deletions": recent})
            self._trail.begin_write(name)
        if status != account.status:
            patch = build_status(account, status)
            body = await self._writes.patch(account, Write.STATUS, paths.status_path_of(account), patch)
            self._cache.upsert_account(body)
        self._trail.complete(name, entries)

    def _due_entries(self, name: str) -> dict[str, Pending]:
        """The entries to write now. Those that are added during a write wait for the next one."""
        wait = self._trail.due_in(name)
        return self._trail.of(name) if wait == timedelta() else {}

    def _is_awaited(self, account: Account) -> bool:
        """Whether the status is about an earlier generation and a call for this one follows soon.

        Keeping Ready=True would report a wrong Secret as valid.
        """
        trial, status = self._calls.trials.get(account.metadata.name), account.status
        return (
            trial is not None
            and trial.is_of(account)
            and not trial.is_answered
            and bool(status.conditions)
            and status.observed_generation != account.metadata.generation
            and not self._pollers.is_needed_by(account.metadata.name)
        )

    def _retry_after(self, account: Account) -> timedelta:
        """Entries wait only for their own write."""
        name, uid = account.metadata.name, account.metadata.uid
        pause, due = self._writes.pause(uid), self._trail.due_in(name)
        if due is None or self._writes.wait(uid, Write.STATUS) > timedelta():
            return pause
        return min(pause, max(due, SOON))

    async def _refresh(self, account: Account) -> Result:
        name = account.metadata.name
        try:
            body = await self._cluster.get(paths.path_of(account))
        except ObjectGone:
            self._cache.drop_account(name, account.metadata.uid)
            return Result(outcome=Outcome.CONFLICT)
        except ClusterError as error:
            self._writes.warn(account, error)
            return Result(FIRST_PAUSE, Outcome.UNAVAILABLE)
        self._cache.upsert_account(body)
        return Result(SOON, Outcome.CONFLICT)


class AccountCheck:
    """Calls list_pools with accounts that no object uses. If a poller uses the account, it makes no call."""

    def __init__(self, cache: Cache, calls: AccountCalls, pollers: Pollers, clouds: Gateway) -> None:
        self._cache = cache
        self._calls = calls
        self._pollers = pollers
        self._clouds = clouds

    async def reconcile(self, name: str) -> Result:
        """Make a call when one is due, until the account is verified."""
        calls = self._calls
        account, trial = self._cache.accounts.get(name), calls.trials.get(name)
        if account is None or trial is None or trial.is_verified:
            calls.beginning.discard(name)
            return Result()
        if self._pollers.is_needed_by(name):
            # Its pollers verify it. If they end before that, the account is checked here again.
            calls.beginning.discard(name)
            return Result(_repeat(account))
        if not trial.is_spread:
            # The number of checks that began together is known only now.
            trial.is_spread = True
            wait = trial.schedule.first(len(calls.beginning))
            if wait > timedelta():
                return Result(wait)
        calls.beginning.discard(name)
        failure = await self._ask(account)
        if calls.trials.get(name) is not trial:
            # The account changed or is gone: this result is not about its current generation.
            return Result()
        trial.record(failure)
        calls.record(name, failure)
        if trial.is_verified:
            return Result()
        trial.schedule.record(failure)
        trial.schedule.draw()
        is_for_people = failure is not None and needs_a_person(failure)
        return Result(trial.schedule.pause(_repeat(account) if is_for_people else RETRY_AFTER))

    async def _ask(self, account: Account) -> Failure | None:
        workspace = account.spec.workspace
        try:
            await self._clouds.call(account, lambda cloud: cloud.list_pools(workspace), Priority(Lane.POLL))
        except (CloudError, CredentialsUnavailable) as failure:
            return failure
        except Exception as error:
            # A bug of ours says nothing about the account.
            logger.exception("an account could not be verified", extra={"account": account.metadata.name})
            return CloudUnavailable(f"the call failed: {type(error).__name__}")
        return None


def _is_same(one: Failure | None, other: Failure | None) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, CredentialsUnavailable) or isinstance(other, CredentialsUnavailable):
        # Their messages name what is missing, and change only with it.
        return (type(one), str(one)) == (type(other), str(other))
    return one.reason == other.reason


def _may_be_tried(account: Account) -> bool:
    return not account.is_terminating and ACCOUNT_FINALIZER in account.metadata.finalizers


def _is_ready(account: Account) -> bool:
    ready = find_condition(account.status.conditions, ConditionType.READY)
    is_current = account.status.observed_generation == account.metadata.generation
    return is_current and ready is not None and ready.status is ConditionStatus.TRUE


def _repeat(account: Account) -> timedelta:
    return max(account.spec.poll_interval, SHORTEST_REPEAT)
