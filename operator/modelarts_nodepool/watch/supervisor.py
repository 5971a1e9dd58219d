"""Keeps the operator working: waits for the CRDs, lists everything, watches, and begins again when that ends.

While a CRD is being deleted kopf cannot watch its kind, and the CRD waits for its objects: then everything is listed
again and again instead. Where watching fails again and again by a fault of ours, `run` raises CannotWorkError: another
replica may do better. While the API server is in trouble it waits: failing over would help nobody.

Joined in app.py. The watch itself comes in from outside, so that no kopf is known here. What is said about health is
read from the HTTP server's thread: it is made of values that are replaced whole, never changed in place.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.manager import Controller
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.kube import crds
from modelarts_nodepool.kube.crds import Missing
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import Clock, ListingCluster
from modelarts_nodepool.settings import DEFAULT_SWEEP_INTERVAL, DEFAULT_WATCH_TIMEOUT
from modelarts_nodepool.watch.relist import list_everything
from modelarts_nodepool.watch.resync import IS_BLIND, Sweep

logger = logging.getLogger(__name__)

LOOK_FOR_DEFINITIONS = timedelta(seconds=1)
# A watch that lived so long did not end for the reason that the one before it did.
LIVED_WELL = timedelta(minutes=1)
LONGEST_PATIENCE = timedelta(seconds=10)
# So many lives in a row that a fault of ours ended: by then it is not the moment that was bad.
MOST_FAULTS = 4
_LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Health:
    """`role` is leader or standby; each problem is a sentence; none means well. `notes` are no problems."""

    role: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Speaking(Protocol):
    """Tells what changes in the cluster."""

    def silence(self) -> timedelta:
        """How long the quietest of its streams has not said anything, bookmarks included; from any thread."""


class Watch(Speaking, Protocol):
    """Watches both kinds and namespaces and feeds the registry."""

    async def __call__(self) -> None:
        """Watch; returns or raises when that is not possible any more."""


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """How long a watch may be silent, and how often the sweep looks whether it tells everything.

    `stream`: after so long the API server ends a stream, with a bookmark before; a living one is never silent longer.
    `hearken`: how often its silence is looked at. `first_pause` doubles up to `longest_pause` while lives of the watch
    are short.
    `relist`: the pause between two LISTs of everything where nothing can be watched; ten times as long as the LIST
    itself takes where that is more.
    """

    stream: timedelta = DEFAULT_WATCH_TIMEOUT
    sweep: timedelta = DEFAULT_SWEEP_INTERVAL
    relist: timedelta = timedelta(seconds=2)
    hearken: timedelta = timedelta(seconds=1)
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(seconds=30)

    @property
    def reconnect(self) -> timedelta:
        """A stream that was silent for so long is opened anew by the watch itself."""
        return self.stream * 4 / 3

    @property
    def restart(self) -> timedelta:
        """After so much silence the watch is ended and begun anew as a whole."""
        return self.stream * 2

    @property
    def fatal_silence(self) -> timedelta:
        """With this much silence, and no sweep for `fatal_sweep`, the process is no good any more."""
        return self.stream * 4

    @property
    def fatal_sweep(self) -> timedelta:
        """See `fatal_silence`."""
        return self.sweep * 5 / 2

    @property
    def patience(self) -> timedelta:
        """How long a watch may lag behind a LIST."""
        return min(LONGEST_PATIENCE, self.sweep / 2)


class WatchIsBlindError(Exception):
    """The watch runs and does not tell what is going on."""


class WatchEndedError(Exception):
    """The watch returned, which it should not do while there is an API server."""


class CannotWorkError(Exception):
    """This process fails as the leader again and again, and not for lack of an API server."""


class Supervisor:
    """`run` ends only by being cancelled, or by CannotWorkError."""

    def __init__(
        self,
        cluster: ListingCluster,
        registry: Registry,
        controller: Controller,
        clock: Clock,
        watch: Watch,
        times: WatchTimes,
    ) -> None:
        """`watch` is called again and again, one life after another."""
        self._cluster = cluster
        self._registry = registry
        self._controller = controller
        self._clock = clock
        self._watch = watch
        self._times = times
        self._sweep = Sweep(cluster, registry, controller, clock, times.patience)
        self._waiting_for: tuple[str, ...] = ("the operator has just started",)
        self._looked_at = clock.monotonic()
        self._pause = times.first_pause
        self._faults = 0
        self._working_since: float | None = None
        self._terminating: tuple[str, ...] = ()

    def silence(self) -> timedelta:
        """How long nothing was heard of the cluster: by the watch, or by LISTs where nothing can be watched."""
        return min(self._watch.silence(), self._age_of_sweep()) if self._terminating else self._watch.silence()

    def has_worked(self) -> bool:
        """Whether it has worked for long enough to say that it can; from any thread."""
        since = self._working_since
        return since is not None and self._clock.monotonic() - since >= LIVED_WELL.total_seconds()

    def livez(self) -> Health:
        """Not alive when the watch is silent and the sweep old: nothing in here mends that any more."""
        silence, unswept = self.silence(), self._age_of_sweep()
        if silence < self._times.fatal_silence or unswept < self._times.fatal_sweep:
            return Health("leader")
        words = f"the watch has said nothing for {_whole(silence)} and the last sweep was {_whole(unswept)} ago"
        return Health("leader", (words,))

    def readyz(self) -> Health:
        """Ready once the first LISTs are complete and the watch runs and speaks, or LISTs stand in for it."""
        problems, notes, silence = self._waiting_for, self._terminating, self.silence()
        if not problems and not notes and silence > self._times.reconnect:
            problems = (f"the watch has said nothing for {_whole(silence)}",)
        return Health("leader", problems, notes)

    async def run(self) -> None:
        """Wait for the CRDs, list, watch; again and again. Raises CannotWorkError."""
        while True:
            fault: Exception | None = None
            try:
                missing = await self._wait_for_definitions()
                await self._list(missing)
                self._working_since = self._clock.monotonic()
                if missing.terminating:
                    await self._list_until_it_is_gone(missing)
                else:
                    await self._watch_and_sweep()
                    fault = WatchEndedError("it ended without an error")
                    logger.warning("the watch ended and is started again")
            except* ClusterError as errors:
                logger.warning("watching is interrupted and tried again: %s", _first(errors))
            except* WatchIsBlindError as errors:
                logger.warning("the watch is blind and is started again: %s", _first(errors))
            except* Exception as errors:
                fault = _first(errors)
                logger.exception("watching failed and is started again")
            if self.has_worked():
                self._faults, self._pause = 0, self._times.first_pause
            self._working_since, self._terminating = None, ()
            self._waiting_for = ("the watch of the cluster is being started again",)
            if fault is not None:
                self._note_fault(fault)
            await asyncio.sleep(self._next_pause().total_seconds())

    def _note_fault(self, fault: Exception) -> None:
        """Say what it was; give up where it is so again and again."""
        words = clean(f"{type(fault).__name__}: {fault}", _LONGEST_WORDS)
        self._faults += 1
        self._waiting_for = (f"the watch of the cluster failed and is being started again: {words}",)
        if self._faults >= MOST_FAULTS:
            raise CannotWorkError(words) from fault

    def _next_pause(self) -> timedelta:
        """Doubling while lives are short."""
        pause = self._pause
        self._pause = min(pause * 2, self._times.longest_pause)
        return pause

    async def _wait_for_definitions(self) -> Missing:
        while True:
            missing = await crds.find_missing(self._cluster)
            if not missing:
                return missing
            if missing.is_answered:
                # The API server answers and there is nothing to sweep: all is as well as it can be.
                self._looked_at = self._clock.monotonic()
            if missing.words != self._waiting_for:
                for words in missing.words:
                    logger.warning("waiting: %s", words)
            self._waiting_for = missing.words
            await asyncio.sleep(LOOK_FOR_DEFINITIONS.total_seconds())

    async def _list(self, missing: Missing) -> None:
        await list_everything(self._cluster, self._registry, self._clock, missing.absent)
        self._controller.begin()
        self._looked_at = self._clock.monotonic()
        self._waiting_for = ()

    async def _list_until_it_is_gone(self, missing: Missing) -> None:
        """Serve the objects of a CRD that is being deleted. Returns when no CRD is any more."""
        for words in missing.terminating:
            logger.warning("listing instead of watching: %s", words)
        took = 0.0
        while missing.terminating:
            self._terminating = missing.terminating
            await asyncio.sleep(max(self._times.relist.total_seconds(), took * 10))
            begun = self._clock.monotonic()
            missing = await crds.find_missing(self._cluster)
            if missing.terminating:
                await list_everything(self._cluster, self._registry, self._clock, missing.absent)
                took = self._clock.monotonic() - begun
                self._looked_at = self._clock.monotonic()

    async def _watch_and_sweep(self) -> None:
        async with asyncio.TaskGroup() as group:
            guards = [
                group.create_task(self._sweep_now_and_then(), name="sweep"),
                group.create_task(self._hearken(), name="hearken"),
            ]
            await self._watch()
            for guard in guards:
                guard.cancel()

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._times.sweep.total_seconds())
            try:
                found = await self._sweep.once()
            except ClusterError as error:
                logger.warning("the sweep was not done: %s", error)
                continue
            self._looked_at = self._clock.monotonic()
            if any(one.repair in IS_BLIND for one in found):
                words = f"a LIST shows what it did not tell within {_whole(self._times.patience)}"
                raise WatchIsBlindError(words)

    async def _hearken(self) -> None:
        begun = self._clock.monotonic()
        while True:
            await asyncio.sleep(self._times.hearken.total_seconds())
            # This life's own silence: it may have begun because the one before it said nothing.
            silence = min(self._watch.silence(), timedelta(seconds=self._clock.monotonic() - begun))
            if silence > self._times.restart:
                raise WatchIsBlindError(f"it has said nothing for {_whole(silence)}")

    def _age_of_sweep(self) -> timedelta:
        return timedelta(seconds=self._clock.monotonic() - self._looked_at)


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    """The first of them that is no group itself."""
    error: Exception | BaseExceptionGroup[Exception] = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _whole(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
