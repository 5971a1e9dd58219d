"""Signatures that fail because a clock is off: as few calls as with a wrong key, and over as soon as it is set."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from modelarts_nodepool.access.gateway import REJECTED_FOR
from modelarts_nodepool.errors import ClockSkew
from tests.unit.access.session_stage import ACCOUNT, EVERY, Stage

SKEWED = ClockSkew("The server's clock says another time. Set the clock", status=401, code="APIG.0301")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.look()
    stage.cloud.failure = SKEWED
    yield stage
    await stage.clouds.aclose()


async def is_skewed(stage: Stage) -> str:
    with pytest.raises(ClockSkew) as caught:
        await stage.look()
    return str(caught.value)


async def test_key_rests_while_the_clock_is_off_so_that_it_is_not_locked(stage: Stage) -> None:
    first = await is_skewed(stage)
    assert "nothing is signed for five minutes or until the clock is set" in first
    calls = len(stage.cloud.calls)
    for _ in range(20):
        stage.clock.advance(EVERY)
        assert await is_skewed(stage) == first
        with pytest.raises(ClockSkew):
            await stage.clouds.acquire_slot(ACCOUNT)
    assert len(stage.cloud.calls) == calls


@pytest.mark.parametrize("minutes", [-20, 20, 600])
async def test_clock_that_is_set_is_tried_at_once(stage: Stage, minutes: int) -> None:
    await is_skewed(stage)
    stage.clock.set_ahead(timedelta(minutes=minutes))
    stage.cloud.failure = None
    await stage.look()
    await stage.clouds.acquire_slot(ACCOUNT)


async def test_clock_that_runs_a_little_unevenly_was_not_set(stage: Stage) -> None:
    await is_skewed(stage)
    stage.clock.set_ahead(timedelta(seconds=30))
    stage.cloud.failure = None
    await is_skewed(stage)


async def test_clock_of_the_server_that_is_set_is_seen_by_one_probe_after_five_minutes(stage: Stage) -> None:
    await is_skewed(stage)
    stage.clock.advance(REJECTED_FOR)
    await is_skewed(stage)
    stage.cloud.failure = None
    stage.clock.advance(REJECTED_FOR / 2)
    await is_skewed(stage)
    stage.clock.advance(REJECTED_FOR / 2)
    await stage.look()


async def test_another_key_is_used_at_once(stage: Stage) -> None:
    await is_skewed(stage)
    stage.secrets.secret_key = stage.cloud.right = "another-key"
    stage.cloud.failure = None
    stage.clock.advance(EVERY)
    await stage.look()
