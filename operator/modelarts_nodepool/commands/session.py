"""Read-only access to cluster and ModelArts for doctor, inventory and why.

Credentials are read and protected as in the operator: a rejected key is not used a second time.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from typing_extensions import override

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.clock import SystemClock
from modelarts_nodepool.commands.options import Place
from modelarts_nodepool.credentials.providers import Providers, login_variables
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.kubeconfig import FROM_POD
from modelarts_nodepool.modelarts.client import ModelArtsClient
from modelarts_nodepool.modelarts.endpoints import Endpoint, endpoint_of
from modelarts_nodepool.modelarts.tls import build_trust
from modelarts_nodepool.modelarts.transport import Bounds
from modelarts_nodepool.ports import Accepted, Clock, CloudResourcePool, CloudWorkload, NodePoolListing
from modelarts_nodepool.settings import DISTRIBUTION

T = TypeVar("T")

KUBE_TIMEOUT = timedelta(seconds=10)
CLOUD_BOUNDS = Bounds(connecting=timedelta(seconds=5), reading=timedelta(seconds=15))


class CloudReader(Protocol):
    """Reads of ModelArts. See ports.ModelArts for the guarantees."""

    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        """All resource pools of a workspace."""

    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        """All node pools of a resource pool."""

    async def list_workloads(self, resource_pool: str) -> Sequence[CloudWorkload]:
        """All jobs of a resource pool."""


class ReadOnlyCluster:
    """ports.Cluster without writes: a bug in a command that uses the operator's own code changes nothing.

    `forbidden`: what the API server said to reads that the caller may not make, by path without a query.
    """

    def __init__(self, cluster: KubeCluster) -> None:
        self._cluster = cluster
        self.forbidden: dict[str, str] = {}

    async def get(self, path: str) -> Mapping[str, Any]:
        """One object; errors.ObjectGone on 404."""
        return await self._read(path, self._cluster.get(path))

    async def get_metadata(self, path: str) -> Mapping[str, Any]:
        """One object, of which only `metadata` is valid."""
        return await self._read(path, self._cluster.get_metadata(path))

    async def list_as(self, path: str, convert: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """All items of a collection, each converted."""
        return await self._read(path, self._cluster.list_as(path, convert))

    async def json_patch(self, path: str, patch: Sequence[Mapping[str, Any]]) -> NoReturn:
        """Raises AssertionError."""
        raise AssertionError(f"this command writes nothing: PATCH {path} ({len(patch)} operations) was not sent")

    async def create(self, path: str, body: Mapping[str, Any]) -> NoReturn:
        """Raises AssertionError."""
        raise AssertionError(f"this command writes nothing: POST {path} ({body.get('kind')}) was not sent")

    async def _read(self, path: str, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except ClusterError as error:
            if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                self.forbidden[path.partition("?")[0]] = str(error)
            raise


class ReadingClient(ModelArtsClient):
    """The client without its DELETE."""

    @override
    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        """Raises AssertionError."""
        raise AssertionError(f"this command deletes nothing: no DELETE of {resource_pool}/{node_pool} was sent")


class Session:
    """`cluster` reads the API server; `ask` and `clouds` call ModelArts with an account's credentials."""

    def __init__(self, place: Place, connection: Connection) -> None:
        """Made by `open_session`."""
        self.place = place
        self.server = connection.server
        self.source = connection.source
        self.default_namespace = connection.default_namespace
        self.is_in_pod = connection.source == FROM_POD
        self.trust = build_trust(Path(place.ca_bundle) if place.ca_bundle else None)
        self.clock: Clock = SystemClock()
        self._kube = KubeCluster(connection, KUBE_TIMEOUT)
        self.cluster = ReadOnlyCluster(self._kube)
        sources = Providers(
            self.clock,
            login_variables(os.environ),
            metadata_endpoint=place.metadata_endpoint,
            sts_endpoint=place.sts_endpoint,
        )
        self.clouds = Gateway(self.cluster, self.clock, place.operator_namespace, self._connect, sources)
        self._first_use = asyncio.Lock()

    async def ask(self, account: Account, operation: Callable[[CloudReader], Awaitable[T]]) -> T:
        """One call. Raises errors.CloudError or CredentialsUnavailable."""
        return await self.clouds.call(account, operation)

    async def log_in(self, account: Account, operation: Callable[[CloudReader], Awaitable[T]]) -> T:
        """The first call of an account, one account at a time: a rejected key is used only once."""
        async with self._first_use:
            return await self.clouds.call(account, operation)

    async def review(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A review of permissions or identity: a POST that stores nothing."""
        if not path.rpartition("/")[2].endswith("reviews"):
            raise ValueError(f"{path} is not a review; this command writes nothing")
        return await self._kube.create(path, body)

    def endpoint(self, region: str) -> Endpoint:
        """The endpoint of a region."""
        return endpoint_of(region, self.place.endpoints)

    async def aclose(self) -> None:
        """Close the connections to clouds."""
        await self.clouds.aclose()

    def _connect(self, account: Account) -> ReadingClient:
        return ReadingClient(
            endpoint=self.endpoint(account.spec.region),
            project_id=account.spec.project_id,
            clock=self.clock,
            trust=self.trust,
            bounds=CLOUD_BOUNDS,
        )


@asynccontextmanager
async def open_session(place: Place) -> AsyncIterator[Session]:
    """Sends nothing yet. Raises errors.SettingsError without a usable kubeconfig."""
    async with await Connection.open(
        version=version(DISTRIBUTION), kubeconfig=place.kubeconfig, context=place.context
    ) as connection:
        session = Session(place, connection)
        try:
            yield session
        finally:
            await session.aclose()
