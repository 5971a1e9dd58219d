"""A hundred resource pools in virtual time: counts of calls at a start, in an outage, after it, and under 429s.

Real pollers, limiter and circuit; the cloud and the cluster are the test's.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from modelarts_nodepool.access.gateway import FAILURES_IN_A_ROW
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.errors import CircuitOpen, CloudError, ServerFailure, Throttled
from modelarts_nodepool.polling import Pollers
from modelarts_nodepool.ports import (
    Accepted,
    NodePoolListing,
)
from modelarts_nodepool.settings import CloudLimits
from tests.support.builders import a_cloud_node_pool, a_listing, an_account
from tests.support.clouds import SecretKeeper, UnaskedCloud, a_clouds
from tests.support.virtual_time import VirtualClock, run_at_once

T = TypeVar("T")
Body = Mapping[str, Any]
POOLS = [f"pool-{number}" for number in range(100)]
MINUTE, HOUR = 60.0, 3600.0
DOWN = ServerFailure("the call was answered 503", status=503)
LISTING = a_listing(a_cloud_node_pool(available=1))
ANSWER_SECONDS = 0.02
AT_ONCE_SECONDS = 0.001


class CountingCloud(UnaskedCloud):
    """Notes when each call came (seconds since the beginning) and fails with `error` where that is set."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock, self.begun = clock, clock.monotonic()
        self.error: CloudError | None = None
        self.calls: list[tuple[float, str]] = []

    async def answer(self, what: str) -> None:
        self.calls.append((self.clock.monotonic() - self.begun, what))
        await asyncio.sleep(ANSWER_SECONDS)
        if self.error is not None:
            raise self.error

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        await self.answer(resource_pool)
        return LISTING

    @override
    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        await self.answer("delete")
        return Accepted("request-1")


class Stage:
    """One account with a hundred resource pools, each polled every minute, on its own clients and limits."""

    def __init__(self, limits: CloudLimits) -> None:
        self.clock = VirtualClock()
        self.cloud = CountingCloud(self.clock)
        self.cache = Cache(self.clock)
        self.clouds = a_clouds(SecretKeeper(), self.clock, self.cloud, limits)
        self.pollers = Pollers(self.cache, self.clouds, self.clock)
        builder = an_account()
        self.cache.upsert_account({"metadata": dict(builder.metadata), "spec": dict(builder.spec)})
        self.account = builder.build()

    def begin(self) -> None:
        for pool in POOLS:
            self.pollers.acquire(f"uid-{pool}", self.account, pool, is_deleting=False)

    @property
    def now(self) -> float:
        return self.clock.monotonic() - self.cloud.begun

    def calls(self, since: float = 0.0, until: float = float("inf")) -> list[tuple[float, str]]:
        return [(when, what) for when, what in self.cloud.calls if since <= when < until]

    def most_a_second(self, since: float = 0.0, until: float = float("inf")) -> int:
        return max(Counter(int(when) for when, _ in self.calls(since, until)).values())

    async def delete(self) -> float:
        """Send one DELETE as controllers/deletion/send.py does; how long it took to reach the cloud."""
        begun = self.now
        slot = await self.clouds.acquire_slot(self.account)
        await self.clouds.delete(self.account, lambda cloud: cloud.delete_node_pool("pool-0", "training-a"), slot)
        return next(when for when, what in self.calls(begun) if what == "delete") - begun


def play(scene: Callable[[Stage], Coroutine[Any, Any, None]], limits: CloudLimits = CloudLimits()) -> None:  # noqa: B008
    async def main() -> None:
        stage = Stage(limits)
        stage.begin()
        try:
            await scene(stage)
        finally:
            await stage.pollers.stop()

    run_at_once(main)


def test_hundred_pools_that_begin_at_once_are_looked_at_within_two_seconds_and_not_at_once() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(2.2)
        assert {what for _, what in stage.calls()} == set(POOLS)
        # A few of them have come apart from the others already.
        assert len(stage.calls()) <= 110
        assert max(Counter(int(when * 10) for when, _ in stage.calls()).values()) < 15

    play(scene)


