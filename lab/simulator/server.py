"""The simulator as an HTTP server on loopback: for the command, and in-process for tests."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

from lab.simulator.changes import apply_changes
from lab.simulator.clock import Clock, SystemClock
from lab.simulator.cloud import Cloud
from lab.simulator.control import PREFIX, answer_control
from lab.simulator.gateway import answer_signed
from lab.simulator.issuing import answer_issuer, find_issuer
from lab.simulator.reading import to_scenario
from lab.simulator.reports import to_state
from lab.simulator.requestlog import Entry
from lab.simulator.scenario import Scenario, default_scenario
from lab.simulator.scenario_faults import Fault

LOOPBACK = "127.0.0.1"
# A change that adds ten thousand node pools is a few megabytes.
MAX_BODY_BYTES = 64 * 1024 * 1024
KEEP_ALIVE_SECONDS = 75.0


def is_loopback(host: str) -> bool:
    """Whether a host is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Simulator:
    """A served simulator. What the control endpoint offers over HTTP is here as methods."""

    def __init__(self, scenario: Scenario, cloud: Cloud, endpoint: str) -> None:
        self.scenario = scenario
        self.cloud = cloud
        self.endpoint = endpoint

    @classmethod
    @asynccontextmanager
    async def serving(
        cls,
        scenario: Scenario | dict[str, Any] | None = None,
        *,
        clock: Clock | None = None,
        host: str = LOOPBACK,
        port: int = 0,
    ) -> AsyncIterator["Simulator"]:
        """Serve until the block ends. Port 0 takes a free one; `endpoint` says which."""
        if not is_loopback(host):
            raise ValueError(f"the simulator serves on loopback only, not on {host}; use {LOOPBACK}")
        if scenario is None:
            scenario = default_scenario()
        elif isinstance(scenario, dict):
            scenario = to_scenario(scenario)
        cloud = Cloud(scenario, clock or SystemClock())
        runner = web.ServerRunner(_server(cloud), handle_signals=False, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=1024).start()
            bound_host, bound_port = runner.addresses[0][:2]
            bracketed = f"[{bound_host}]" if ":" in bound_host else bound_host
            yield cls(scenario, cloud, f"http://{bracketed}:{bound_port}")
        finally:
            await runner.cleanup()

    @property
    def hello(self) -> dict[str, str]:
        """What a client must know: the line that the command prints when it serves."""
        credential = self.scenario.keys[0]
        token = {"securityToken": credential.security_token} if credential.security_token else {}
        return {
            "endpoint": self.endpoint,
            "region": self.scenario.region,
            "projectId": credential.project_id or self.scenario.project_id,
            "accessKey": credential.access_key,
            "secretKey": credential.secret_key,
        } | token

    @property
    def state(self) -> dict[str, Any]:
        """What `GET /_simulator/state` answers."""
        return to_state(self.cloud)

    def change(self, change: dict[str, Any]) -> None:
        """What `PATCH /_simulator/state` does; raises ScenarioError."""
        apply_changes(self.cloud, change)

    def add_fault(self, fault: Fault | dict[str, Any]) -> None:
        """What `POST /_simulator/faults` does."""
        self.cloud.faults.add([Fault.model_validate(fault)])

    def requests(self, operation: str | None = None, *, since: int = 0) -> list[Entry]:
        """The requests so far, oldest first."""
        return self.cloud.log.since(since, operation)


def _server(cloud: Cloud) -> web.Server:
    return web.Server(
        partial(_answer, cloud),
        request_factory=_make_request,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
    )


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return web.BaseRequest(message, payload, protocol, writer, task, task.get_loop(), client_max_size=MAX_BODY_BYTES)


async def _answer(cloud: Cloud, request: web.BaseRequest) -> web.StreamResponse:
    if request.raw_path.startswith(PREFIX):
        return await answer_control(cloud, request)
    if find_issuer(request):
        return await answer_issuer(cloud, request)
    return await answer_signed(cloud, request)
