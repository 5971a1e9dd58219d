"""Writes to our objects: every PATCH goes through here, with one backoff for each object.

Nothing bypasses it: whatever adds a key (a poll, a watch event, the resync, reconcile-at), a failed write is retried
after 1, 2, 4 … seconds and then once a minute. An object has up to three sorts of writes, each with its own backoff,
so that a status can say what happened to a finalizer; if several fail, they share one attempt a minute. The answer to
each write enters the cache at once. All reconcilers use this; server/gauges.py reads it from another thread, so a
`Failing` is replaced, never changed.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from modelarts_nodepool import metrics
from modelarts_nodepool.api.names import ACCOUNT_KIND, NODE_POOL_KIND
from modelarts_nodepool.api.node_pool import NodePoolStatus
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.status import GRACE, TRANSIENT_GRACE
from modelarts_nodepool.decide.failures import write_refused
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone, RefusedByAPIServer, WriteHeldBack
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import build_finalizer_added, build_status
from modelarts_nodepool.kube.connection import REQUESTS_AT_ONCE
from modelarts_nodepool.kube.events import EventRecorder, EventType
from modelarts_nodepool.ports import Clock, Cluster

logger = logging.getLogger(__name__)

Thing = NodePool | Account | UnreadableObject
Body = Mapping[str, Any]

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=1)
_BACKOFF = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
# Jitter: objects that failed together must not be retried together. It only adds time: at most once a minute.
JITTER = 0.1
# A conflict is followed at once by a new decision; repeated conflicts are not.
CONFLICTS_IN_A_ROW = 5
# A failed write that was not retried for this time does not count as failing any more, and is dropped later.
NOT_WANTED = timedelta(minutes=4)
FORGOTTEN = timedelta(minutes=10)
LOG_EVERY = timedelta(minutes=1)
# Thousands of held deletions can write their status at the same moment. DELETEs and releases keep some slots.
STATUSES_AT_ONCE = REQUESTS_AT_ONCE - 2
# /readyz: most objects, and for so long.
MOST_FOR = timedelta(minutes=1)
MOST_AT_LEAST = 2


class Write(StrEnum):
    """The sorts of writes to one object."""

    FINALIZER = "finalizer"
    WRITE_AHEAD = "write-ahead"
    STATUS = "status"


class Refusal(StrEnum):
    """Why a write was not done; the label `reason` of writes_refused_total."""

    FORBIDDEN = "Forbidden"
    INVALID = "Invalid"
    TOO_LARGE = "TooLarge"
    WEBHOOK_FAILED = "WebhookFailed"
    THROTTLED = "Throttled"
    CONFLICT = "Conflict"
    NOT_FOUND = "NotFound"
    NO_ANSWER = "NoAnswer"
    UNAVAILABLE = "Unavailable"


@dataclass(frozen=True, slots=True)
class Failing:
    """A sort of write that failed. `since`, `next_at`: monotonic seconds; `is_reported`: by an Event.

    `excused`: conflicts in a row, each followed by a new decision at once; `failures`: all other failures in a row.
    """

    kind: str
    error: ClusterError
    since: float
    next_at: float
    failures: int = 0
    excused: int = 0
    is_reported: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether a person has to act, according to the answer."""
        return isinstance(self.error, RefusedByAPIServer)


