"""Looks that take long come less often: cloud or process have too much to do."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.unit.polling.poller_stage import ACTIVE, BUSY, USUAL, Stage, running, turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with running() as stage:
        yield stage


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
    assert stage.answers.asked == stage.told == 2
    assert stage.poller.interval() == USUAL
