"""The one place where objects are built and joined: `run` is the operator from start to stop.

Called by cli.py with checked settings. Everything else gets what it needs handed in.
"""

import asyncio
import gc
import logging
import signal
import socket
import ssl
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from modelarts_nodepool import metrics
from modelarts_nodepool.access.gateway import Clouds
from modelarts_nodepool.access.sessions import nobody
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.clock import SystemClock
from modelarts_nodepool.controllers.counting import count_call
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.manager import Controller
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.credentials.providers import Sources
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.kube.kubeconfig import load_client_config
from modelarts_nodepool.kube.leader_election import LeaderElection, Leadership
from modelarts_nodepool.modelarts.client import ModelArtsClient
from modelarts_nodepool.modelarts.endpoints import Endpoint, endpoint_of, parse_endpoint
from modelarts_nodepool.modelarts.tls import build_trust
from modelarts_nodepool.polling.pollers import Pollers
from modelarts_nodepool.server.gauges import Gauges
from modelarts_nodepool.server.http_server import HealthServer, Heartbeat
from modelarts_nodepool.server.probes import Probes
from modelarts_nodepool.settings import Settings
from modelarts_nodepool.watch.kopf_runner import Watch
from modelarts_nodepool.watch.supervisor import CannotWorkError, Supervisor, WatchTimes

logger = logging.getLogger(__name__)

VERSION = version("modelarts-nodepool-operator")
STOP_SECONDS = 8.0
# A leader that could not work stands back for so long, and twice as long each time it fails again.
FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=5)
HOLDING = "hold the Lease"


async def run(settings: Settings) -> None:
    """The operator: until SIGTERM or SIGINT. Raises errors.SettingsError before it has done anything."""
    _spare_the_collector()
    endpoints = {region: parse_endpoint(f"{region}={url}") for region, url in settings.endpoints.items()}
    trust = build_trust(Path(settings.ca_bundle) if settings.ca_bundle else None)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    # Once: all connections lead to the same cluster, whatever becomes of the kubeconfig and its current context.
    config = load_client_config(settings.kubeconfig)

    async def connect() -> Connection:
        return await Connection.to(config, version=VERSION)

    async with await connect() as connection:
        logger.info("version %s, API server %s (%s)", VERSION, connection.server, connection.source)
        await Operator(settings, endpoints, trust, connection, connect, stop).serve()
    logger.info("stopped")


