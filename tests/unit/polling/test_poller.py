"""When a resource pool is polled, how often, and which callers share a snapshot."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from modelarts_nodepool.access.rate_limiter import Lane
from modelarts_nodepool.errors import NoAnswer
from modelarts_nodepool.polling import ACTIVE_FOR, FIRST_BACKOFF
from tests.support.builders import (
    a_listing,
    an_account,
    an_unreadable_node_pool,
)
from tests.unit.polling.poller_stage import ACTIVE, BUSY, CALM, USUAL, Stage, running, turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with running() as stage:
        yield stage


async def test_it_looks_at_once_and_then_once_an_interval(stage: Stage) -> None:
    assert stage.answers.asked == stage.notified == 1
    await stage.pass_time(USUAL - timedelta(seconds=1))
    assert stage.answers.asked == 1
    await stage.pass_time(timedelta(seconds=1))
    assert stage.answers.asked == stage.notified == 2


async def test_nodes_that_come_or_go_shorten_the_interval(stage: Stage) -> None:
    assert stage.poller.interval() == USUAL
    stage.answers.answer = BUSY
    await stage.pass_time(USUAL)
    assert stage.poller.interval() == ACTIVE
    stage.answers.answer = CALM
    await stage.pass_time(ACTIVE)
    assert stage.poller.interval() == USUAL


async def test_a_deletion_shortens_the_interval_before_the_cloud_shows_anything(stage: Stage) -> None:
    stage.is_deleting = True
    await stage.pass_time(timedelta())
    assert stage.poller.interval() == ACTIVE


async def test_after_half_an_hour_of_it_each_look_doubles_the_interval_up_to_the_usual_one(stage: Stage) -> None:
    stage.answers.answer = BUSY
    await stage.pass_time(USUAL)
    await stage.pass_time(ACTIVE_FOR - timedelta(seconds=1))
    assert stage.poller.interval() == ACTIVE
    seen = []
    for _ in range(8):
        await stage.pass_time(USUAL)
        seen.append(stage.poller.interval())
    assert seen == [ACTIVE * 2, ACTIVE * 4, ACTIVE * 8, ACTIVE * 16, ACTIVE * 32, USUAL, USUAL, USUAL]


async def test_calm_looks_end_the_doubling(stage: Stage) -> None:
    stage.answers.answer = BUSY
    await stage.pass_time(USUAL)
    await stage.pass_time(ACTIVE_FOR)
    stage.answers.answer = CALM
    await stage.pass_time(USUAL)
    stage.answers.answer = BUSY
    await stage.pass_time(USUAL)
    assert stage.poller.interval() == ACTIVE


async def test_an_active_interval_longer_than_the_usual_one_lengthens_nothing(stage: Stage) -> None:
    stage.account = an_account().polling(ACTIVE, USUAL).build()
    stage.is_deleting = True
    await stage.pass_time(timedelta())
    assert stage.poller.interval() == ACTIVE


async def test_a_look_that_began_too_early_is_not_the_answer(stage: Stage) -> None:
    stage.answers.gate.clear()
    await stage.pass_time(USUAL)
    began = stage.clock.monotonic()
    stage.clock.advance(timedelta(seconds=1))
    later = asyncio.create_task(stage.poller.fetch(stage.clock.monotonic()))
    same = asyncio.create_task(stage.poller.fetch(began))
    await turns()
    stage.answers.gate.set()
    await turns()
    assert (await same).begun == began
    assert (await later).begun == stage.clock.monotonic()
    assert stage.answers.asked == 3


async def test_many_that_ask_at_once_share_one_look(stage: Stage) -> None:
    stage.clock.advance(timedelta(seconds=1))
    asked = [asyncio.create_task(stage.poller.fetch(stage.clock.monotonic())) for _ in range(10)]
    await asyncio.gather(*asked)
    assert stage.answers.asked == 2


async def test_a_look_that_is_late_enough_already_answers_at_once(stage: Stage) -> None:
    begun = stage.clock.monotonic()
    stage.clock.advance(timedelta(seconds=1))
    assert (await stage.poller.fetch(begun)).value == CALM
    assert stage.answers.asked == 1


async def test_a_failed_look_is_told_and_what_was_good_stays(stage: Stage) -> None:
    stage.answers.answer = NoAnswer("nothing came back")
    await stage.pass_time(USUAL)
    assert stage.poller.latest is not None
    assert isinstance(stage.poller.latest.failure, NoAnswer)
    assert stage.poller.good is not None
    assert stage.poller.good.value == CALM
    assert stage.notified == 2


async def test_a_fault_of_ours_ends_no_poller_and_proves_nothing(stage: Stage) -> None:
    stage.answers.answer = ZeroDivisionError()
    await stage.pass_time(USUAL)
    assert stage.poller.latest is not None
    assert stage.poller.latest.value is None
    assert stage.poller.latest.failure is not None
    stage.answers.answer = CALM
    await stage.pass_time(USUAL + FIRST_BACKOFF)
    assert stage.poller.latest.value == CALM


async def test_unreadable_counts_are_as_old_as_the_last_readable_ones(stage: Stage) -> None:
    readable = stage.clock.monotonic()
    stage.answers.answer = a_listing(an_unreadable_node_pool())
    await stage.pass_time(USUAL)
    assert stage.poller.readable == {"training-a": readable}


async def test_nobody_who_needs_it_any_more_ends_it_and_answers_who_waits(stage: Stage) -> None:
    stage.answers.gate.clear()
    await stage.pass_time(USUAL)
    stage.clock.advance(timedelta(seconds=1))
    waiting = asyncio.create_task(stage.poller.fetch(stage.clock.monotonic()))
    await turns()
    stage.is_needed = False
    stage.answers.gate.set()
    found = await waiting
    assert found.value is None
    assert found.failure is not None
    await stage.task


async def test_regular_look_is_a_poll_and_one_that_a_deletion_asks_for_is_more_urgent(stage: Stage) -> None:
    await stage.pass_time(USUAL)
    assert stage.answers.lanes == [Lane.POLL, Lane.POLL]
    stage.clock.advance(timedelta(seconds=1))
    await stage.poller.fetch(stage.clock.monotonic())
    assert stage.answers.lanes[2:] == [Lane.READ]
    stage.is_deleting = True
    await stage.pass_time(ACTIVE)
    assert stage.answers.lanes[3:] == [Lane.READ]


async def test_look_that_waits_for_its_turn_becomes_urgent_and_answers_the_deletion_that_needs_it(
    stage: Stage,
) -> None:
    stage.answers.turn.clear()
    await stage.pass_time(USUAL)
    stage.clock.advance(timedelta(seconds=30))
    asked = stage.clock.monotonic()
    needed = asyncio.create_task(stage.poller.fetch(asked))
    await turns()
    assert stage.answers.urgencies[-1].lane is Lane.READ
    stage.clock.advance(timedelta(seconds=1))
    stage.answers.turn.set()
    assert (await needed).begun == asked + 1
    assert stage.answers.asked == 2, "the request that waited anyway, and not one more"


async def test_failed_look_is_repeated_after_a_pause_and_a_deletion_does_not_wait_for_that(stage: Stage) -> None:
    stage.answers.answer = NoAnswer("reset")
    await stage.pass_time(USUAL)
    assert stage.answers.asked == 2
    await stage.pass_time(USUAL)
    assert stage.answers.asked == 2
    await stage.pass_time(FIRST_BACKOFF)
    assert stage.answers.asked == 3
    stage.clock.advance(timedelta(seconds=1))
    await stage.poller.fetch(stage.clock.monotonic())
    assert stage.answers.asked == 4


async def test_a_look_is_overdue_from_when_it_should_have_begun_and_not_before(stage: Stage) -> None:
    await turns()
    assert stage.poller.overdue(stage.clock.monotonic() + USUAL.total_seconds()) == timedelta()
    assert stage.poller.overdue(stage.clock.monotonic() + USUAL.total_seconds() + 5) == timedelta(seconds=5)
    # One that waits for its answer has not begun later: what it waits for may be a limit.
    stage.answers.gate.clear()
    await stage.pass_time(USUAL)
    assert stage.answers.asked == 2
    assert stage.poller.overdue(stage.clock.monotonic() + 7) == timedelta(seconds=7)


async def test_looks_that_take_long_come_less_often_but_once_in_the_usual_interval(stage: Stage) -> None:
    stage.answers.answer = BUSY
    seen = []
    for took in (1.5, 40, 0.5):
        stage.answers.gate.clear()
        await stage.pass_time(USUAL)
        stage.clock.advance(timedelta(seconds=took))
        stage.answers.gate.set()
        await turns()
        seen.append(stage.poller.interval())
    assert seen == [timedelta(seconds=30), USUAL, ACTIVE]


async def test_looks_that_take_long_change_nothing_where_nothing_comes_or_goes(stage: Stage) -> None:
    stage.answers.gate.clear()
    await stage.pass_time(USUAL)
    stage.clock.advance(timedelta(seconds=50))
    stage.answers.gate.set()
    await turns()
    assert stage.answers.asked == stage.notified == 2
    assert stage.poller.interval() == USUAL
