"""How often an account is written, with a clock by hand."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.engine.accounts import Accounts
from modelarts_nodepool.errors import ObjectChanged
from modelarts_nodepool.resource.account import RecentDeletion
from modelarts_nodepool.resource.names import ACCOUNT_FINALIZER
from tests.support.builders import NOON, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import SecretKeeper, a_clouds
from tests.support.engine import build_tools

Body = Mapping[str, Any]
ACCOUNT = an_account()
TURNS = 50


class OneAccount(SecretKeeper):
    """An API server that holds one account; each write takes a turn of the event loop."""

    def __init__(self) -> None:
        self.body: dict[str, Any] = {
            "metadata": {**ACCOUNT.metadata, "finalizers": [ACCOUNT_FINALIZER]},
            "spec": dict(ACCOUNT.spec),
        }
        self.written: list[list[str]] = []
        self.refusals = 0
        self.is_asked = asyncio.Event()

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        assert path.endswith("/status")
        status = patch[-1]["value"]
        self.written.append([entry["uid"] for entry in status.get("recentDeletions", [])])
        self.is_asked.set()
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise ObjectChanged("409")
        version = str(int(self.body["metadata"]["resourceVersion"]) + 1)
        self.body = {**self.body, "metadata": {**self.body["metadata"], "resourceVersion": version}, "status": status}
        return self.body

    @override
    async def get(self, path: str) -> Body:
        return self.body


class Stage:
    """Accounts as the controller joins them: each change in the registry is work."""

    def __init__(self) -> None:
        self.clock, self.server = HandClock(), OneAccount()
        tools = build_tools(self.server, self.clock, a_clouds(self.server, self.clock))
        self.accounts = Accounts(tools)
        tools.registry.take_account(self.server.body)
        tools.registry.on_account = self.accounts.queue.add

    def enter(self, uid: str) -> "asyncio.Future[None]":
        entry = RecentDeletion(
            uid=uid,
            namespace="ml",
            name=uid,
            pool_name="pool-a",
            node_pool_name=uid,
            sent_time=NOON,
            finished_time=NOON,
            outcome="Gone",
        )
        return self.accounts.enter("default", entry)

    async def settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def a_second_later(self) -> None:
        """The clock moves on and the timer rings."""
        self.clock.advance(timedelta(seconds=1))
        self.accounts.queue.add("default")
        await self.settle()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    working = asyncio.create_task(stage.accounts.queue.run())
    await stage.settle()
    yield stage
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_an_entry_is_written_at_once_and_those_that_come_meanwhile_a_second_later(stage: Stage) -> None:
    first = stage.enter("a")
    await stage.server.is_asked.wait()
    # The write is under way: its own news must not carry these along.
    second, third = stage.enter("b"), stage.enter("c")
    await stage.settle()
    assert stage.server.written == [["a"]]
    assert (first.done(), second.done(), third.done()) == (True, False, False)
    await stage.a_second_later()
    assert [sorted(uids) for uids in stage.server.written] == [["a"], ["a", "b", "c"]]
    assert second.done()
    assert third.done()


async def test_an_entry_whose_write_is_refused_is_not_forgotten(stage: Stage) -> None:
    stage.server.refusals = 1
    entered = stage.enter("a")
    await stage.settle()
    assert not entered.done()
    await stage.a_second_later()
    assert entered.done()
    assert stage.server.written == [["a"], ["a"]]
