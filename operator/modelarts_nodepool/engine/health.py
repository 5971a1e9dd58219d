"""The operator's own HTTP server: /livez and /readyz for the kubelet, /metrics for Prometheus.

Started and stopped by app. It asks its callables at each request and decides nothing; they have to be quick.
"""

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from modelarts_nodepool.errors import SettingsError

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """`role` is leader or standby; each problem is a sentence; none means well."""

    role: str
    problems: tuple[str, ...] = ()


class HealthServer:
    """Serves from `start` to `stop`. `url` is known after `start`, also where `port` was 0."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        livez: Callable[[], Health],
        readyz: Callable[[], Health],
        metrics: Callable[[], str] | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._livez = livez
        self._readyz = readyz
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen. Raises errors.SettingsError where the address cannot be had."""
        application = web.Application()
        application.router.add_get("/livez", self._answer_livez)
        application.router.add_get("/readyz", self._answer_readyz)
        if self._metrics is not None:
            application.router.add_get("/metrics", self._answer_metrics)
        # A probe that is still being answered must not keep the process from ending.
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise SettingsError(self._unavailable(error)) from error
        self._runner = runner
        self.url = _to_url(runner.addresses[0])
        _logger.info("http server listening on %s", self.url)

    async def stop(self) -> None:
        """Close the port. Harmless where it never opened."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _unavailable(self, error: OSError) -> str:
        address = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            return (
                f"The health server's port is taken: another program listens on {address}. Choose another with "
                "--http-port, or 0 for any that is free."
            )
        return f"The health server cannot listen on {address} ({error.strerror}): see --http-host and --http-port."

    async def _answer_livez(self, _: web.Request) -> web.Response:
        return _to_response(self._livez())

    async def _answer_readyz(self, _: web.Request) -> web.Response:
        return _to_response(self._readyz())

    async def _answer_metrics(self, _: web.Request) -> web.Response:
        text = self._metrics() if self._metrics else ""
        return web.Response(body=text.encode(), headers={"Content-Type": _METRICS_TYPE})


def _to_response(health: Health) -> web.Response:
    is_well = not health.problems
    answer = {"ok": is_well, "role": health.role, "problems": list(health.problems)}
    return web.json_response(answer, status=200 if is_well else 503)


def _to_url(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[0], address[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
