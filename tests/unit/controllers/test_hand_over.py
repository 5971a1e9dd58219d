import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.api.names import ACCOUNT_FINALIZER
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.account import Accounts
from modelarts_nodepool.controllers.deletion.ledger import Ledger
from modelarts_nodepool.controllers.deletion.reconciler import Deletion
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.errors import ClusterUnavailable, ObjectGone
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.polling.pollers import Pollers
from tests.support.builders import NOON, NodePoolBuilder, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import a_clouds

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
    """Twins on their way out, each with its task as the controller would start it."""

    def __init__(self) -> None:
        clock = HandClock()
        self.server = ServerWithTwins()
        registry = Registry(clock)
        clouds = a_clouds(self.server, clock)
        self.tools = Tools(
            registry=registry,
            pollers=Pollers(registry, clouds, clock),
            clouds=clouds,
            cluster=self.server,
            clock=clock,
            recorder=EventRecorder(self.server),
        )
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.is_leading = True
        registry.take_account(ACCOUNT_BODY)
        self.accounts = Accounts(self.tools)
        self.ledger = Ledger(self.tools)
        registry.on_node_pool = self.on_node_pool

    def really_is(self, *bodies: Body) -> None:
        for body in bodies:
            self.server.objects[body["metadata"]["name"]] = body

    def watch_tells(self, *bodies: Body) -> None:
        for body in bodies:
            self.tools.registry.take_node_pool(body)

    def on_node_pool(self, uid: str) -> None:
        node_pool = self.tools.registry.node_pools.get(uid)
        if node_pool is not None and node_pool.metadata.deleted is not None and uid not in self.tasks:
            sender = Sender(self.tools, may_send=lambda: self.is_leading)
            self.tasks[uid] = asyncio.create_task(Deletion(uid, self.tools, sender, self.ledger).run())


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    writing = asyncio.create_task(stage.accounts.queue.run())
    yield stage
    for task in (writing, *stage.tasks.values()):
        task.cancel()
    await asyncio.gather(writing, *stage.tasks.values(), return_exceptions=True)
    await stage.tools.pollers.stop()


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
