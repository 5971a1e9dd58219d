"""Leader election with one Lease: one process works, another takes over when it is gone.

`LeaderElection` runs an `Elector` in a thread of its own, with its own event loop and connection, so that renewal never
waits for the work. Ten thousand objects that arrive at once block the work's event loop for longer than a Lease lasts.
The reverse also holds: the Lease is not renewed while the work hangs.

An Elector judges another holder by the time at which *it* saw renewTime change, on its own monotonic clock, never by
the holder's clock. Each write replaces exactly the version that was read. A holder that cannot renew in time stops to
be the leader before another process may become it.

`Leadership` is one term, from the acquired Lease to its loss. app.py builds one for each term.
"""

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.ports import Clock

LEASE_NAME = "modelarts-nodepool-operator"
_LOG_INTERVAL_SECONDS = 60.0
_MICRO = "%Y-%m-%dT%H:%M:%S.%fZ"
_JOIN_SECONDS = 2.0
# A release only makes the takeover faster: without it the Lease expires.
_RELEASE_SECONDS = 3.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """`duration`: a candidate waits this long after the last renewal that it saw. `deadline`: the holder stops by then.

    The holder renews every `retry`, after a failure every `failed_retry`. A candidate reads the Lease every `poll`,
    which limits how long a released Lease stays free. `call` limits each request.
    """

    duration: timedelta = timedelta(seconds=15)
    deadline: timedelta = timedelta(seconds=10)
    retry: timedelta = timedelta(seconds=2)
    poll: timedelta = timedelta(seconds=1)
    call: timedelta = timedelta(seconds=3.5)
    failed_retry: timedelta = timedelta(seconds=0.5)


class Leadership:
    """One term. It ends once, for good: work left over from a term never acts under the Lease of a later term."""

    def __init__(self, holds: Callable[[], bool]) -> None:
        """`holds`: whether the process holds the Lease now and is not asked to stop."""
        self._holds = holds
        self._is_over = False

    def may_act(self) -> bool:
        """Whether this term still lasts. Ask right before each request that changes something."""
        return not self._is_over and self._holds()

    def end(self) -> None:
        """End the term; work that is still running may not act any more."""
        self._is_over = True