class Writes:
    """Sends patches, and records which objects cannot be written."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        cache: Cache,
        recorder: EventRecorder,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`cache` gets the answers to writes, `recorder` the Events about writes that fail."""
        self._cluster = cluster
        self._clock = clock
        self._cache = cache
        self._recorder = recorder
        self._jitter = jitter
        self._statuses = asyncio.Semaphore(STATUSES_AT_ONCE)
        self._failing: dict[tuple[str, Write], Failing] = {}
        self._said_at: dict[str, float] = {}
        self._tidied_at = clock.monotonic()
        self._has_complained = False

    def __len__(self) -> int:
        """How many failures are recorded, by object and sort of write."""
        return len(self._failing)

    async def patch(self, thing: Thing, write: Write, path: str, patch: Sequence[Body]) -> Body:
        """The object after the patch. Raises errors.WriteHeldBack without an attempt, or another ClusterError."""
        self.check(thing.metadata.uid, write)
        try:
            body = await self._cluster.json_patch(path, patch)
        except ClusterError as error:
            # A copy has no traceback: that would keep the call, its patch and its answer for as long as it fails.
            self._record_failure(thing, write, copy(error))
            raise
        self._record_success(thing.metadata.uid, write)
        return body

    async def write_status(
        self, node_pool: NodePool, status: NodePoolStatus, write: Write = Write.STATUS
    ) -> NodePool | None:
        """Replace the whole status of exactly this version. Raises errors.ClusterError.

        The number of concurrent status writes is limited. A write-ahead has no limit, because a DELETE waits for it.
        """
        patch = build_status(node_pool, status)
        async with self._statuses if write is Write.STATUS else nullcontext():
            with self._cache.writing(node_pool.metadata.uid, status):
                body = await self.patch(node_pool, write, paths.status_path_of(node_pool), patch)
        metrics.STATUS_WRITES.inc()
        return self._cache.upsert_node_pool(body, is_written=True)

    async def add_finalizer(self, node_pool: NodePool) -> NodePool | None:
        """Protect exactly this version of the object. Raises errors.ClusterError."""
        patch = build_finalizer_added(node_pool)
        body = await self.patch(node_pool, Write.FINALIZER, paths.path_of(node_pool), patch)
        logger.info("protected: the finalizer is on the object", extra=node_pool.log_fields)
        return self._cache.upsert_node_pool(body, is_written=True)

    async def refresh(self, thing: NodePool | UnreadableObject, error: ClusterError | None = None) -> None:
        """Read an object again, mostly after a write that failed with `error`: it is gone, or has changed.

        Raises errors.ClusterError if it cannot be read, after logging that.
        """
        uid = thing.metadata.uid
        try:
            body = await self._cluster.get(paths.path_of(thing))
        except ObjectGone:
            self._cache.drop_node_pool(uid)
            return
        except ClusterError as failure:
            self.warn(thing, failure)
            raise
        self._cache.upsert_node_pool(body)
        if body["metadata"]["uid"] != uid:
            self._cache.drop_node_pool(uid)
        elif isinstance(error, ObjectGone) and isinstance(thing, NodePool):
            await self._warn_of_missing_namespace(thing)

    async def _warn_of_missing_namespace(self, node_pool: NodePool) -> None:
        """Log why the API server shows the object but accepts no write to it, once a minute for each namespace.

        The namespace's finalizers were removed by hand, or the API server removed the namespace too early.
        """
        name = node_pool.metadata.namespace
        try:
            await self._cluster.get(paths.namespace(name))
        except ObjectGone:
            if not self.may_log(f"namespace {name}"):
                return
            logger.warning(
                "namespace %s is gone and the object is still there: the API server takes no write to it, so "
                "its status is not written, its node pool is not deleted, and it is not released; create the namespace "
                "again: %s",
                name,
                remedies.create_namespace(name),
                extra=node_pool.log_fields,
            )
        except ClusterError:
            pass

    def check(self, uid: str, write: Write) -> None:
        """Raise errors.WriteHeldBack if it is too early to retry such a write."""
        left = self.wait(uid, write)
        failing = self._failing.get((uid, write))
        if left > timedelta() and failing is not None:
            raise WriteHeldBack(f"not tried again yet: {failing.error}", retry_after=left)

    def wait(self, uid: str, write: Write) -> timedelta:
        """How long such a write must wait; zero if it need not."""
        failing = self._find(uid, write)
        left = failing.next_at - self._clock.monotonic() if failing else 0.0
        return timedelta(seconds=max(left, 0.0))

    def pause(self, uid: str) -> timedelta:
        """The time until the first failed write of this object may be retried."""
        waits = [wait for write in Write if (wait := self.wait(uid, write)) > timedelta()]
        return min(waits, default=FIRST_PAUSE)

    def is_failing(self, uid: str) -> bool:
        """Whether the last write of any sort to this object failed."""
        return any(self._find(uid, write) for write in Write)

    def lasting(self, uid: str, write: Write) -> tuple[ClusterError, timedelta] | None:
        """What fails and for how long, once it has lasted long enough to be reported."""
        failing = self._find(uid, write)
        if failing is None or not failing.failures:
            return None
        age = timedelta(seconds=self._clock.monotonic() - failing.since)
        return (failing.error, age) if age >= (GRACE if failing.is_refused else TRANSIENT_GRACE) else None

    def report_lasting(self, thing: Thing, write: Write = Write.STATUS) -> None:
        """One Event after such a write has failed for some time: the object's status cannot say it."""
        lasting = self.lasting(thing.metadata.uid, write)
        if lasting is None or not self.report_once(thing.metadata.uid, write):
            return
        words = write_refused(lasting[0], is_status=write is Write.STATUS)
        self._recorder.record(thing, EventType.WARNING, Reason.REFUSED_BY_API_SERVER, words)

    def report_once(self, uid: str, write: Write) -> bool:
        """Whether the failure is not reported yet. Marks it as reported."""
        failing = self._failing.get((uid, write))
        if failing is None or failing.is_reported:
            return False
        self._failing[uid, write] = replace(failing, is_reported=True)
        return True

    def warn(self, thing: Thing, error: ClusterError) -> None:
        """Log one line a minute for all objects that cannot be written, or read again after a failed write."""
        if not self.may_log("objects"):
            return
        self._has_complained = True
        count = max(self.unwritable().total(), 1)
        logger.warning(
            "%d %s cannot be written; each is tried again, at last once a minute; the last one: %s",
            count,
            "object" if count == 1 else "objects",
            error,
            extra={"object": _title(thing), "uid": thing.metadata.uid},
        )

    def forget(self, uid: str) -> None:
        """The object is gone."""
        for write in Write:
            self._failing.pop((uid, write), None)

    def may_log(self, what: str) -> bool:
        """Whether a line about this subject may be logged: once a minute for each subject."""
        now = self._clock.monotonic()
        if now - self._said_at.get(what, float("-inf")) < LOG_EVERY.total_seconds():
            return False
        self._said_at = {
            known: moment for known, moment in self._said_at.items() if now - moment < LOG_EVERY.total_seconds()
        }
        self._said_at[what] = now
        return True

    def unwritable(self, at_least: timedelta = timedelta()) -> Counter[str]:
        """How many objects have not been writable for this time, by kind; from any thread."""
        now = self._clock.monotonic()
        found = {
            (failing.kind, uid)
            for (uid, _), failing in tuple(self._failing.items())
            if failing.failures
            and now < failing.next_at + NOT_WANTED.total_seconds()
            and now - failing.since >= at_least.total_seconds()
        }
        return Counter(kind for kind, _ in found)

    def problem(self, objects: int) -> str:
        """What /readyz says if more than half of `count` node pool objects cannot be written; from any thread."""
        count = self.unwritable(MOST_FOR)[NODE_POOL_KIND]
        if count < MOST_AT_LEAST or count * 2 <= objects:
            return ""
        failing = next((one for one in tuple(self._failing.values()) if one.failures), None)
        words = f": {failing.error}" if failing else ""
        return f"{count} of {objects} node pool objects cannot be written{words}"

    def _find(self, uid: str, write: Write) -> Failing | None:
        failing = self._failing.get((uid, write))
        if failing is not None and self._clock.monotonic() >= failing.next_at + FORGOTTEN.total_seconds():
            del self._failing[uid, write]
            return None
        return failing

    def _record_success(self, uid: str, write: Write) -> None:
        if self._failing.pop((uid, write), None) is None or not self._has_complained:
            return
        if not any(failing.failures for failing in self._failing.values()):
            self._has_complained = False
            logger.info("all objects can be written again")

    def _record_failure(self, thing: Thing, write: Write, error: ClusterError) -> None:
        uid, now = thing.metadata.uid, self._clock.monotonic()
        self._tidy_up(now)
        kind = ACCOUNT_KIND if isinstance(thing, Account) else NODE_POOL_KIND
        known = self._find(uid, write) or Failing(kind, error, now, now)
        if known.excused < _excused(error):
            self._failing[uid, write] = replace(known, error=error, next_at=now, excused=known.excused + 1)
            return
        others = [other for other in Write if other is not write and self._has_failed(uid, other)]
        # All failures of the object count: a second sort of write gets no quick retries.
        before = known.failures + sum(self._failing[uid, other].failures for other in others)
        pause = self._pause(before + 1, error)
        since = known.since if known.failures else now
        next_at = now + pause * (1 + len(others))
        failing = replace(known, error=error, since=since, next_at=next_at, failures=known.failures + 1)
        self._failing[uid, write] = failing
        for other in others:
            one = self._failing[uid, other]
            self._failing[uid, other] = replace(one, next_at=max(one.next_at, now + pause))
        metrics.WRITES_REFUSED.labels(_refusal_of(error).value).inc()
        self.warn(thing, error)

    def _tidy_up(self, now: float) -> None:
        """Drop old failures: an object that went during its write is never reported again."""
        if now < self._tidied_at + FORGOTTEN.total_seconds():
            return
        self._tidied_at = now
        self._failing = {
            key: failing for key, failing in self._failing.items() if now < failing.next_at + FORGOTTEN.total_seconds()
        }

    def _has_failed(self, uid: str, write: Write) -> bool:
        failing = self._find(uid, write)
        return failing is not None and failing.failures > 0

    def _pause(self, failures: int, error: ClusterError) -> float:
        """Seconds. The API server's Retry-After counts, up to the longest pause."""
        pause = min(max(_BACKOFF.after(failures), error.retry_after or timedelta()), LONGEST_PAUSE)
        return pause.total_seconds() * (1 + JITTER * self._jitter())


