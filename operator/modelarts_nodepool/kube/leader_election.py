"""Holds the Lease from a thread of its own, so that renewing it never waits for the work that is done under it.

Started by app.py. The event loop of that thread does nothing else, and has a connection for itself: ten thousand
objects that arrive at once, or a long computation, keep the work's event loop busy for longer than a Lease lasts. The
other way round a Lease must not outlive its work: where that has come to a standstill, it is not renewed any more.
"""

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.leases import Elector, LeaseTimes
from modelarts_nodepool.ports import Clock

logger = logging.getLogger(__name__)

_JOIN_SECONDS = 2.0
# Giving it away is a courtesy: where the API server does not answer, it runs out.
_RELEASE_SECONDS = 3.0


class _Campaign:
    """One time of leading: from the Lease being held to its loss. Neither can be cancelled from outside."""

    def __init__(self) -> None:
        self.acquired: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.lost: concurrent.futures.Future[None] = concurrent.futures.Future()
        for outcome in (self.acquired, self.lost):
            outcome.set_running_or_notify_cancel()


class LeaderElection:
    """One candidate. `start`, then `acquire`, `until_lost` and `release` as often as needed, in the end `close`.

    It is renewed from the moment it is held, whatever the caller's event loop does.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        clock: Clock,
        namespace: str,
        identity: str,
        *,
        stuck: Callable[[], str],
        times: LeaseTimes | None = None,
    ) -> None:
        """`connect` and `stuck` are called in the thread; `stuck` is Elector's."""
        self._connect = connect
        times = times or LeaseTimes()

        def build(connection: Connection) -> Elector:
            return Elector(KubeCluster(connection, timeout=times.call), clock, namespace, identity, times, stuck)

        self._build = build
        self._thread: threading.Thread | None = None
        self._inside: _Inside | None = None
        self._campaign = _Campaign()

    def holds(self) -> bool:
        """Whether this process may act right now, by its own clock. From any thread."""
        return self._inside is not None and self._inside.elector.holds()

    @property
    def problem(self) -> str:
        """Why the Lease could not be read or written lately; empty where it could. From any thread."""
        return self._inside.elector.problem if self._inside is not None else ""

    async def start(self) -> None:
        """Open the connection. Raises errors.SettingsError."""
        opened: concurrent.futures.Future[None] = concurrent.futures.Future()
        # A daemon: whatever a call does, the process can end.
        self._thread = threading.Thread(target=self._run, args=(opened,), name="lease", daemon=True)
        self._thread.start()
        await asyncio.wrap_future(opened)

    async def acquire(self) -> None:
        """Wait until the Lease is held. Where this is cancelled, call `release`: it may be held all the same."""
        campaign = self._campaign = _Campaign()
        inside = self._started()
        inside.loop.call_soon_threadsafe(inside.begin, campaign)
        await asyncio.wrap_future(campaign.acquired)

    async def until_lost(self) -> None:
        """Until the Lease is lost."""
        await asyncio.wrap_future(self._campaign.lost)

    async def release(self) -> None:
        """Give the Lease away if it is held, and stand for it no longer."""
        inside = self._started()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(inside.release(), inside.loop))

    async def close(self) -> None:
        """End the thread. Harmless where it never began."""
        thread, self._thread = self._thread, None
        if thread is None or self._inside is None:
            return
        # It may have ended by itself.
        with suppress(RuntimeError):
            self._inside.loop.call_soon_threadsafe(self._inside.stopping.set)
        await asyncio.to_thread(thread.join, _JOIN_SECONDS)

    def _started(self) -> "_Inside":
        if self._inside is None:
            raise RuntimeError("the election was not started")
        return self._inside

    def _run(self, opened: "concurrent.futures.Future[None]") -> None:
        """The thread."""
        try:
            asyncio.run(self._serve(opened))
        except Exception as error:
            if opened.done():
                logger.exception("the thread of the Lease has ended")
            else:
                opened.set_exception(error)

    async def _serve(self, opened: "concurrent.futures.Future[None]") -> None:
        connection = await self._connect()
        try:
            inside = self._inside = _Inside(self._build(connection))
            opened.set_result(None)
            await inside.stopping.wait()
            await inside.end_campaign()
        finally:
            await connection.close()


class _Inside:
    """What belongs to the thread's event loop: made and called in it."""

    def __init__(self, elector: Elector) -> None:
        self.elector = elector
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        self._campaigning: asyncio.Task[None] | None = None

    def begin(self, campaign: _Campaign) -> None:
        self._campaigning = self.loop.create_task(self._lead(campaign), name="hold the Lease")

    async def _lead(self, campaign: _Campaign) -> None:
        try:
            await self.elector.acquire()
            campaign.acquired.set_result(None)
            await self.elector.run()
        except Exception as error:
            logger.exception("the election failed")
            if not campaign.acquired.done():
                campaign.acquired.set_exception(error)
        finally:
            campaign.lost.set_result(None)

    async def end_campaign(self) -> None:
        running, self._campaigning = self._campaigning, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def release(self) -> None:
        await self.end_campaign()
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self.elector.release()
        except TimeoutError:
            logger.warning("the Lease could not be released in time, the next leader waits for it to run out")