class Elector:
    """One candidate. Call `acquire`, work while `run` renews, then `release` after all work has stopped.

    `problem` says why the Lease could not be read or written lately; empty if another process holds it.
    """

    def __init__(
        self,
        cluster: KubeCluster,
        clock: Clock,
        namespace: str,
        identity: str,
        times: LeaseTimes | None = None,
        stuck: Callable[[], str] = lambda: "",
    ) -> None:
        """`cluster` has to limit its requests in time. `stuck` says why the work under the Lease hangs, "" if not.

        A Lease that is renewed for work that hangs would keep all other replicas from the work.
        """
        self._cluster = cluster
        self._stuck = stuck
        self._clock = clock
        self._namespace = namespace
        self._identity = identity
        self._times = times or LeaseTimes()
        self._renewed_at: float | None = None
        self._seen: tuple[str, str] | None = None
        self._seen_at = 0.0
        self._logged_at = float("-inf")
        self._lost_to = ""
        self._last: Mapping[str, Any] | None = None
        self.problem = ""

    def holds(self) -> bool:
        """Whether this process may act now, by its own clock. From any thread."""
        return self._seconds_left() > 0

    async def acquire(self) -> None:
        """Wait until this process holds the Lease."""
        while self._stuck() or not await self._try():  # noqa: ASYNC110 - each round is a request, no event exists
            await asyncio.sleep(self._times.poll.total_seconds())
        logger.info("leader: holding Lease %s/%s as %s", self._namespace, LEASE_NAME, self._identity)

    async def run(self) -> None:
        """Renew the Lease. Returns when it is lost, at its deadline at the latest."""
        pause = self._times.retry
        while (left := self._seconds_left()) > 0 and not self._stuck():
            # A request that hangs must not outlive the deadline: by then the work has to have stopped.
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await asyncio.sleep(pause.total_seconds())
                    renewed = await self._try(is_renewal=True)
                    pause = self._times.retry if renewed else self._times.failed_retry
        why = self._stuck() or self._lost_to or self.problem or "not renewed in time"
        # Not released: work that hangs may be about to act, and the rest of the Lease's duration is a safe distance.
        self._renewed_at = None
        logger.error("the Lease %s/%s is lost: %s", self._namespace, LEASE_NAME, why)

    async def release(self) -> None:
        """Let the next candidate take over at once. Does nothing if the Lease is not held."""
        if not self.holds():
            return
        try:
            lease = await self._cluster.get(self._path)
            if _holder(lease) == self._identity:
                await self._cluster.replace(self._path, self._build(lease, holder=""))
                logger.info("Lease %s/%s released", self._namespace, LEASE_NAME)
        except ClusterError as error:
            logger.warning("the Lease could not be released; the next leader waits until it expires: %s", error)
        finally:
            self._renewed_at = None

    @property
    def _path(self) -> str:
        return paths.lease(self._namespace, LEASE_NAME)

    def _seconds_left(self) -> float:
        """Until the deadline."""
        renewed_at = self._renewed_at
        if renewed_at is None:
            return 0.0
        return renewed_at + self._times.deadline.total_seconds() - self._clock.monotonic()

    async def _try(self, *, is_renewal: bool = False) -> bool:
        """Acquire or renew the Lease once. False if another process holds it, or a request failed."""
        begun = self._clock.monotonic()
        try:
            await self._acquire(is_renewal=is_renewal)
        except ObjectChanged:
            # Another candidate was faster, or our write was answered twice: the next read shows it.
            self.problem = ""
            return False
        except _HeldError as held:
            self.problem, self._lost_to = "", str(held)
            self._renewed_at = None
            return False
        except ClusterError as error:
            self.problem = str(error)
            if begun - self._logged_at >= _LOG_INTERVAL_SECONDS:
                # There is an attempt every second or two.
                self._logged_at = begun
                logger.warning("the Lease could not be written; retrying: %s", error)
            return False
        # The time before the request: others count from the write, which is later.
        self._renewed_at = begun
        self.problem = self._lost_to = ""
        self._logged_at = float("-inf")
        return True

    async def _acquire(self, *, is_renewal: bool) -> None:
        if is_renewal and self._last is not None:
            known, self._last = self._last, None
            # If the API server accepts this, no other process has written the Lease: one request is enough.
            with suppress(ObjectChanged, ObjectGone):
                await self._write(known)
                return
        try:
            lease = await self._cluster.get(self._path)
        except ObjectGone:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE_NAME}}
            new = self._build(body, holder=self._identity)
            self._last = await self._cluster.create(paths.leases(self._namespace), new)
            return
        holder = _holder(lease)
        if is_renewal and holder != self._identity:
            # Also if the Lease is free now: during a pause of this process another may have led and released it.
            taken_by = holder or "another process, which has released it"
            raise _HeldError(f"the Lease {self._namespace}/{LEASE_NAME} was acquired by {taken_by}")
        if holder not in {"", self._identity} and not self._is_expired(lease, holder):
            raise _HeldError(f"{holder} holds the Lease {self._namespace}/{LEASE_NAME}")
        await self._write(lease)

    async def _write(self, lease: Mapping[str, Any]) -> None:
        """Replace exactly this version; the new one names us as the holder."""
        self._last = await self._cluster.replace(self._path, self._build(lease, holder=self._identity))

    def _is_expired(self, lease: Mapping[str, Any], holder: str) -> bool:
        spec = lease.get("spec") or {}
        seen = (holder, str(spec.get("renewTime")))
        now = self._clock.monotonic()
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        duration = spec.get("leaseDurationSeconds") or self._times.duration.total_seconds()
        return now - self._seen_at >= float(duration)

    def _build(self, lease: Mapping[str, Any], *, holder: str) -> dict[str, Any]:
        spec = dict(lease.get("spec") or {})
        now = datetime.now(UTC).strftime(_MICRO)
        if spec.get("holderIdentity") != holder:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = now
        spec |= {
            "holderIdentity": holder,
            "renewTime": now,
            "leaseDurationSeconds": max(1, round(self._times.duration.total_seconds())) if holder else 1,
        }
        return {**lease, "spec": spec}


