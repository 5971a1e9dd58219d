"""Keys from Secrets to clients, and the breaker that keeps a wrong key from being locked."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.engine.breakers import REJECTED_FOR, TRIALS_AT_ONCE
from modelarts_nodepool.engine.clouds import Clouds
from modelarts_nodepool.errors import (
    ClusterUnavailable,
    CredentialsRejected,
    CredentialsUnavailable,
    NoAnswer,
    ObjectGone,
    PermissionDenied,
)
from modelarts_nodepool.ports import (
    Accepted,
    AccessKey,
    CloudNode,
    CloudNodePool,
    CloudResourcePool,
    ModelArts,
    NodePoolListing,
)
from modelarts_nodepool.resource.account import Credentials
from modelarts_nodepool.resource.names import CREDENTIALS_LABEL
from modelarts_nodepool.resource.objects import Account
from tests.support.builders import NOON, a_listing, an_account

T = TypeVar("T")
Body = Mapping[str, Any]
EVERY = timedelta(seconds=10)
ACCOUNT = an_account().polling(EVERY, EVERY).build()


class HandClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, span: timedelta) -> None:
        self.seconds += span.total_seconds()


class SecretKeeper:
    """A cluster that has Secrets and nothing else. `failure` stands for all of them where it is set."""

    def __init__(self) -> None:
        self.secret_key = "right"
        self.failure: Exception | None = None
        self.reads: list[str] = []

    async def get(self, path: str) -> Body:
        self.reads.append(path)
        if self.failure is not None:
            raise self.failure
        data = {"accessKey": "AK", "secretKey": self.secret_key}
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
        return {"metadata": {"labels": {CREDENTIALS_LABEL: "true"}}, "data": encoded}

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:
        raise NotImplementedError


class KeyCheckingCloud:
    """Accepts one secret key. Answers wait for `gate`; `waiting` is how many do."""

    def __init__(self, key: Callable[[], AccessKey]) -> None:
        self.key = key
        self.right = "right"
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[str] = []
        self.waiting = 0
        self.is_closed = False

    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:  # noqa: ARG002 - the port's
        secret = self.key().secret
        self.calls.append(secret)
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if secret != self.right:
            raise CredentialsRejected("The key was rejected", status=401)
        if self.failure is not None:
            raise self.failure
        return a_listing()

    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        raise NotImplementedError

    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        raise NotImplementedError

    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        raise NotImplementedError

    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        raise NotImplementedError

    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.is_closed = True


class Stage:
    """Clouds on a cluster and a clock that stand still, and every client that was made."""

    def __init__(self) -> None:
        self.clock, self.secrets = HandClock(), SecretKeeper()
        self.made: list[KeyCheckingCloud] = []
        self.clouds = Clouds(self.secrets, self.clock, "operator", self._build)

    def _build(self, _: Account, key: Callable[[], AccessKey]) -> ModelArts:
        self.made.append(KeyCheckingCloud(key))
        return self.made[-1]

    @property
    def cloud(self) -> KeyCheckingCloud:
        return self.made[-1]

    async def look(self, account: Account = ACCOUNT) -> NodePoolListing:
        return await self.clouds.call(account, lambda cloud: cloud.list_node_pools("pool-a"))

    async def is_rejected(self) -> None:
        with pytest.raises(CredentialsRejected):
            await self.look()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.clouds.aclose()


async def turns() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_rejected_key_is_not_used_again_for_five_minutes(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    await stage.is_rejected()
    for _ in range(4):
        stage.clock.advance(timedelta(minutes=1))
        await stage.is_rejected()
        with pytest.raises(CredentialsRejected, match="put a valid one into Secret operator/"):
            await stage.clouds.ready(ACCOUNT)
    assert stage.cloud.calls == ["wrong"]


async def test_after_five_minutes_one_probe_is_made_and_no_more(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    await stage.is_rejected()
    stage.clock.advance(REJECTED_FOR)
    stage.cloud.gate.clear()
    looks = [asyncio.create_task(stage.is_rejected()) for _ in range(5)]
    await turns()
    assert stage.cloud.waiting == 1
    stage.cloud.gate.set()
    await asyncio.gather(*looks)
    assert stage.cloud.calls == ["wrong", "wrong"]


async def test_a_key_that_the_cloud_accepts_again_is_used_after_five_minutes(stage: Stage) -> None:
    stage.secrets.secret_key = "late"
    await stage.is_rejected()
    stage.cloud.right = "late"
    await stage.is_rejected()
    stage.clock.advance(REJECTED_FOR)
    await stage.clouds.ready(ACCOUNT)
    assert await stage.look() == a_listing()


async def test_another_key_in_the_secret_is_used_within_a_poll(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    await stage.is_rejected()
    stage.secrets.secret_key = "right"
    stage.clock.advance(EVERY)
    await stage.look()
    assert stage.cloud.calls == ["wrong", "right"]


async def test_a_key_that_was_never_accepted_is_tried_by_few_calls_at_once(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    await stage.clouds.ready(ACCOUNT)
    stage.cloud.gate.clear()
    looks = [asyncio.create_task(stage.is_rejected()) for _ in range(20)]
    await turns()
    assert stage.cloud.waiting == TRIALS_AT_ONCE
    stage.cloud.gate.set()
    await asyncio.gather(*looks)
    assert len(stage.cloud.calls) == TRIALS_AT_ONCE


@pytest.mark.parametrize("failure", [None, PermissionDenied("no", status=403)], ids=["success", "no permission"])
async def test_a_key_that_was_accepted_is_used_by_all_at_once(stage: Stage, failure: Exception | None) -> None:
    await stage.clouds.ready(ACCOUNT)
    stage.cloud.failure = failure
    await asyncio.gather(stage.look(), return_exceptions=True)
    stage.cloud.gate.clear()
    looks = [asyncio.create_task(stage.look()) for _ in range(20)]
    await turns()
    assert stage.cloud.waiting == 20
    stage.cloud.gate.set()
    await asyncio.gather(*looks, return_exceptions=True)


async def test_no_answer_says_nothing_about_a_key(stage: Stage) -> None:
    await stage.clouds.ready(ACCOUNT)
    stage.cloud.failure = NoAnswer("nothing came back")
    with pytest.raises(NoAnswer):
        await stage.look()
    stage.cloud.failure = None
    await stage.look()


async def test_the_secret_is_read_twice_a_poll_at_most(stage: Stage) -> None:
    for _ in range(100):
        await stage.look()
        stage.clock.advance(EVERY / 20)
    assert len(stage.secrets.reads) == 10


async def test_a_cluster_in_trouble_leaves_the_last_key_in_use(stage: Stage) -> None:
    await stage.look()
    stage.secrets.failure = ClusterUnavailable("no answer")
    stage.clock.advance(EVERY)
    await stage.look()


@pytest.mark.parametrize(
    "failure",
    [ObjectGone("gone", status=404), ClusterUnavailable("forbidden", status=403)],
    ids=["deleted", "forbidden"],
)
async def test_a_secret_that_may_not_be_read_any_more_is_not_used_any_more(stage: Stage, failure: Exception) -> None:
    await stage.look()
    stage.secrets.failure = failure
    stage.clock.advance(EVERY)
    with pytest.raises(CredentialsUnavailable):
        await stage.look()
    assert stage.cloud.calls == ["right"]


async def test_a_changed_account_keeps_its_client_for_what_waits_for_an_answer(stage: Stage) -> None:
    await stage.look()
    slower = replace(ACCOUNT, spec=ACCOUNT.spec.model_copy(update={"poll_interval": EVERY * 6}))
    await stage.look(slower)
    assert len(stage.made) == 1
    assert not stage.cloud.is_closed


async def test_another_secret_is_read_at_once(stage: Stage) -> None:
    await stage.look()
    other = ACCOUNT.spec.model_copy(update={"credentials": Credentials(secret_name="other")})
    await stage.look(replace(ACCOUNT, spec=other))
    assert [path.rpartition("/")[2] for path in stage.secrets.reads][1:] == ["other"]


async def test_an_account_created_again_gets_a_client_of_its_own(stage: Stage) -> None:
    await stage.look()
    again = replace(ACCOUNT, metadata=replace(ACCOUNT.metadata, uid="another"))
    await stage.look(again)
    first, second = stage.made
    assert first.is_closed
    assert not second.is_closed
