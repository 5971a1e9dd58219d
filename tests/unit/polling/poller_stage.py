"""One running poller, with answers and a clock that the test controls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from typing_extensions import override

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.access.rate_limiter import Lane, Priority
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.polling import Poller, PollKey
from modelarts_nodepool.ports import Clock, NodePoolListing
from tests.support.builders import (
    a_cloud_node_pool,
    a_listing,
    an_account,
)
from tests.support.clocks import HandClock

USUAL, ACTIVE = timedelta(seconds=600), timedelta(seconds=10)
ACCOUNT = an_account().polling(USUAL, ACTIVE).build()
CALM = a_listing(a_cloud_node_pool(available=2))
BUSY = a_listing(a_cloud_node_pool(available=1, deleting=1))


class Answers(Gateway):
    """Replaces the clients of accounts: answers each LIST with `answer` when `gate` is open.

    The request is sent when `turn` is set, as with a rate limiter.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.turn = asyncio.Event()
        self.turn.set()
        self.lanes: list[Lane] = []
        self.urgencies: list[Priority] = []
        self.answer: NodePoolListing | Exception = CALM
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    @override
    async def call(
        self,
        account: Account,
        operation: Callable[[Any], Awaitable[Any]],
        priority: Priority | None = None,
        *,
        is_optional: bool = False,
    ) -> Any:
        assert priority is not None
        self.lanes.append(priority.lane)
        self.urgencies.append(priority)
        await self.turn.wait()
        return await operation(self)

    async def list_node_pools(self, _: str) -> NodePoolListing:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Stage:
    """One poller that runs."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.answers = Answers(self.clock)
        self.account: Account | None = ACCOUNT
        self.is_needed, self.is_deleting = True, False
        self.notified = 0
        self.poller = Poller(
            key=PollKey.of(ACCOUNT, "pool-a"),
            account=lambda: self.account,
            is_needed=lambda: self.is_needed,
            is_deleting=lambda: self.is_deleting,
            clouds=self.answers,
            clock=self.clock,
            on_snapshot=self._on_snapshot,
            jitter=lambda: 1.0,
        )
        self.task = asyncio.create_task(self.poller.run())

    def _on_snapshot(self, _: Poller) -> None:
        self.notified += 1

    async def pass_time(self, span: timedelta) -> None:
        """Let time pass and the poller notice it."""
        self.clock.advance(span)
        self.poller.wake()
        await turns()


async def turns() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def running() -> AsyncIterator[Stage]:
    """A stage whose poller has its first snapshot."""
    stage = Stage()
    await turns()
    try:
        yield stage
    finally:
        stage.task.cancel()
        await asyncio.gather(stage.task, return_exceptions=True)
