"""The workqueue: keys to reconcile, modelled on client-go and controller-runtime.

A key waits at most once, however often it is added. One worker at a time reconciles it; a key that is added during its
reconcile is reconciled once more. A `Result` says when to reconcile it again. An exception is logged and the key
requeued with its own backoff. Keys wait in lanes: deletions never queue behind other work, and the number of workers
of the other lanes is limited. Workers exist only while their lane has keys.

Also here: a limit of keys for each group, locks by key, and single flight.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.decide.observed import Evidence
from modelarts_nodepool.errors import ClusterError

logger = logging.getLogger(__name__)

FIRST_BACKOFF = timedelta(seconds=1)
LONGEST_BACKOFF = timedelta(minutes=1)
_BACKOFF = Backoff(FIRST_BACKOFF, LONGEST_BACKOFF)
AGAIN = timedelta()
# The greatest age of an answer that most callers of a single flight accept.
KEPT_SECONDS = 10.0


class Kind(StrEnum):
    """The kind of a key: node pool objects and their abnormal nodes by uid, accounts by name."""

    NODE_POOL = "node pool"
    ACCOUNT = "account"
    ACCOUNT_CHECK = "account check"
    ABNORMAL_NODES = "abnormal nodes"


class Key(NamedTuple):
    """One thing to reconcile."""

    kind: Kind
    name: str


class Lane(NamedTuple):
    """Keys that share workers: at most `workers` at once; None for no limit."""

    name: str
    workers: int | None = None


class Outcome(StrEnum):
    """How a reconcile ended; the label `result` of reconciles_total."""

    DONE = "done"
    CONFLICT = "conflict"  # the object had changed: it was read again and is reconciled again
    UNAVAILABLE = "unavailable"  # the API server did not take a write: it is tried again
    FAILED = "failed"  # an exception that the code does not expect: see the log


@dataclass(frozen=True, slots=True)
class Result:
    """What to do after a reconcile.

    - `requeue_after`: reconcile again after this time; `AGAIN` (zero) at once; None when something changes.
    - `is_calm`: a LIST of the resource pool that shows nothing new is no reason to reconcile.
    """

    requeue_after: timedelta | None = None
    outcome: Outcome = Outcome.DONE
    is_calm: bool = False


Reconcile = Callable[[Key], Awaitable[Result]]
Report = Callable[[Key, Result, float], None]


@dataclass(slots=True)
class _Line:
    """The keys of one lane that wait, in order, and how many workers it has."""

    ready: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    workers: int = 0


class Workqueue:
    """Add keys at any time; `run` reconciles them until it is cancelled, and then takes no more."""

    def __init__(self, lane_of: Callable[[Key], Lane]) -> None:
        """`lane_of` is asked for each key that is added."""
        self._lane_of = lane_of
        self._reconcile: Reconcile | None = None
        self._report: Report | None = None
        self._lines: dict[Lane, _Line] = {}
        self._waiting: dict[Key, Lane] = {}
        self._active: set[Key] = set()
        self._dirty: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    def add(self, key: Key) -> None:
        """Reconcile the key as soon as its lane has a worker."""
        if self._is_stopped:
            return
        if key in self._active:
            self._dirty.add(key)
            return
        lane, former = self._lane_of(key), self._waiting.get(key)
        if former == lane:
            return
        if former is not None:
            # An object that was living when it was added and is being deleted now must not wait behind living ones.
            del self._lines[former].ready[key]
        self._waiting[key] = lane
        line = self._lines.setdefault(lane, _Line())
        line.ready[key] = None
        self._start_worker(lane, line)

    def add_after(self, key: Key, delay: timedelta) -> None:
        """Reconcile the key after `delay`. The earliest of several calls counts, until the key is reconciled."""
        seconds = delay.total_seconds()
        if seconds <= 0:
            self.add(key)
            return
        if self._is_stopped:
            return
        loop = asyncio.get_running_loop()
        planned = self._timers.get(key)
        if planned is not None:
            if planned.when() <= loop.time() + seconds:
                return
            planned.cancel()
        self._timers[key] = loop.call_later(seconds, self._fire, key)

    def forget(self, key: Key) -> None:
        """Drop the key's timer and backoff: nothing is left to do."""
        self._cancel_timer(key)
        self._failures.pop(key, None)

    def has(self, key: Key) -> bool:
        """Whether the key waits, is being reconciled, or is planned for later."""
        return key in self._waiting or key in self._active or key in self._timers

    async def run(self, reconcile: Reconcile, report: Report = lambda _key, _result, _seconds: None) -> None:
        """Reconcile keys until cancelled. Reconciles that are in progress are cancelled then, and awaited.

        `report` gets each result and how long it took.
        """
        self._reconcile, self._report = reconcile, report
        for lane, line in self._lines.items():
            for _ in line.ready:
                self._start_worker(lane, line)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._is_stopped = True
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            workers = tuple(self._workers)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _start_worker(self, lane: Lane, line: _Line) -> None:
        if self._reconcile is None or (lane.workers is not None and line.workers >= lane.workers):
            return
        line.workers += 1
        worker = asyncio.create_task(self._work(line, self._reconcile), name=f"reconcile {lane.name}")
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, line: _Line, reconcile: Reconcile) -> None:
        """Reconcile until no key of the lane waits."""
        try:
            while line.ready and not self._is_stopped:
                key, _ = line.ready.popitem(last=False)
                del self._waiting[key]
                await self._process(key, reconcile)
                await asyncio.sleep(0)  # Others get their turn, even where a key asks to be requeued at once.
        finally:
            line.workers -= 1

    async def _process(self, key: Key, reconcile: Reconcile) -> None:
        self._cancel_timer(key)
        self._active.add(key)
        begun = time.perf_counter()
        try:
            result = await reconcile(key)
        except ClusterError:
            # The reconciler has reported it.
            result = Result(self._back_off(key), Outcome.UNAVAILABLE)
        except Exception:
            logger.exception("reconciling the %s %s failed; it is tried again", key.kind, key.name)
            result = Result(self._back_off(key), Outcome.FAILED)
        else:
            if result.requeue_after != AGAIN:
                # A step is not a success: the next step may fail repeatedly.
                self._failures.pop(key, None)
        finally:
            self._active.discard(key)
            is_dirty = key in self._dirty
            self._dirty.discard(key)
        if self._report is not None:
            self._report(key, result, time.perf_counter() - begun)
        if is_dirty:
            self.add(key)
        elif result.requeue_after is not None:
            self.add_after(key, result.requeue_after)

    def _back_off(self, key: Key) -> timedelta:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return _BACKOFF.after(failures)

    def _fire(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()


@dataclass(slots=True)
class _Group:
    """Members that were admitted, and those that wait, in order of arrival."""

    admitted: set[str] = field(default_factory=set)
    waiting: OrderedDict[str, None] = field(default_factory=OrderedDict)


class GroupLimit:
    """Admits a few members of each group at once; the others wait in order and are requeued when it is their turn.

    Nothing blocks in here: a member that was not admitted returns from its reconcile and keeps its position.
    """

    def __init__(self, at_once: int, requeue: Callable[[str], None]) -> None:
        """`requeue` is called with a member that was admitted while it waited."""
        self._at_once = at_once
        self._requeue = requeue
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._group_of: dict[str, tuple[str, ...]] = {}

    def acquire(self, group: tuple[str, ...], member: str) -> bool:
        """Whether the member is admitted, from now until `release`."""
        if self._group_of.get(member, group) != group:
            self.release(member)
        self._group_of[member] = group
        line = self._groups.setdefault(group, _Group())
        if member not in line.admitted:
            line.waiting[member] = None
            self._fill(line, asking=member)
        return member in line.admitted

    def release(self, member: str) -> None:
        """The member does not need its admission any more. Idempotent."""
        group = self._group_of.pop(member, None)
        if group is None:
            return
        line = self._groups[group]
        line.admitted.discard(member)
        line.waiting.pop(member, None)
        self._fill(line)
        if not line.admitted:
            del self._groups[group]

    def __len__(self) -> int:
        """How many members are admitted or wait."""
        return len(self._group_of)

    def _fill(self, line: _Group, asking: str | None = None) -> None:
        while line.waiting and len(line.admitted) < self._at_once:
            member, _ = line.waiting.popitem(last=False)
            line.admitted.add(member)
            if member != asking:
                self._requeue(member)


class KeyedLocks:
    """A lock for each key. A key that no task holds or waits for is dropped."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    def of(self, *key: str) -> asyncio.Lock:
        """The lock of this key, for `async with`: the tasks that hold it or wait for it keep it alive."""
        return self._locks.setdefault(key, asyncio.Lock())

    def __len__(self) -> int:
        """How many keys are locked or waited for."""
        return len(self._locks)


Question = tuple[str, ...]
Ask = Callable[[], Awaitable[Evidence[Any]]]


class SingleFlight:
    """The newest answer to each question, failed ones included: concurrent callers share one request.

    Used for facts that many objects share: the CRD, a namespace, a resource pool, discovery. Without it a thousand
    concurrent deletions would send a thousand requests.
    """

    def __init__(self, kept_seconds: float = KEPT_SECONDS) -> None:
        """Answers older than `kept_seconds` are dropped: no caller accepts them."""
        self._kept_seconds = kept_seconds
        self._locks = KeyedLocks()
        self._answers: OrderedDict[Question, Evidence[Any]] = OrderedDict()

    async def get(self, question: Question, not_before: float, ask: Ask) -> Evidence[Any]:
        """An answer to a request that began at `not_before` (monotonic seconds) or later; `ask` makes one.

        If a request is cancelled, the callers that waited for it make their own.
        """
        known = self._answers.get(question)
        if known is not None and known.begun >= not_before:
            return known
        async with self._locks.of(*question):
            answer = self._answers.get(question)
            if answer is None or answer.begun < not_before:
                answer = self._answers[question] = await ask()
                self._answers.move_to_end(question)
                self._forget(answer.begun - self._kept_seconds)
            return answer

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._answers)

    def _forget(self, oldest: float) -> None:
        while (question := next(iter(self._answers))) and self._answers[question].begun < oldest:
            del self._answers[question]