class _HeldError(Exception):
    """Another process holds the Lease."""


def _holder(lease: Mapping[str, Any]) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


class LeaderElection:
    """A candidate in a thread. Call `start`, then `acquire`, `until_lost` and `release` for each term, then `close`.

    The thread renews the Lease from the moment it holds it, even if the caller's event loop is blocked.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        clock: Clock,
        namespace: str,
        identity: str,
        *,
        stuck: Callable[[], str],
    ) -> None:
        """The thread calls `connect` and `stuck`; `stuck` is Elector's."""
        self._connect = connect
        times = LeaseTimes()

        def build(connection: Connection) -> Elector:
            return Elector(KubeCluster(connection, timeout=times.call), clock, namespace, identity, times, stuck)

        self._build = build
        self._thread: threading.Thread | None = None
        self._worker: _Worker | None = None
        self._term = _Term()

    def holds(self) -> bool:
        """Whether this process may act now, by its own clock. From any thread."""
        return self._worker is not None and self._worker.elector.holds()

    @property
    def problem(self) -> str:
        """Why the Lease could not be read or written lately; empty if it could. From any thread."""
        return self._worker.elector.problem if self._worker is not None else ""

    async def start(self) -> None:
        """Open the connection. Raises errors.SettingsError."""
        opened: concurrent.futures.Future[None] = concurrent.futures.Future()
        # A daemon, so that a request that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, args=(opened,), name="lease", daemon=True)
        self._thread.start()
        await asyncio.wrap_future(opened)

    async def acquire(self) -> None:
        """Wait until the Lease is held. If this is cancelled, call `release`: the Lease may be held nevertheless."""
        term = self._term = _Term()
        worker = self._started()
        worker.loop.call_soon_threadsafe(worker.begin, term)
        await asyncio.wrap_future(term.acquired)

    async def until_lost(self) -> None:
        """Return when the Lease is lost."""
        await asyncio.wrap_future(self._term.lost)

    async def release(self) -> None:
        """Release the Lease if it is held, and stop trying to acquire it."""
        worker = self._started()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(worker.release(), worker.loop))

    async def close(self) -> None:
        """End the thread. Does nothing if it was not started."""
        thread, self._thread = self._thread, None
        if thread is None or self._worker is None:
            return
        # The thread may have ended.
        with suppress(RuntimeError):
            self._worker.loop.call_soon_threadsafe(self._worker.stopping.set)
        await asyncio.to_thread(thread.join, _JOIN_SECONDS)

    def _started(self) -> "_Worker":
        if self._worker is None:
            raise RuntimeError("the election was not started")
        return self._worker

    def _run(self, opened: "concurrent.futures.Future[None]") -> None:
        """In the thread."""
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
            worker = self._worker = _Worker(self._build(connection))
            opened.set_result(None)
            await worker.stopping.wait()
            await worker.end_term()
        finally:
            await connection.close()


class _Term:
    """From the acquired Lease to its loss. A caller that is cancelled cannot cancel these futures."""

    def __init__(self) -> None:
        self.acquired: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.lost: concurrent.futures.Future[None] = concurrent.futures.Future()
        for outcome in (self.acquired, self.lost):
            outcome.set_running_or_notify_cancel()


class _Worker:
    """What belongs to the thread's event loop; only called there."""

    def __init__(self, elector: Elector) -> None:
        self.elector = elector
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        self._leading: asyncio.Task[None] | None = None

    def begin(self, term: _Term) -> None:
        self._leading = self.loop.create_task(self._lead(term), name="hold the Lease")

    async def _lead(self, term: _Term) -> None:
        try:
            await self.elector.acquire()
            term.acquired.set_result(None)
            await self.elector.run()
        except Exception as error:
            logger.exception("the election failed")
            if not term.acquired.done():
                term.acquired.set_exception(error)
        finally:
            term.lost.set_result(None)

    async def end_term(self) -> None:
        running, self._leading = self._leading, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def release(self) -> None:
        await self.end_term()
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self.elector.release()
        except TimeoutError:
            logger.warning("the Lease could not be released in time; the next leader waits until it expires")
