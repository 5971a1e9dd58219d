"""When a cloud that does not answer is asked less, by whom, and when it is asked as before again."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from modelarts_nodepool.access.gateway import FAILURES_IN_A_ROW, PROBE_BACKOFF, CircuitBreaker, CircuitBreakers
from modelarts_nodepool.errors import (
    CircuitOpen,
    CloudError,
    CloudUnavailable,
    MalformedAnswer,
    NoAnswer,
    PermissionDenied,
    ServerFailure,
    Throttled,
    Unreachable,
    WrongEndpoint,
)
from tests.support.builders import an_account
from tests.support.clocks import HandClock

DOWN = ServerFailure("list_node_pools was answered 503", status=503)


class Line:
    """A circuit, and what was sent through it. Chance is 1: the longest rest each time."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.breaker = CircuitBreaker("default", self.clock, lambda: 1.0)
        self.sent = 0

    async def call(
        self, error: Exception | None = None, *, is_deletion: bool = False, is_optional: bool = False
    ) -> None:
        async with self.breaker.guard(is_deletion=is_deletion, is_optional=is_optional):
            self.sent += 1
            if error is not None:
                raise error

    async def fail(self, times: int, error: Exception = DOWN) -> None:
        for _ in range(times):
            with pytest.raises(type(error)):
                await self.call(error)

    async def is_refused(self, *, is_deletion: bool = False) -> CircuitOpen:
        sent = self.sent
        with pytest.raises(CircuitOpen) as caught:
            await self.call(is_deletion=is_deletion)
        assert self.sent == sent
        return caught.value


@pytest.mark.parametrize(
    "error", [DOWN, Unreachable("no route"), NoAnswer("reset"), ServerFailure("busy", status=408)], ids=repr
)
async def test_five_failures_in_a_row_open_it_and_nothing_is_sent(error: CloudError) -> None:
    line = Line()
    await line.fail(FAILURES_IN_A_ROW, error)
    refusal = await line.is_refused()
    assert refusal.had_no_effect
    assert refusal.retry_after == timedelta(seconds=5)
    assert error.message in refusal.message
    assert line.sent == FAILURES_IN_A_ROW


async def test_one_answer_in_between_begins_the_count_anew() -> None:
    line = Line()
    await line.fail(FAILURES_IN_A_ROW - 1)
    await line.call()
    await line.fail(FAILURES_IN_A_ROW - 1)
    await line.call()


@pytest.mark.parametrize(
    "error",
    [
        PermissionDenied("no", status=403),
        Throttled("later", status=429),
        WrongEndpoint("html", status=404),
        MalformedAnswer("half of it", status=200),
    ],
    ids=repr,
)
async def test_any_other_answer_is_one(error: CloudError) -> None:
    line = Line()
    await line.fail(FAILURES_IN_A_ROW - 1)
    await line.fail(3, error)
    await line.fail(FAILURES_IN_A_ROW - 1)
    await line.call()


@pytest.mark.parametrize("error", [CloudUnavailable("nothing left this process"), ZeroDivisionError()], ids=repr)
async def test_what_was_never_sent_says_nothing(error: Exception) -> None:
    line = Line()
    await line.fail(FAILURES_IN_A_ROW - 1)
    await line.fail(20, error)
    await line.fail(1)
    await line.is_refused()


async def test_after_the_rest_one_probe_goes_and_the_others_wait_for_it() -> None:
    line = Line()
    await line.fail(FAILURES_IN_A_ROW)
    line.clock.advance(timedelta(seconds=5))
    async with line.breaker.guard(is_deletion=False):
        refusals = [await line.is_refused() for _ in range(20)]
        assert {refusal.retry_after for refusal in refusals} == {timedelta(seconds=1)}
    await line.call()
    await line.call(is_deletion=True)


async def test_probes_that_fail_rest_longer_each_time_up_to_a_minute() -> None:
    line = Line()
    await line.fail(FAILURES_IN_A_ROW)
    rests = []
    for _ in range(7):
        rest = (await line.is_refused()).retry_after
        assert rest is not None
        rests.append(rest.total_seconds())
        line.clock.advance(rest)
        await line.fail(1)
    assert rests == [5, 10, 20, 40, 60, 60, 60]
    assert timedelta(seconds=60) == PROBE_BACKOFF.longest


async def test_outage_of_an_hour_costs_few_calls_and_ends_with_the_first_answer() -> None:
    line = Line()
    for _ in range(3600):
        line.clock.advance(timedelta(seconds=1))
        try:
            await line.call(DOWN)
        except (CircuitOpen, ServerFailure):
            continue
    assert line.sent <= FAILURES_IN_A_ROW + 4 + 60
    line.clock.advance(timedelta(seconds=60))
    await line.call()
    for _ in range(10):
        await line.call()


async def test_delete_is_never_the_probe() -> None:
    line = Line()
    await line.fail(FAILURES_IN_A_ROW)
    line.clock.advance(timedelta(seconds=3600))
    await line.is_refused(is_deletion=True)
    await line.call()
    await line.call(is_deletion=True)


async def test_failures_of_an_optional_operation_do_not_open_it_and_it_is_never_the_probe() -> None:
    line = Line()
    for _ in range(2 * FAILURES_IN_A_ROW):
        with pytest.raises(ServerFailure):
            await line.call(DOWN, is_optional=True)
    await line.fail(FAILURES_IN_A_ROW)
    line.clock.advance(PROBE_BACKOFF.longest)
    with pytest.raises(CircuitOpen):
        await line.call(is_optional=True)
    await line.call()
    await line.call(is_optional=True)


async def test_probe_that_is_cancelled_leaves_room_for_another() -> None:
    line = Line()
    await line.fail(FAILURES_IN_A_ROW)
    line.clock.advance(timedelta(seconds=5))

    async def hang() -> None:
        async with line.breaker.guard(is_deletion=False):
            await asyncio.Event().wait()

    probe = asyncio.create_task(hang())
    await asyncio.sleep(0)
    await line.is_refused()
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    await line.call()


async def test_calls_from_before_it_opened_make_the_rest_no_longer() -> None:
    line = Line()

    async def fail_late(gate: asyncio.Event) -> None:
        async with line.breaker.guard(is_deletion=False):
            await gate.wait()
            raise DOWN

    gate = asyncio.Event()
    late = [asyncio.create_task(fail_late(gate)) for _ in range(100)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*late, return_exceptions=True)
    assert (await line.is_refused()).retry_after == timedelta(seconds=5)
    line.clock.advance(timedelta(seconds=5))
    await line.call()


def test_each_account_has_a_circuit_of_its_own_and_one_created_again_a_new_one() -> None:
    breakers = CircuitBreakers(HandClock())
    account, other = an_account("a").build(), an_account("b").build()
    again = replace(account, metadata=replace(account.metadata, uid="another"))
    assert breakers.of(account) is breakers.of(account)
    assert breakers.of(account) is not breakers.of(other)
    assert breakers.of(again) is not breakers.of(account)
