"""Gateway on a cluster of Secrets, a cloud that checks keys and a clock by hand."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.api.names import CREDENTIALS_LABEL
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.credentials.providers import Providers
from modelarts_nodepool.errors import (
    CredentialsRejected,
)
from modelarts_nodepool.ports import (
    AccessKey,
    Connections,
    ModelArts,
    NodePoolListing,
)
from tests.support.builders import a_listing, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import SecretKeeper, UnaskedCloud

T = TypeVar("T")
Body = Mapping[str, Any]
EVERY = timedelta(seconds=10)
ACCOUNT = an_account().polling(EVERY, EVERY).build()


class Secrets(SecretKeeper):
    """A cluster that has Secrets and nothing else. `failure` stands for all of them where it is set."""

    def __init__(self) -> None:
        self.secret_key = "right"
        self.label = "true"
        self.failure: Exception | None = None
        self.reads: list[str] = []
        self.on_read: Callable[[], object] = lambda: None

    @override
    async def get(self, path: str) -> Body:
        self.reads.append(path)
        self.on_read()
        if self.failure is not None:
            raise self.failure
        data = {"accessKey": "AK", "secretKey": self.secret_key}
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
        return {"metadata": {"labels": {CREDENTIALS_LABEL: self.label}}, "data": encoded}


class KeyCheckingCloud:
    """Accepts one secret key. Answers wait for `gate`; `waiting` is how many do."""

    def __init__(self) -> None:
        self.right = "right"
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[str] = []
        self.waiting = 0
        self.is_closed = False

    def with_key(self, key: AccessKey) -> ModelArts:
        return SeenByKey(self, key)

    async def aclose(self) -> None:
        self.is_closed = True

    async def list_as(self, secret: str) -> NodePoolListing:
        self.calls.append(secret)
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if secret != self.right:
            raise CredentialsRejected("The key was rejected", status=401)
        if self.failure is not None:
            raise self.failure
        return a_listing()


class SeenByKey(UnaskedCloud):
    """The cloud as one key sees it."""

    def __init__(self, cloud: KeyCheckingCloud, key: AccessKey) -> None:
        self.cloud, self.key = cloud, key

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        return await self.cloud.list_as(self.key.secret)


class Stage:
    """Gateway on a cluster and a clock that stand still, and every client that was made."""

    def __init__(self) -> None:
        self.clock, self.secrets = HandClock(), Secrets()
        self.made: list[KeyCheckingCloud] = []
        self.clouds = Gateway(self.secrets, self.clock, "operator", self._connect, Providers(self.clock))

    def _connect(self, _: Account) -> Connections:
        self.made.append(KeyCheckingCloud())
        return self.made[-1]

    @property
    def cloud(self) -> KeyCheckingCloud:
        return self.made[-1]

    async def look(self, account: Account = ACCOUNT) -> NodePoolListing:
        return await self.clouds.call(account, lambda cloud: cloud.list_node_pools("pool-a"))

    async def is_rejected(self) -> None:
        with pytest.raises(CredentialsRejected):
            await self.look()


async def turns() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)
