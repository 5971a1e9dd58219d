import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.api.names import ACCOUNT_FINALIZER
from modelarts_nodepool.errors import ClusterUnavailable, ObjectGone
from tests.support.builders import NOON, NodePoolBuilder, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import a_clouds
from tests.support.controllers import build_parts

T = TypeVar("T")
Body = Mapping[str, Any]


def twin(name: str, created: datetime) -> NodePoolBuilder:
    return a_node_pool(name).standing_for("shared").created(created).finalized().pinned(node_pool_name="shared")


def deleted(builder: NodePoolBuilder) -> Body:
    """Being deleted in a later version."""
    body = builder.being_deleted().body()
    return body | {"metadata": body["metadata"] | {"resourceVersion": "200"}}


OLDER = twin("older", NOON - timedelta(hours=2))
YOUNGER = twin("younger", NOON - timedelta(hours=1))
ACCOUNT = an_account()
ACCOUNT_BODY: Body = {
    "metadata": {**ACCOUNT.metadata, "finalizers": [ACCOUNT_FINALIZER]},
    "spec": dict(ACCOUNT.spec),
}


class ServerWithTwins:
    """Says how the twins really are; patches of finalizers wait until they may go on. It has no Secret."""

    def __init__(self) -> None:
        self.objects: dict[str, Body] = {}
        self.asked = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.released: list[str] = []

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:  # noqa: ARG002 - the port's
        if path.endswith("default/status"):
            return ACCOUNT_BODY
        if path.endswith("/status"):
            raise ClusterUnavailable("what objects say is of no interest here")
        self.asked.set()
        await self.goes_on.wait()
        name = path.rpartition("/")[2]
        body = self.objects.pop(name, None)
        if body is None:
            raise ObjectGone(f"404 to PATCH {path}")
        self.released.append(name)
        return {**body, "metadata": {**body["metadata"], "finalizers": []}}

    async def get(self, path: str) -> Body:
        found = self.objects.get(path.rpartition("/")[2])
        if found is None:
            raise ObjectGone(f"404 to GET {path}")
        return found

    async def get_metadata(self, path: str) -> Body:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:  # noqa: ARG002 - the port's
        return body


class Stage:
    """Duplicates on their way out, before all controllers."""

    def __init__(self) -> None:
        clock = HandClock()
        self.server = ServerWithTwins()
        self.is_leading = True
        clouds = a_clouds(self.server, clock)
        self.parts = build_parts(self.server, clock, clouds, may_act=lambda: self.is_leading)
        self.parts.cache.upsert_account(ACCOUNT_BODY)

    def really_is(self, *bodies: Body) -> None:
        for body in bodies:
            self.server.objects[body["metadata"]["name"]] = body

    def watch_tells(self, *bodies: Body) -> None:
        for body in bodies:
            self.parts.cache.observe_node_pool(body)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    working = asyncio.create_task(stage.parts.manager.run())
    await asyncio.sleep(0)
    stage.parts.manager.begin()
    yield stage
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_an_heir_that_is_long_being_deleted_is_not_believed_to_live(stage: Stage) -> None:
    stage.server.goes_on.set()
    stage.really_is(deleted(OLDER), deleted(YOUNGER))
    stage.watch_tells(YOUNGER.body(), deleted(OLDER))
    await asyncio.sleep(0.3)
    # The older one deletes the node pool, and the younger one goes only once that is written down.
    assert stage.server.released == []


async def test_two_twins_are_never_handed_over_to_each_other(stage: Stage) -> None:
    stage.really_is(deleted(OLDER), YOUNGER.body())
    stage.watch_tells(YOUNGER.body(), deleted(OLDER))
    await stage.server.asked.wait()
    # While the older one is on its way to the younger one, that one is deleted, too.
    stage.really_is(deleted(YOUNGER))
    stage.watch_tells(deleted(YOUNGER))
    await asyncio.sleep(0.1)
    stage.server.goes_on.set()
    # Entries of the account are written once a second, each before its finalizer goes.
    await asyncio.sleep(1.5)
    assert stage.server.released == ["older"]


async def test_nothing_is_handed_over_by_a_process_that_lost_its_lease(stage: Stage) -> None:
    stage.server.goes_on.set()
    stage.is_leading = False
    stage.really_is(deleted(OLDER), deleted(YOUNGER))
    stage.watch_tells(deleted(OLDER), deleted(YOUNGER))
    await asyncio.sleep(0.3)
    assert stage.server.released == []
