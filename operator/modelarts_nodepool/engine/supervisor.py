"""Keeps the operator working: waits for the CRDs, lists everything, watches, and begins again when that ends.

Joined in app.py. The watch itself comes in from outside, so that no kopf is known here. What is said about health is
read from the HTTP server's thread: it is made of values that are replaced whole, never changed in place.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from modelarts_nodepool.engine.controller import Controller
from modelarts_nodepool.engine.health import Health
from modelarts_nodepool.engine.listing import list_everything
from modelarts_nodepool.engine.registry import Registry
from modelarts_nodepool.engine.sweep import IS_BLIND, Sweep
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.kube import definitions
from modelarts_nodepool.ports import Clock, ListingCluster
from modelarts_nodepool.settings import DEFAULT_SWEEP_INTERVAL, DEFAULT_WATCH_TIMEOUT

logger = logging.getLogger(__name__)

LOOK_FOR_DEFINITIONS = timedelta(seconds=2)
# A watch that lived so long did not end for the reason that the one before it did.
LIVED_WELL = timedelta(minutes=1)
LONGEST_PATIENCE = timedelta(seconds=10)


class Watch(Protocol):
    """Watches both kinds and namespaces and feeds the registry."""

    async def __call__(self) -> None:
        """Watch; returns or raises when that is not possible any more."""

    def silence(self) -> timedelta:
        """How long the quietest of its streams has not said anything, bookmarks included; from any thread."""


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """How long a watch may be silent, and how often the sweep looks whether it tells everything.

    `stream`: after so long the API server ends a stream, with a bookmark before; a living one is never silent longer.
    `hearken`: how often its silence is looked at. `first_pause` doubles up to `longest_pause` while lives of the watch
    are short.
    """

    stream: timedelta = DEFAULT_WATCH_TIMEOUT
    sweep: timedelta = DEFAULT_SWEEP_INTERVAL
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


class Supervisor:
    """`run` returns only by being cancelled."""

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

    def livez(self) -> Health:
        """Not alive when the watch is silent and the sweep old: nothing in here mends that any more."""
        silence, unswept = self._watch.silence(), self._age_of_sweep()
        if silence < self._times.fatal_silence or unswept < self._times.fatal_sweep:
            return Health("leader")
        words = f"the watch has said nothing for {_whole(silence)} and the last sweep was {_whole(unswept)} ago"
        return Health("leader", (words,))

    def readyz(self) -> Health:
        """Ready once the first LISTs are complete and the watch runs and speaks."""
        problems, silence = self._waiting_for, self._watch.silence()
        if not problems and silence > self._times.reconnect:
            problems = (f"the watch has said nothing for {_whole(silence)}",)
        return Health("leader", problems)

    async def run(self) -> None:
        """Wait for the CRDs, list, watch; again and again."""
        while True:
            begun = self._clock.monotonic()
            try:
                await self._wait_for_definitions()
                await self._list()
                begun = self._clock.monotonic()
                await self._watch_and_sweep()
                logger.warning("the watch ended and is started again")
            except* ClusterError as errors:
                logger.warning("watching is interrupted and tried again: %s", errors.exceptions[0])
            except* WatchIsBlindError as errors:
                logger.warning("the watch is blind and is started again: %s", errors.exceptions[0])
            except* Exception:
                logger.exception("watching failed and is started again")
            self._waiting_for = ("the watch of the cluster is being started again",)
            await asyncio.sleep(self._next_pause(begun).total_seconds())

    def _next_pause(self, begun: float) -> timedelta:
        """Short after a good life, doubling while lives are short."""
        if self._clock.monotonic() - begun >= LIVED_WELL.total_seconds():
            self._pause = self._times.first_pause
        pause = self._pause
        self._pause = min(pause * 2, self._times.longest_pause)
        return pause

    async def _wait_for_definitions(self) -> None:
        while True:
            missing = await definitions.find_missing(self._cluster)
            if not missing:
                return
            if missing.is_answered:
                # The API server answers and there is nothing to sweep: all is as well as it can be.
                self._looked_at = self._clock.monotonic()
            if missing.words != self._waiting_for:
                for words in missing.words:
                    logger.warning("waiting: %s", words)
            self._waiting_for = missing.words
            await asyncio.sleep(LOOK_FOR_DEFINITIONS.total_seconds())

    async def _list(self) -> None:
        await list_everything(self._cluster, self._registry, self._clock)
        self._controller.begin()
        self._looked_at = self._clock.monotonic()
        self._waiting_for = ()

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


def _whole(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
