"""The operator's HTTP server: /livez and /readyz for the kubelet, /metrics for Prometheus.

app.py starts it. It runs in a thread, so that it answers while ten thousand objects block the event loop of the
controllers. It gets its answers from plain functions, which run in its thread at each request: they have to be quick,
only read, and never use the event loop of the controllers.
"""

import asyncio
import concurrent.futures
import errno
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.ports import Clock
from modelarts_nodepool.watch.supervisor import Health

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BEAT_SECONDS = 1.0
# At a restart, ten thousand objects block the event loop of the controllers for some seconds at a time.
STUCK_SECONDS = 60.0
_JOIN_SECONDS = 2.0
# All addresses, IPv6 and IPv4.
ANY_HOST = "::"
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL}

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Heartbeat:
    """Shows to other threads whether an event loop is blocked; `run` is a task in that loop."""

    clock: Clock
    _beat_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._beat_at = self.clock.monotonic()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beat_at = self.clock.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)

    def problems(self) -> tuple[str, ...]:
        """Why the process should be restarted; from any thread."""
        age = self.clock.monotonic() - self._beat_at
        return (f"the event loop has been blocked for {age:.0f} s",) if age > STUCK_SECONDS else ()


class HealthServer:
    """Serves from `start` to `stop`. `url` is valid after `start`, also if `port` is 0."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        livez: Callable[[], Health],
        readyz: Callable[[], Health],
        metrics: Callable[[], str],
    ) -> None:
        self._host = host
        self._port = port
        self._livez = livez
        self._readyz = readyz
        self._metrics = metrics
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen. Raises errors.SettingsError if the address is not available."""
        listening: concurrent.futures.Future[str] = concurrent.futures.Future()
        # A daemon, so that a probe that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, args=(listening,), name="http", daemon=True)
        self._thread.start()
        self.url = await asyncio.wrap_future(listening)
        _logger.info("http server listening on %s", self.url)

    async def stop(self) -> None:
        """Close the port. Does nothing if it is not open."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stopping is None:
            return
        # Its event loop is closed if the thread has ended, or never listened.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        await asyncio.to_thread(thread.join, _JOIN_SECONDS)

    def _run(self, listening: "concurrent.futures.Future[str]") -> None:
        """In the thread."""
        try:
            asyncio.run(self._serve(listening))
        except Exception as error:
            if listening.done():
                _logger.exception("the http server has ended")
            else:
                listening.set_exception(error)

    async def _serve(self, listening: "concurrent.futures.Future[str]") -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        # A request in progress must not keep the process from ending.
        runner = web.AppRunner(self._build(), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            try:
                await self._site(runner).start()
            except OSError as error:
                raise SettingsError(self._unavailable(error)) from error
            listening.set_result(_to_url(runner.addresses[0]))
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    def _site(self, runner: web.AppRunner) -> web.BaseSite:
        if self._host == ANY_HOST:
            return web.SockSite(runner, listen_on_any_address(self._port))
        return web.TCPSite(runner, self._host, self._port)

    def _build(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/livez", partial(_answer_health, self._livez))
        application.router.add_get("/readyz", partial(_answer_health, self._readyz))
        application.router.add_get("/metrics", self._answer_metrics)
        return application

    def _unavailable(self, error: OSError) -> str:
        address = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            return (
                f"The port of the HTTP server is in use: another program listens on {address}. Choose another port "
                "with --http-port, or 0 for any free port."
            )
        return f"The HTTP server cannot listen on {address} ({error.strerror}): see --http-host and --http-port."

    async def _answer_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics().encode(), headers={"Content-Type": _METRICS_TYPE})


def listen_on_any_address(port: int, create: Callable[..., socket.socket] = socket.create_server) -> socket.socket:
    """A socket for IPv6 and IPv4, independent of bindv6only; for IPv4 only if the kernel has no IPv6.

    `create` is socket.create_server. Raises OSError.
    """
    try:
        return create((ANY_HOST, port), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise
        return create(("0.0.0.0", port))  # noqa: S104 - the kubelet probes the Pod's address


async def _answer_health(ask: Callable[[], Health], _: web.Request) -> web.Response:
    health = ask()
    is_healthy = not health.problems
    answer = {"ok": is_healthy, "role": health.role, "problems": list(health.problems)}
    if health.notes:
        answer["notes"] = list(health.notes)
    return web.json_response(answer, status=200 if is_healthy else 503)


def _to_url(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[0], address[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
