"""Whether an account that nobody uses could be used: one list_pools for each generation of it, tried until answered.

Without it such an account would say nothing of its credentials, and who waits for it before creating objects, as Flux
does, would wait for ever. Fed by controllers/manager.py; the outcome goes to controllers/account.py like that of any
look. Where a poller looks with the account, nothing is asked here.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from modelarts_nodepool.access.rate_limiter import Lane, Urgency
from modelarts_nodepool.api.conditions import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.names import ACCOUNT_FINALIZER
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.controllers.workqueue import KeyedQueue
from modelarts_nodepool.decide.failures import RETRY_AFTER, needs_a_person
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.errors import CloudError, CloudUnavailable, CredentialsUnavailable
from modelarts_nodepool.polling.schedule import Schedule

logger = logging.getLogger(__name__)

# Objects are often applied together with their account: their looks say the same without a call more.
GRACE = timedelta(seconds=5)
# A repaired Secret is noticed within this, or within pollInterval where that is longer.
SHORTEST_REPEAT = timedelta(seconds=60)
# An endpoint that swallows requests holds one of these until the call's time is up.
CALLS_AT_ONCE = 16


@dataclass(slots=True, eq=False)
class _Trial:
    """What is known of one generation of an account, seen since then (monotonic seconds)."""

    uid: str
    generation: int
    since: float
    spreading: Schedule
    is_spread: bool = False
    is_answered: bool = False
    is_verified: bool = False

    def is_of(self, account: Account) -> bool:
        return (self.uid, self.generation) == (account.metadata.uid, account.metadata.generation)


class Verifying:
    """Run `queue.run()`; `consider` each account that is new, changed or gone, `note` each look of a poller."""

    def __init__(self, tools: Tools, jitter: Callable[[], float] = random.random) -> None:
        """Tell `on_tried` how each call or look with an account went."""
        self._tools = tools
        self.on_tried: Callable[[str, Failure | None], None] = lambda _name, _failure: None
        self._jitter = jitter
        self._trials: dict[str, _Trial] = {}
        self._beginning: set[str] = set()
        self.queue = KeyedQueue(self._work, workers=CALLS_AT_ONCE)

    def consider(self, name: str) -> None:
        """The account was seen or changed, or is gone."""
        account = self._tools.registry.accounts.get(name)
        if account is None or not _may_be_tried(account):
            self._forget(name)
            return
        trial = self._trials.get(name)
        if trial is not None and trial.is_of(account):
            return
        self._forget(name)
        metadata, now = account.metadata, self._tools.clock.monotonic()
        trial = _Trial(metadata.uid, metadata.generation, now, Schedule(self._jitter))
        # Found out by a process before this one: a restart costs neither a call nor a write.
        trial.is_verified = trial.is_answered = _says_ready(account)
        self._trials[name] = trial
        if not trial.is_verified:
            self._beginning.add(name)
            self.queue.add_after(name, GRACE)

    def note(self, name: str, failure: Failure | None, begun: float) -> None:
        """A poller's look that began then (monotonic seconds)."""
        trial = self._trials.get(name)
        if trial is not None and begun >= trial.since:
            _take(trial, failure)
        self.on_tried(name, failure)

    def is_awaited(self, account: Account) -> bool:
        """Whether what the status says is of an earlier generation, and this one is soon known better.

        To repeat the last word for it would call a new, wrong Secret good for some seconds.
        """
        trial, status = self._trials.get(account.metadata.name), account.status
        return (
            trial is not None
            and trial.is_of(account)
            and not trial.is_answered
            and bool(status.conditions)
            and status.observed_generation != account.metadata.generation
            and not self._is_in_use(account)
        )

    async def _work(self, name: str) -> None:
        account, trial = self._tools.registry.accounts.get(name), self._trials.get(name)
        if account is None or trial is None or trial.is_verified:
            self._beginning.discard(name)
            return
        if self._is_in_use(account):
            # Its pollers find out. Should they leave before, it is for here again.
            self._beginning.discard(name)
            self.queue.add_after(name, _repeat(account))
            return
        if not trial.is_spread:
            # Only now is it known how many began together.
            trial.is_spread = True
            self.queue.add_after(name, trial.spreading.first(len(self._beginning)))
            return
        self._beginning.discard(name)
        failure = await self._ask(account)
        if self._trials.get(name) is not trial:
            return  # Changed or gone meanwhile: the answer is to a question that nobody asks any more.
        _take(trial, failure)
        if not trial.is_verified:
            trial.spreading.record(failure)
            trial.spreading.draw()
            is_for_people = failure is not None and needs_a_person(failure)
            self.queue.add_after(name, trial.spreading.pause(_repeat(account) if is_for_people else RETRY_AFTER))
        self.on_tried(name, failure)

    async def _ask(self, account: Account) -> Failure | None:
        workspace = account.spec.workspace
        try:
            await self._tools.clouds.call(account, lambda cloud: cloud.list_pools(workspace), Urgency(Lane.POLL))
        except (CloudError, CredentialsUnavailable) as failure:
            return failure
        except Exception as error:
            # A fault of ours says nothing about the account, and must not end the worker.
            logger.exception("an account could not be verified", extra={"account": account.metadata.name})
            return CloudUnavailable(f"the look at the cloud failed: {type(error).__name__}")
        return None

    def _is_in_use(self, account: Account) -> bool:
        return self._tools.pollers.is_needed_by(account.metadata.name)

    def _forget(self, name: str) -> None:
        self._trials.pop(name, None)
        self._beginning.discard(name)
        self.queue.cancel_timer(name)


def _take(trial: _Trial, failure: Failure | None) -> None:
    is_transient = isinstance(failure, CloudError) and failure.is_transient
    is_refused = failure is not None and needs_a_person(failure)
    trial.is_answered = trial.is_answered or not is_transient
    # A "not found" is an answer to somebody who was let in.
    trial.is_verified = trial.is_verified or not (is_transient or is_refused)


def _may_be_tried(account: Account) -> bool:
    return not account.is_terminating and ACCOUNT_FINALIZER in account.metadata.finalizers


def _says_ready(account: Account) -> bool:
    ready = find_condition(account.status.conditions, ConditionType.READY)
    is_current = account.status.observed_generation == account.metadata.generation
    return is_current and ready is not None and ready.status is ConditionStatus.TRUE


def _repeat(account: Account) -> timedelta:
    return max(account.spec.poll_interval, SHORTEST_REPEAT)