class Operator:
    """One process: candidate, then leader, then perhaps candidate again."""

    def __init__(
        self,
        settings: Settings,
        endpoints: Mapping[str, Endpoint],
        trust: ssl.SSLContext,
        connection: Connection,
        connect: Callable[[], Awaitable[Connection]],
        stop: asyncio.Event,
    ) -> None:
        """`trust` holds for all but the API server; `stop` ends it.

        `connect` opens one more to the same API server, in the event loop that calls it.
        """
        self._settings = settings
        self._endpoints = endpoints
        self._trust = trust
        self._connect = connect
        self._stop = stop
        self._clock = SystemClock()
        self._cluster = KubeCluster(connection)
        self._heartbeat = Heartbeat(self._clock)
        self._election = self._build_election() if settings.leader_election else None
        self._probes = Probes(self._heartbeat, self._election)
        self._rest = FIRST_REST
        # What is known outlives the Lease: a key that has to rest goes on resting, and of a LIST of everything only
        # what has changed is read again. Nothing is decided from it before such a LIST is complete.
        self._registry = Registry(self._clock)
        self._clouds = Clouds(
            self._cluster,
            self._clock,
            settings.operator_namespace,
            self._connect_to_cloud,
            self._build_sources(),
            limits=settings.cloud_limits,
        )

    async def serve(self) -> None:
        """Serve health all the time, and work while leading."""
        server = HealthServer(
            self._settings.http_host,
            self._settings.http_port,
            livez=self._probes.livez,
            readyz=self._probes.readyz,
            metrics=metrics.render,
        )
        metrics.BUILD.labels(VERSION).set(1)
        metrics.AT_SCRAPE.source = self._probes.samples
        await server.start()
        beating = asyncio.create_task(self._heartbeat.run(), name="heartbeat")
        try:
            if self._election is not None:
                await self._election.start()
            while not self._stop.is_set():
                if self._election is None or await self._until_leading(self._election):
                    await self._take_a_turn()
        finally:
            if self._election is not None:
                await self._election.close()
            await self._clouds.aclose()
            beating.cancel()
            await server.stop()

    async def _until_leading(self, election: LeaderElection) -> bool:
        """Stand by until the Lease is held; False where the process is asked to stop first."""
        logger.info("standing by for the Lease")
        acquiring = asyncio.create_task(election.acquire(), name="acquire the Lease")
        await _first_of(self._stop, [acquiring])
        if acquiring.done():
            acquiring.result()
            return True
        await _end([acquiring])
        # The last write may have gone through unseen.
        await election.release()
        return False

    async def _take_a_turn(self) -> None:
        """Lead; where that does not work, leave the Lease to others for a while."""
        try:
            await self._lead()
        except CannotWorkError as error:
            rest, self._rest = self._rest, min(self._rest * 2, LONGEST_REST)
            # The supervisor has logged each failure with its traceback.
            words = "the work as leader fails again and again: %s; the Lease is left to others for %.0f s"
            logger.error(words, error, rest.total_seconds())  # noqa: TRY400 - see above
            self._probes.rest(str(error), rest)
            with suppress(TimeoutError):
                async with asyncio.timeout(rest.total_seconds()):
                    await self._stop.wait()
        else:
            self._rest = FIRST_REST

    async def _lead(self) -> None:
        """Work until asked to stop or until the Lease is lost. Raises CannotWorkError once everything has ended."""
        leadership = Leadership(self._holds)
        tasks: list[asyncio.Task[None]] = []
        try:
            tasks = self._begin(leadership)
            await _first_of(self._stop, tasks)
            for task in tasks:
                if task.done():
                    task.result()
            logger.info("stopping: nothing new is begun")
        finally:
            # A task that does not end in time is left behind: it may not act under the next Lease.
            leadership.end()
            # The Lease is renewed until the work has stopped, and only then given away.
            await _end(tasks)
            self._probes.stand_by()
            # What did not end has no way to the cloud any more.
            await self._clouds.keep_only(())
            if self._election is not None:
                await self._election.release()

    def _begin(self, leadership: Leadership) -> list[asyncio.Task[None]]:
        """All that is there for one time of leading, at work."""
        clock, settings, registry = self._clock, self._settings, self._registry
        recorder = EventRecorder(self._cluster)
        tools = Tools(
            registry=registry,
            pollers=Pollers(registry, self._clouds, clock),
            clouds=self._clouds,
            cluster=self._cluster,
            clock=clock,
            recorder=recorder,
        )
        controller = Controller(tools, Sender(tools, may_send=leadership.may_act))
        times = WatchTimes(stream=settings.watch_timeout, resync=settings.sweep_interval)
        watch = Watch(registry, self._connect, clock, times)
        supervisor = Supervisor(self._cluster, registry, controller, clock, watch, times)
        self._probes.lead(supervisor, Gauges(registry, tools.pollers, supervisor, tools.writes))
        tasks = [
            asyncio.create_task(controller.run(), name="controller"),
            asyncio.create_task(recorder.run(), name="events"),
            asyncio.create_task(supervisor.run(), name="supervisor"),
        ]
        if self._election is not None:
            tasks.append(asyncio.create_task(self._election.until_lost(), name=HOLDING))
        return tasks

    def _build_election(self) -> LeaderElection:
        return LeaderElection(
            self._connect,
            self._clock,
            self._settings.operator_namespace,
            f"{socket.gethostname()}_{uuid.uuid4()}",
            stuck=lambda: "; ".join(self._heartbeat.problems()),
        )

    def _connect_to_cloud(self, account: Account) -> ModelArtsClient:
        return ModelArtsClient(
            endpoint=endpoint_of(account.spec.region, self._endpoints),
            project_id=account.spec.project_id,
            key=nobody,
            clock=self._clock,
            trust=self._trust,
            on_call=count_call,
        )

    def _build_sources(self) -> Sources:
        settings = self._settings
        return Sources(
            self._clock,
            settings.login_environment,
            trust=self._trust,
            metadata_endpoint=settings.metadata_endpoint,
            sts_endpoint=settings.sts_endpoint,
        )

    def _holds(self) -> bool:
        return not self._stop.is_set() and (self._election is None or self._election.holds())


def _spare_the_collector() -> None:
    """Two thirds of all objects are the modules': going through them stopped everything for a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 10)


async def _first_of(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Until asked to stop, or one of them has ended."""
    asked = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Abandon what is under way: every step of a deletion may be interrupted and is taken up again."""
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
    for task in late:
        logger.error("task %s did not end in time and is left behind", task.get_name())
