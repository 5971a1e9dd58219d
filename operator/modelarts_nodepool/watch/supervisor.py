"""Keeps the watch running: waits for the CRDs, relists, watches, and starts again when the watch ends.

kopf cannot watch the kind of a CRD that is being deleted, and the CRD waits for its objects: then the supervisor
relists repeatedly instead. If the watch fails repeatedly because of a bug of ours, `run` raises CannotWorkError:
another replica may work. If the API server fails, it waits: a failover would not help.

app.py gives it the watch, so it does not know kopf. The HTTP server's thread reads its health: the values are replaced
as a whole, never changed in place.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.manager import Manager
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.kube import crds
from modelarts_nodepool.kube.crds import Missing
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import Clock, ListingCluster
from modelarts_nodepool.settings import DEFAULT_SWEEP_INTERVAL, DEFAULT_WATCH_TIMEOUT
from modelarts_nodepool.watch.resync import MISSED_BY_WATCH, Resync, list_everything

logger = logging.getLogger(__name__)

CRD_CHECK_INTERVAL = timedelta(seconds=1)
# A watch that ran for this time did not end for the same reason as the one before.
STABLE_AFTER = timedelta(minutes=1)
MAX_PATIENCE = timedelta(seconds=10)
# After this number of bugs in a row the fault is not a passing one.
MAX_FAULTS = 4
_MAX_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Health:
    """`role` is leader or standby. `problems` are sentences; without any the process is healthy. `notes` inform."""

    role: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class EventSource(Protocol):
    """A source of events of the cluster."""

    def silence(self) -> timedelta:
        """The time since the last event or bookmark of the stream that has been silent longest; from any thread."""


class Watch(EventSource, Protocol):
    """Watches both kinds and namespaces, and fills the cache."""

    async def __call__(self) -> None:
        """Watch; returns or raises when the watch ends."""


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """Everything that bounds how long a change in the cluster can go unseen.

    `stream`: the API server ends each stream after this time, with a bookmark before, so a working stream is never
    silent for longer. `resync`: the interval of resyncs. `check_silence`: how often silence is checked.
    `first_pause`: the pause before the watch restarts; it doubles up to `longest_pause` if the watch ends early.
    `relist`: the pause between two relists while a CRD is being deleted; ten times the duration of a relist if that is
    longer.
    """

    stream: timedelta = DEFAULT_WATCH_TIMEOUT
    resync: timedelta = DEFAULT_SWEEP_INTERVAL
    relist: timedelta = timedelta(seconds=2)
    check_silence: timedelta = timedelta(seconds=1)
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(seconds=30)

    @property
    def reconnect(self) -> timedelta:
        """The watch reconnects a stream that is silent for this time."""
        return self.stream * 4 / 3

    @property
    def restart(self) -> timedelta:
        """The supervisor restarts a watch that is silent for this time."""
        return self.stream * 2

    @property
    def fatal_silence(self) -> timedelta:
        """The process should be restarted after this silence if `fatal_resync` applies, too."""
        return self.stream * 4

    @property
    def fatal_resync(self) -> timedelta:
        """The process should be restarted this long after the last resync if `fatal_silence` applies, too."""
        return self.resync * 5 / 2

    @property
    def patience(self) -> timedelta:
        """How far a watch may lag behind a LIST."""
        return min(MAX_PATIENCE, self.resync / 2)


class WatchMissesEventsError(Exception):
    """The watch runs but does not deliver events."""


class WatchEndedError(Exception):
    """The watch returned, which it should not do while the API server answers."""


class CannotWorkError(Exception):
    """This process fails as the leader repeatedly, and not because of the API server."""


class Supervisor:
    """`run` ends only when it is cancelled, or with CannotWorkError."""

    def __init__(
        self,
        cluster: ListingCluster,
        cache: Cache,
        manager: Manager,
        clock: Clock,
        watch: Watch,
        times: WatchTimes,
    ) -> None:
        """`watch` is called again each time it has ended."""
        self._cluster = cluster
        self._cache = cache
        self._manager = manager
        self._clock = clock
        self._watch = watch
        self._times = times
        self._resync = Resync(cluster, cache, manager, clock, times.patience)
        self._waiting_for: tuple[str, ...] = ("the operator is starting: its first LIST is not complete",)
        self._listed_at = clock.monotonic()
        self._backoff = Backoff(times.first_pause, times.longest_pause)
        self._restarts = 0
        self._faults = 0
        self._working_since: float | None = None
        self._terminating: tuple[str, ...] = ()

    def silence(self) -> timedelta:
        """The time since the last event of the watch, or since the last relist while a CRD is being deleted."""
        return min(self._watch.silence(), self._age_of_list()) if self._terminating else self._watch.silence()

    def has_worked(self) -> bool:
        """Whether it has worked for long enough to be healthy; from any thread."""
        since = self._working_since
        return since is not None and self._clock.monotonic() - since >= STABLE_AFTER.total_seconds()

    def livez(self) -> Health:
        """Not alive if the watch is silent and resyncs fail: nothing in this process repairs that."""
        silence, age = self.silence(), self._age_of_list()
        if silence < self._times.fatal_silence or age < self._times.fatal_resync:
            return Health("leader")
        message = f"the watch has been silent for {_whole(silence)}, and the last resync was {_whole(age)} ago"
        return Health("leader", (message,))

    def readyz(self) -> Health:
        """Ready after the first relist, while the watch receives events or relists replace it."""
        problems, notes, silence = self._waiting_for, self._terminating, self.silence()
        if not problems and not notes and silence > self._times.reconnect:
            problems = (f"the watch has been silent for {_whole(silence)}",)
        return Health("leader", problems, notes)

    async def run(self) -> None:
        """Wait for the CRDs, relist, watch; repeatedly. Raises CannotWorkError."""
        while True:
            fault: Exception | None = None
            try:
                missing = await self._wait_for_definitions()
                await self._list(missing)
                self._working_since = self._clock.monotonic()
                if missing.terminating:
                    await self._relist_until_deleted(missing)
                else:
                    await self._watch_and_resync()
                    fault = WatchEndedError("it ended without an error")
                    logger.warning("the watch ended; restarting it")
            except* ClusterError as errors:
                logger.warning("the watch is interrupted; retrying: %s", _first(errors))
            except* WatchMissesEventsError as errors:
                logger.warning("the watch misses events; restarting it: %s", _first(errors))
            except* Exception as errors:
                fault = _first(errors)
                logger.exception("the watch failed; restarting it")
            if self.has_worked():
                self._faults = self._restarts = 0
            self._working_since, self._terminating = None, ()
            self._waiting_for = ("the watch of the cluster is restarting",)
            if fault is not None:
                self._record_fault(fault)
            await asyncio.sleep(self._next_pause().total_seconds())

    def _record_fault(self, fault: Exception) -> None:
        """Report the fault. Raises CannotWorkError after too many in a row."""
        message = clean(f"{type(fault).__name__}: {fault}", _MAX_MESSAGE)
        self._faults += 1
        self._waiting_for = (f"the watch of the cluster failed and is restarting: {message}",)
        if self._faults >= MAX_FAULTS:
            raise CannotWorkError(message) from fault

    def _next_pause(self) -> timedelta:
        """Doubles while the watch ends early."""
        self._restarts += 1
        return self._backoff.after(self._restarts)

    async def _wait_for_definitions(self) -> Missing:
        while True:
            missing = await crds.find_missing(self._cluster)
            if not missing:
                return missing
            if missing.is_answered:
                # The API server answers, and there is nothing to resync: the process is healthy.
                self._listed_at = self._clock.monotonic()
            if missing.messages != self._waiting_for:
                for message in missing.messages:
                    logger.warning("waiting: %s", message)
            self._waiting_for = missing.messages
            await asyncio.sleep(CRD_CHECK_INTERVAL.total_seconds())

    async def _list(self, missing: Missing) -> None:
        await list_everything(self._cluster, self._cache, self._clock, missing.absent)
        self._manager.begin()
        self._listed_at = self._clock.monotonic()
        self._waiting_for = ()

    async def _relist_until_deleted(self, missing: Missing) -> None:
        """Serve the objects of a CRD that is being deleted. Returns when no CRD is being deleted any more."""
        for message in missing.terminating:
            logger.warning("relisting instead of watching: %s", message)
        relist_seconds = 0.0
        while missing.terminating:
            self._terminating = missing.terminating
            await asyncio.sleep(max(self._times.relist.total_seconds(), relist_seconds * 10))
            begun = self._clock.monotonic()
            missing = await crds.find_missing(self._cluster)
            if missing.terminating:
                await list_everything(self._cluster, self._cache, self._clock, missing.absent)
                relist_seconds = self._clock.monotonic() - begun
                self._listed_at = self._clock.monotonic()

    async def _watch_and_resync(self) -> None:
        async with asyncio.TaskGroup() as group:
            checks = [
                group.create_task(self._resync_periodically(), name="resync"),
                group.create_task(self._check_silence(), name="check silence"),
            ]
            await self._watch()
            for check in checks:
                check.cancel()

    async def _resync_periodically(self) -> None:
        while True:
            await asyncio.sleep(self._times.resync.total_seconds())
            try:
                found = await self._resync.once()
            except ClusterError as error:
                logger.warning("the resync failed: %s", error)
                continue
            self._listed_at = self._clock.monotonic()
            if any(one.repair in MISSED_BY_WATCH for one in found):
                message = f"a LIST shows changes that it did not deliver within {_whole(self._times.patience)}"
                raise WatchMissesEventsError(message)

    async def _check_silence(self) -> None:
        begun, longest = self._clock.monotonic(), self._times.restart
        while True:
            await asyncio.sleep(self._times.check_silence.total_seconds())
            # Silence before the start of this watch does not count: it may be the reason for the restart.
            silence = min(self._watch.silence(), timedelta(seconds=self._clock.monotonic() - begun))
            if silence > longest:
                raise WatchMissesEventsError(f"it has been silent for {_whole(silence)}")

    def _age_of_list(self) -> timedelta:
        return timedelta(seconds=self._clock.monotonic() - self._listed_at)


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    """The first error that is not a group itself."""
    error: Exception | BaseExceptionGroup[Exception] = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _whole(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