def _title(thing: Thing) -> str:
    return thing.metadata.name if isinstance(thing, Account) else thing.title


def _excused(error: ClusterError) -> int:
    """This many conflicts in a row may be followed by a new decision at once."""
    if isinstance(error, ObjectChanged):
        return CONFLICTS_IN_A_ROW
    # The object is gone, as a rule.
    return 1 if isinstance(error, ObjectGone) else 0


_BY_STATUS: dict[int | None, Refusal] = {
    HTTPStatus.FORBIDDEN: Refusal.FORBIDDEN,
    HTTPStatus.UNAUTHORIZED: Refusal.FORBIDDEN,
    HTTPStatus.BAD_REQUEST: Refusal.INVALID,
    HTTPStatus.UNPROCESSABLE_ENTITY: Refusal.INVALID,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Refusal.TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS: Refusal.THROTTLED,
    None: Refusal.NO_ANSWER,
}


def _refusal_of(error: ClusterError) -> Refusal:
    if isinstance(error, ObjectChanged):
        return Refusal.CONFLICT
    if isinstance(error, ObjectGone):
        return Refusal.NOT_FOUND
    if isinstance(error, RefusedByAPIServer) and "failed calling webhook" in str(error):
        return Refusal.WEBHOOK_FAILED
    if isinstance(error, RefusedByAPIServer) and "too large" in str(error):
        return Refusal.TOO_LARGE
    # A webhook may refuse with any code.
    fallback = Refusal.FORBIDDEN if isinstance(error, RefusedByAPIServer) else Refusal.UNAVAILABLE
    return _BY_STATUS.get(error.status, fallback)
