from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from lab.simulator.clock import HandClock
from lab.simulator.server import Simulator
from tests.contract.simulator.caller import Caller, a_world
from tests.support.limits import HANGING_SECONDS

NOON = 1_767_355_200.0


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Caller]]]:
    """Serves a scenario until the test ends; its keywords are the scenario's keys."""
    async with AsyncExitStack() as stack:

        async def start(**changes: object) -> Caller:
            clock = HandClock(NOON)
            simulator = await stack.enter_async_context(Simulator.serving(a_world(**changes), clock=clock))
            # Environment proxies must not stand between a test and its simulator.
            http = httpx.AsyncClient(base_url=simulator.endpoint, trust_env=False, timeout=HANGING_SECONDS)
            return Caller(simulator, await stack.enter_async_context(http), clock)

        yield start


@pytest.fixture
async def caller(serve: Callable[..., Awaitable[Caller]]) -> Caller:
    """A client of the usual world."""
    return await serve()
