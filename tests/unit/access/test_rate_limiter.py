"""Whose turn it is, shown by counts in virtual time: polls wait for deletions, never the other way round."""

import asyncio
from datetime import timedelta

import pytest

from modelarts_nodepool.access.rate_limiter import PAUSE_BACKOFF, POLL_TURN, Lane, Priority, RateLimiters
from modelarts_nodepool.errors import Throttled
from modelarts_nodepool.ports import AccessKey
from tests.support.virtual_time import VirtualClock, run_at_once
from tests.unit.access.rate_limiter_stage import MINUTE, Stage, staged, turns


@staged
async def test_backlog_of_polls_never_delays_a_delete(stage: Stage) -> None:
    for number in range(1000):
        stage.ask(f"poll {number}", Lane.POLL)
    await turns()
    assert len(stage.served) == 6, "as many as the burst holds without its reserve"
    await asyncio.sleep(5.05)
    before = len(stage.served)
    assert before == 6 + 5 * 10
    stage.ask("delete", Lane.DELETION)
    stage.ask("look", Lane.READ)
    await turns()
    assert stage.names[before:] == ["delete", "look"], "out of the reserve, at the same moment"


@staged
async def test_deletions_go_before_looks_and_looks_before_polls(stage: Stage) -> None:
    for name, lane in (("poll", Lane.POLL), ("look", Lane.READ), ("delete", Lane.DELETION)):
        for number in range(20):
            stage.ask(f"{name} {number}", lane)
    await turns()
    already = len(stage.served)
    await asyncio.sleep(10)
    waited = [name.partition(" ")[0] for name in stage.names[already:]]
    in_turns = ["poll"] + (POLL_TURN - 1) * ["look"]
    assert stage.names[:already] == [*(f"poll {number}" for number in range(6)), "look 0", "look 1"]
    assert waited == 20 * ["delete"] + 2 * in_turns + 12 * ["poll"]


@staged
async def test_those_of_one_lane_are_served_in_their_order(stage: Stage) -> None:
    for number in range(30):
        stage.ask(f"{number}", Lane.POLL)
    await asyncio.sleep(10)
    assert stage.names == [f"{number}" for number in range(30)]
    assert stage.served[-1][1] == pytest.approx(2.4, abs=0.01)


@staged
async def test_poll_that_a_deletion_comes_to_need_is_served_as_its_look(stage: Stage) -> None:
    priority = Priority(Lane.POLL)
    for number in range(100):
        stage.ask(f"poll {number}", Lane.POLL)
    stage.ask("needed", priority)
    await turns()
    priority.raise_to(Lane.READ)
    await turns()
    assert stage.names[-1] == "needed"
    assert len(stage.served) == 7
    priority.raise_to(Lane.POLL)
    assert priority.lane is Lane.READ


@staged
async def test_slot_that_was_not_used_serves_somebody_else(stage: Stage) -> None:
    slots = [await stage.ask(f"{number}", Lane.DELETION) for number in range(8)]
    stage.ask("next", Lane.DELETION)
    await turns()
    assert len(stage.served) == 8
    used, unused = slots[:2]
    assert used is not None
    assert unused is not None
    await used.use(turns())
    used.release()
    await turns()
    assert len(stage.served) == 8
    unused.release()
    unused.release()
    await turns()
    assert stage.served[-1] == ("next", 0)
    stage.ask("after", Lane.DELETION)
    await turns()
    assert len(stage.served) == 9


@staged
async def test_who_gives_up_waiting_leaves_no_hole(stage: Stage) -> None:
    waiting = [stage.ask(f"{number}", Lane.DELETION) for number in range(16)]
    await turns()
    for task in waiting[8:15]:
        task.cancel()
    await asyncio.sleep(0.1)
    assert stage.names[8:] == ["15"]


