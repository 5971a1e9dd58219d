"""The one place where objects are built and joined: `run` is the operator from start to stop.

Called by cli.py with checked settings. Everything else gets what it needs handed in.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

from modelarts_nodepool.engine.clouds import Clouds
from modelarts_nodepool.engine.controller import Controller
from modelarts_nodepool.engine.health import HealthServer
from modelarts_nodepool.engine.pollers import Pollers
from modelarts_nodepool.engine.registry import Registry
from modelarts_nodepool.engine.send import Sender
from modelarts_nodepool.engine.supervisor import Supervisor
from modelarts_nodepool.engine.tools import Tools
from modelarts_nodepool.handlers.watching import Watch
from modelarts_nodepool.kube.cluster import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.modelarts.client import CallReport, ModelArtsClient
from modelarts_nodepool.modelarts.endpoints import Endpoint, endpoint_of, parse_endpoint
from modelarts_nodepool.ports import AccessKey
from modelarts_nodepool.resource.objects import Account
from modelarts_nodepool.settings import Settings

logger = logging.getLogger(__name__)

VERSION = version("modelarts-nodepool-operator")
STOP_SECONDS = 8.0


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow, also across suspends where the system counts them."""
        return time.monotonic()


async def run(settings: Settings) -> None:
    """The operator: until SIGTERM or SIGINT. Raises errors.SettingsError before it has done anything."""
    endpoints = {region: parse_endpoint(f"{region}={url}") for region, url in settings.endpoints.items()}
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with await Connection.open(version=VERSION, kubeconfig=settings.kubeconfig) as connection:
        logger.info("version %s, API server %s (%s)", VERSION, connection.server, connection.source)
        await _serve(settings, endpoints, connection, stop)
    logger.info("stopped")


async def _serve(
    settings: Settings, endpoints: dict[str, Endpoint], connection: Connection, stop: asyncio.Event
) -> None:
    clock = SystemClock()
    cluster = KubeCluster(connection)
    registry = Registry(clock)
    clouds = Clouds(cluster, clock, settings.operator_namespace, _client_builder(endpoints, clock))
    recorder = EventRecorder(cluster)
    tools = Tools(
        registry=registry,
        pollers=Pollers(registry, clouds, clock),
        clouds=clouds,
        cluster=cluster,
        clock=clock,
        recorder=recorder,
    )
    controller = Controller(tools, Sender(tools, may_send=lambda: not stop.is_set()))
    watch = Watch(registry, lambda: Connection.open(version=VERSION, kubeconfig=settings.kubeconfig))
    supervisor = Supervisor(cluster, registry, controller, clock, watch)
    server = HealthServer(settings.http_host, settings.http_port, livez=supervisor.livez, readyz=supervisor.readyz)
    await server.start()
    tasks = [
        asyncio.create_task(controller.run(), name="controller"),
        asyncio.create_task(recorder.run(), name="events"),
        asyncio.create_task(supervisor.run(), name="supervisor"),
    ]
    try:
        await _until_stopped(stop, tasks)
    finally:
        await _end(tasks)
        await server.stop()
        await clouds.aclose()


async def _until_stopped(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Until asked to stop; a task that ends by itself is a fault of ours and ends the process with its error."""
    asked = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    for task in done - {asked}:
        task.result()
    logger.info("stopping: nothing new is begun")


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Abandon what is under way: every step of a deletion may be interrupted and is taken up again."""
    for task in tasks:
        task.cancel()
    _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
    for task in late:
        logger.error("task %s did not end in time and is left behind", task.get_name())


def _client_builder(
    endpoints: dict[str, Endpoint], clock: SystemClock
) -> Callable[[Account, Callable[[], AccessKey]], ModelArtsClient]:
    def build(account: Account, key: Callable[[], AccessKey]) -> ModelArtsClient:
        return ModelArtsClient(
            endpoint=endpoint_of(account.spec.region, endpoints),
            project_id=account.spec.project_id,
            key=key,
            clock=clock,
            on_call=_log_call,
        )

    return build


def _log_call(report: CallReport) -> None:
    logger.debug(
        "%s: %s",
        report.operation,
        report.outcome,
        extra={
            "resourcePool": report.resource_pool,
            "nodePool": report.node_pool,
            "requestId": report.request_id,
            "durationSeconds": round(report.duration.total_seconds(), 3),
        },
    )
