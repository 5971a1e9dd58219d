"""Keeps the operator working: waits for the CRDs, lists everything, watches, and begins again when that ends.

Joined in app.py. The watches themselves come in as a callable, so that no kopf is known here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from modelarts_nodepool.engine.controller import Controller
from modelarts_nodepool.engine.health import Health
from modelarts_nodepool.engine.registry import Registry
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.kube import definitions, paths
from modelarts_nodepool.ports import Clock, Cluster

logger = logging.getLogger(__name__)

PAUSE = timedelta(seconds=2)
SWEEP_EVERY = timedelta(minutes=5)
Watch = Callable[[], Awaitable[None]]


class Supervisor:
    """`run` returns only by being cancelled."""

    def __init__(
        self, cluster: Cluster, registry: Registry, controller: Controller, clock: Clock, watch: Watch
    ) -> None:
        """`watch` watches both kinds and namespaces, feeds the registry, and returns or raises when it cannot."""
        self._cluster = cluster
        self._registry = registry
        self._controller = controller
        self._clock = clock
        self._watch = watch
        self._waiting_for = ["the operator has just started"]

    def livez(self) -> Health:
        """Alive as long as it answers: what the process can mend by itself is no reason to kill it."""
        return Health("leader")

    def readyz(self) -> Health:
        """Ready once the first LISTs are complete and the watches run."""
        return Health("leader", tuple(self._waiting_for))

    async def run(self) -> None:
        """Wait for the CRDs, list, watch; again and again."""
        while True:
            try:
                await self._wait_for_definitions()
                await self._list()
                self._waiting_for = []
                async with asyncio.TaskGroup() as group:
                    sweep = group.create_task(self._sweep(), name="sweep")
                    await self._watch()
                    sweep.cancel()
                logger.warning("the watch ended and is started again")
            except* ClusterError as errors:
                logger.warning("the API server is out of reach; tried again: %s", errors.exceptions[0])
            except* Exception:
                logger.exception("watching failed and is started again")
            self._waiting_for = ["the watch of the cluster is being started again"]
            await asyncio.sleep(PAUSE.total_seconds())

    async def _wait_for_definitions(self) -> None:
        while missing := await definitions.find_missing(self._cluster):
            if missing != self._waiting_for:
                for words in missing:
                    logger.warning("waiting: %s", words)
            self._waiting_for = missing
            await asyncio.sleep(PAUSE.total_seconds())

    async def _sweep(self) -> None:
        """A watch can miss things for good; a full LIST finds them."""
        while True:
            await asyncio.sleep(SWEEP_EVERY.total_seconds())
            try:
                await self._list()
            except ClusterError as error:
                logger.warning("the sweep was not done: %s", error)

    async def _list(self) -> None:
        """Take all namespaces, accounts and objects; drop what a complete LIST no longer shows."""
        registry = self._registry
        await self._cluster.list_as(paths.NAMESPACES, registry.take_namespace)
        begun = self._clock.monotonic()
        registry.forget_missing_accounts(await self._cluster.list_as(paths.ACCOUNTS, self._take_account), begun)
        deleted: list[Mapping[str, Any]] = []
        uids = await self._cluster.list_as(paths.NODE_POOLS, lambda body: self._take_node_pool(body, deleted))
        for body in deleted:
            # Only now: before the last page an object that is to take over may not be known yet.
            registry.tell_node_pool(body)
        registry.forget_missing(uids, begun)
        self._controller.begin()

    def _take_account(self, body: Mapping[str, Any]) -> str:
        self._registry.take_account(body)
        return str(body["metadata"]["name"])

    def _take_node_pool(self, body: Mapping[str, Any], deleted: list[Mapping[str, Any]]) -> str:
        self._registry.take_node_pool(body)
        if body["metadata"].get("deletionTimestamp"):
            deleted.append(body)
        return str(body["metadata"]["uid"])
