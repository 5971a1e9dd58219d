"""Builds and connects all objects of the operator; `run` is the operator from start to stop.

cli.py calls it with checked settings. No other module builds what it needs.
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
from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.clock import SystemClock
from modelarts_nodepool.controllers.factory import build_controllers
from modelarts_nodepool.credentials.providers import Providers
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.kube.kubeconfig import load_client_config
from modelarts_nodepool.kube.leader_election import LeaderElection, Leadership
from modelarts_nodepool.modelarts.client import ModelArtsClient, count_call
from modelarts_nodepool.modelarts.endpoints import Endpoint, endpoint_of, parse_endpoint
from modelarts_nodepool.modelarts.tls import build_trust
from modelarts_nodepool.server.gauges import Gauges
from modelarts_nodepool.server.http_server import HealthServer, Heartbeat
from modelarts_nodepool.server.probes import Probes
from modelarts_nodepool.settings import Settings
from modelarts_nodepool.watch.kopf_runner import Watch
from modelarts_nodepool.watch.supervisor import CannotWorkError, Supervisor, WatchTimes

logger = logging.getLogger(__name__)

VERSION = version("modelarts-nodepool-operator")
STOP_SECONDS = 8.0
# A leader that cannot work pauses for this time, and twice as long after each further failure.
PAUSE = Backoff(timedelta(seconds=30), timedelta(minutes=5))


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT. Raises errors.SettingsError before it sends anything."""
    _tune_garbage_collection()
    endpoints = {region: parse_endpoint(f"{region}={url}") for region, url in settings.endpoints.items()}
    trust = build_trust(Path(settings.ca_bundle) if settings.ca_bundle else None)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    # Once: all connections reach the same cluster even if the kubeconfig or its current context changes.
    config = load_client_config(settings.kubeconfig)

    async def connect() -> Connection:
        return await Connection.to(config, version=VERSION)

    async with await connect() as connection:
        logger.info("version %s, API server %s (%s)", VERSION, connection.server, connection.source)
        await Operator(settings, endpoints, trust, connection, connect, stop).serve()
    logger.info("stopped")


class Operator:
    """One process: a candidate, then the leader, then possibly a candidate again."""

    def __init__(
        self,
        settings: Settings,
        endpoints: Mapping[str, Endpoint],
        trust: ssl.SSLContext,
        connection: Connection,
        connect: Callable[[], Awaitable[Connection]],
        stop: asyncio.Event,
    ) -> None:
        """`trust` is for all servers except the API server; `stop` ends the operator.

        `connect` opens another connection to the same API server, in the event loop that calls it.
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
        self._failures = 0
        # The cache and the sessions outlive the Lease: circuit breakers stay open, and a relist parses only changed
        # objects again. Nothing is decided before the relist is complete.
        self._cache = Cache(self._clock)
        self._clouds = Gateway(
            self._cluster,
            self._clock,
            settings.operator_namespace,
            self._connect_to_cloud,
            self._build_sources(),
            limits=settings.cloud_limits,
        )

    async def serve(self) -> None:
        """Serve /livez, /readyz and /metrics all the time, and work as the leader."""
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
                    await self._lead_or_pause()
        finally:
            if self._election is not None:
                await self._election.close()
            await self._clouds.aclose()
            beating.cancel()
            await server.stop()

    async def _until_leading(self, election: LeaderElection) -> bool:
        """Stand by until the Lease is held; False if the process is asked to stop first."""
        logger.info("standing by for the Lease")
        acquiring = asyncio.create_task(election.acquire(), name="acquire the Lease")
        await _first_of(self._stop, [acquiring])
        if acquiring.done():
            acquiring.result()
            return True
        await _end([acquiring])
        # The cancelled request may have acquired the Lease.
        await election.release()
        return False

    async def _lead_or_pause(self) -> None:
        """Lead. After repeated failures leave the Lease to other replicas for a while."""
        try:
            await self._lead()
        except CannotWorkError as error:
            self._failures += 1
            pause = PAUSE.after(self._failures)
            # The supervisor has logged each failure with its traceback.
            message = "the work as leader fails repeatedly: %s; the Lease is left to other replicas for %.0f s"
            logger.error(message, error, pause.total_seconds())  # noqa: TRY400 - see above
            self._probes.pause(str(error), pause)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause.total_seconds()):
                    await self._stop.wait()
        else:
            self._failures = 0

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
            logger.info("stopping: no new work starts")
        finally:
            # A task that does not end in time may still run: it may not act in the next term.
            leadership.end()
            # The Lease is renewed until the work has stopped, and released after that.
            await _end(tasks)
            self._probes.stand_by()
            # A task that did not end cannot reach the cloud any more.
            await self._clouds.keep_only(())
            if self._election is not None:
                await self._election.release()

    def _begin(self, leadership: Leadership) -> list[asyncio.Task[None]]:
        """Build and start everything for one term as leader."""
        clock, settings = self._clock, self._settings
        recorder = EventRecorder(self._cluster)
        parts = build_controllers(self._cache, self._clouds, self._cluster, recorder, clock, may_act=leadership.may_act)
        times = WatchTimes(stream=settings.watch_timeout, resync=settings.sweep_interval)
        watch = Watch(parts.cache, self._connect, clock, times)
        supervisor = Supervisor(self._cluster, parts.cache, parts.manager, clock, watch, times)
        self._probes.lead(supervisor, Gauges(parts.cache, parts.pollers, supervisor, parts.writes, clock))
        tasks = [
            asyncio.create_task(parts.manager.run(), name="controllers"),
            asyncio.create_task(recorder.run(), name="events"),
            asyncio.create_task(supervisor.run(), name="supervisor"),
        ]
        if self._election is not None:
            tasks.append(asyncio.create_task(self._election.until_lost(), name="hold the Lease"))
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
            clock=self._clock,
            trust=self._trust,
            on_call=count_call,
        )

    def _build_sources(self) -> Providers:
        settings = self._settings
        return Providers(
            self._clock,
            settings.login_environment,
            trust=self._trust,
            metadata_endpoint=settings.metadata_endpoint,
            sts_endpoint=settings.sts_endpoint,
        )

    def _holds(self) -> bool:
        return not self._stop.is_set() and (self._election is None or self._election.holds())


def _tune_garbage_collection() -> None:
    """Exclude the modules' objects, two thirds of all: traversing them paused the process for a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 10)


async def _first_of(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Until the process is asked to stop, or until one of the tasks ends."""
    asked = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel the tasks: each step of a deletion can be interrupted, and the next leader continues."""
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
    for task in late:
        logger.error("task %s did not end in time", task.get_name())