def test_later_polls_are_spread_over_the_interval_and_none_is_left_out() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(6 * MINUTE)
        assert stage.most_a_second(2 * MINUTE) <= 10
        minutes = Counter((int(when // MINUTE), what) for when, what in stage.calls(2 * MINUTE))
        assert len(minutes) == 4 * 100
        assert set(minutes.values()) == {1}

    play(scene)


def test_outage_of_an_hour_costs_few_calls_and_no_thundering_herd_ends_it() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(2 * MINUTE)
        stage.cloud.error, began = DOWN, stage.now
        await asyncio.sleep(HOUR)
        asked = stage.calls(began)
        # Without a circuit it would be 6,000, with backoff alone still a thousand.
        assert len(asked) <= FAILURES_IN_A_ROW + 10 + 60 * 2
        assert stage.most_a_second(began + 5 * MINUTE) == 1
        stage.cloud.error, ended = None, stage.now
        await asyncio.sleep(4 * MINUTE)
        assert {what for _, what in stage.calls(ended, ended + 2.5 * MINUTE)} == set(POOLS)
        assert stage.most_a_second(ended) <= 15
        steady = Counter(what for _, what in stage.calls(ended + 3 * MINUTE, ended + 4 * MINUTE))
        assert set(steady) == set(POOLS)
        assert set(steady.values()) == {1}

    play(scene)


def test_delete_in_an_outage_is_refused_unsent_and_goes_at_once_after_it() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(2 * MINUTE)
        stage.cloud.error, began = DOWN, stage.now
        await asyncio.sleep(5 * MINUTE)
        for _ in range(20):
            with pytest.raises(CircuitOpen):
                await stage.delete()
            await asyncio.sleep(MINUTE)
        assert "delete" not in {what for _, what in stage.calls(began)}
        stage.cloud.error = None
        await asyncio.sleep(2 * MINUTE)
        assert await stage.delete() < AT_ONCE_SECONDS

    play(scene)


def test_poll_backlog_never_delays_a_delete() -> None:
    async def scene(stage: Stage) -> None:
        # One request a second, and a hundred polls that want to be made each minute: there is always a backlog.
        await asyncio.sleep(5 * MINUTE)
        for number in range(10):
            waiting = len(POOLS) - len({what for _, what in stage.calls(stage.now - 30)})
            assert waiting > 50, "no backlog, so nothing is shown"
            assert await stage.delete() <= 1.0, f"DELETE {number} waited behind polls"
            await asyncio.sleep(10)
        assert len(stage.calls(5 * MINUTE)) <= stage.now - 5 * MINUTE + 4, "the limit holds for all of them together"

    play(scene, CloudLimits(rate=1, burst=4))


def test_storm_of_429_stops_all_polls_of_the_key_for_as_long_as_it_asks_and_lets_a_delete_through() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(2 * MINUTE)
        stage.cloud.error, began = Throttled("no", status=429, retry_after=timedelta(minutes=2)), stage.now
        await asyncio.sleep(MINUTE)
        refused = stage.calls(began)
        assert len(refused) == 1
        stage.cloud.error, ended = None, stage.now
        assert await stage.delete() < AT_ONCE_SECONDS
        paused_until = refused[0][0] + ANSWER_SECONDS + 2 * MINUTE
        await asyncio.sleep(5 * MINUTE)
        polls = [call for call in stage.calls(ended) if call[1] != "delete"]
        assert polls[0][0] >= paused_until
        assert {what for _, what in polls} == set(POOLS)
        assert stage.most_a_second(paused_until) <= 10

    play(scene)


def test_deletion_that_needs_a_look_gets_it_before_all_polls_that_wait() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(5 * MINUTE)
        for pool in POOLS[::10]:
            poller = stage.pollers.acquire(f"uid-{pool}", stage.account, pool, is_deleting=True)
            asked = stage.clock.monotonic()
            look = await poller.fetch(asked)
            assert look.value == LISTING
            assert look.begun - asked <= 2.0
            stage.pollers.release(f"uid-{pool}")

    play(scene, CloudLimits(rate=1, burst=4))
