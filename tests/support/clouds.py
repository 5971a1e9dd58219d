"""access/gateway.py with a cloud and a cluster of the test's own behind it."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from typing_extensions import override

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.api.names import CREDENTIALS_LABEL
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.credentials.providers import Providers
from modelarts_nodepool.errors import CloudError
from modelarts_nodepool.ports import (
    Accepted,
    AccessKey,
    Billing,
    Clock,
    CloudNode,
    CloudNodePool,
    CloudResourcePool,
    CloudWorkload,
    Cluster,
    Connections,
    ModelArts,
    NodePoolListing,
)
from modelarts_nodepool.settings import CloudLimits
from tests.support.builders import a_cloud_node_pool, a_listing

T = TypeVar("T")
Body = Mapping[str, Any]


class SecretKeeper:
    """A cluster that has one Secret, objects without anything in them, and takes no writes."""

    async def get(self, path: str) -> Body:
        """The Secret, or something that nobody has deleted."""
        if "/secrets/" not in path:
            return {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}}
        data = {name: base64.b64encode(b"of-a-test").decode() for name in ("accessKey", "secretKey")}
        return {"metadata": {"labels": {CREDENTIALS_LABEL: "true"}}, "data": data}

    async def get_metadata(self, path: str) -> Body:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:
        raise NotImplementedError


class UnaskedCloud:
    """Whoever is asked something has to say what."""

    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        raise NotImplementedError

    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        raise NotImplementedError

    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        raise NotImplementedError

    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        raise NotImplementedError

    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        raise NotImplementedError

    async def list_workloads(self, resource_pool: str) -> Sequence[CloudWorkload]:
        raise NotImplementedError

    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        raise NotImplementedError


class NodePoolCloud(UnaskedCloud):
    """Shows one node pool, pay-per-use, beside another one that stays, and takes DELETEs without any effect.

    `deletes` counts them; each fails with `error` where there is one.
    """

    def __init__(self, error: CloudError | None = None) -> None:
        self.error = error
        self.deletes = 0

    @override
    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        return CloudResourcePool(resource_pool, Billing.PAY_PER_USE)

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        return a_listing(a_cloud_node_pool(available=1), a_cloud_node_pool("stays", available=1))

    @override
    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        return [CloudNode("one", None)]

    @override
    async def list_workloads(self, resource_pool: str) -> Sequence[CloudWorkload]:
        return []

    @override
    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        self.deletes += 1
        if self.error is not None:
            raise self.error
        return Accepted("request")


class Connected:
    """Connections that lead to one cloud, whoever signs."""

    def __init__(self, cloud: ModelArts) -> None:
        self._cloud = cloud

    def with_key(self, _: AccessKey) -> ModelArts:
        return self._cloud

    async def aclose(self) -> None:
        pass


def a_clouds(
    cluster: Cluster,
    clock: Clock,
    cloud: ModelArts | None = None,
    limits: CloudLimits = CloudLimits(),  # noqa: B008 - frozen
) -> Gateway:
    """Gateway whose Secrets are in `cluster`. Without a cloud, nobody may want to call one."""

    def connect(_: Account) -> Connections:
        assert cloud is not None, "a call to the cloud that nobody expects"
        return Connected(cloud)

    return Gateway(cluster, clock, "operator", connect, Providers(clock), limits)