@staged
async def test_slot_that_comes_with_the_end_of_its_task_is_not_lost(stage: Stage) -> None:
    slots = [await stage.ask(f"{number}", Lane.DELETION) for number in range(8)]
    ending = stage.ask("ending", Lane.DELETION)
    stage.ask("next", Lane.DELETION)
    await turns()
    assert slots[0] is not None
    # Both in one turn of the loop: the slot is there, and the task never sees it.
    slots[0].release()
    ending.cancel()
    await turns()
    assert stage.served[8:] == [("next", 0)]


@staged
async def test_429_pauses_polls_for_as_long_as_it_asks_and_nothing_else(stage: Stage) -> None:
    for number in range(20):
        stage.ask(f"poll {number}", Lane.POLL)
    await turns()
    stage.limiter.on_throttled(Throttled("too many requests", status=429, retry_after=timedelta(seconds=30)))
    await turns()
    assert len(stage.served) + len(stage.refused) == 20, "those that wait are told at once"
    assert stage.left() == 30
    assert "too many requests. Polls with this access key pause; no request was sent" in stage.refused[0].message
    await asyncio.sleep(29)
    stage.ask("early", Lane.POLL)
    stage.ask("delete", Lane.DELETION)
    stage.ask("look", Lane.READ)
    await turns()
    assert stage.names[-2:] == ["delete", "look"]
    assert stage.left() == 1
    await asyncio.sleep(1.1)
    stage.ask("late", Lane.POLL)
    await turns()
    assert stage.names[-1] == "late"


async def pause_of(stage: Stage, retry_after: timedelta | None) -> float:
    """How long polls rest after a 429 that comes once the pause before is over."""
    stage.limiter.on_throttled(Throttled("no", status=429, retry_after=retry_after))
    refused = len(stage.refused)
    await stage.ask("poll", Lane.POLL)
    if len(stage.refused) == refused:
        return 0.0
    left = (stage.refused[-1].retry_after or timedelta()).total_seconds()
    await asyncio.sleep(left + 0.001)
    return round(left, 1)


@staged
async def test_without_a_time_to_wait_the_pause_doubles_up_to_a_minute(stage: Stage) -> None:
    assert [await pause_of(stage, None) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    stage.limiter.on_answer()
    assert await pause_of(stage, None) == 1


@staged
async def test_zero_or_past_times_to_wait_do_not_make_anything_spin(stage: Stage) -> None:
    assert [await pause_of(stage, timedelta(0)) for _ in range(3)] == [1, 2, 4]
    assert await pause_of(stage, timedelta(milliseconds=1)) == 1


@staged
async def test_many_429_at_once_are_one(stage: Stage) -> None:
    for _ in range(50):
        stage.limiter.on_throttled(Throttled("no", status=429))
    await stage.ask("poll", Lane.POLL)
    assert stage.left() == 1


@staged
async def test_shorter_pause_does_not_end_a_longer_one(stage: Stage) -> None:
    stage.limiter.on_throttled(Throttled("no", status=429, retry_after=PAUSE_BACKOFF.longest * 5))
    stage.limiter.on_throttled(Throttled("no", status=429, retry_after=timedelta(seconds=1)))
    stage.limiter.on_answer()
    await stage.ask("poll", Lane.POLL)
    assert stage.left() == 300


@staged
async def test_429_slows_down_deletions_too_but_does_not_stop_them(stage: Stage) -> None:
    for number in range(8):
        stage.ask(f"{number}", Lane.DELETION)
    await turns()
    stage.limiter.on_throttled(Throttled("no", status=429, retry_after=MINUTE))
    for number in range(100):
        stage.ask(f"later {number}", Lane.DELETION)
    await asyncio.sleep(1)
    assert 8 + 5 <= len(stage.served) <= 8 + 6


def test_accounts_with_one_access_key_share_its_limiter() -> None:
    async def scene() -> None:
        limiters = RateLimiters(VirtualClock(), rate=1, burst=1)
        one = limiters.of(AccessKey("AK", "secret"))
        assert limiters.of(AccessKey("AK", "another-secret-key", "token")) is one
        assert limiters.of(AccessKey("BK", "secret")) is not one

    run_at_once(scene)
