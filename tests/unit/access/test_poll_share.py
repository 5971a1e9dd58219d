"""Polls go on while deletions use all there is, and no DELETE waits for them."""

import asyncio

from modelarts_nodepool.access.rate_limiter import POLL_TURN, Lane
from modelarts_nodepool.errors import Throttled
from tests.unit.access.rate_limiter_stage import MINUTE, Stage, staged


@staged
async def test_polls_have_every_tenth_slot_while_looks_take_all_they_can(stage: Stage) -> None:
    await stage.crowd(400)
    await asyncio.sleep(30)
    polls = [place for place, name in enumerate(stage.names) if name.startswith("poll")]
    assert len(stage.names) == 300
    assert polls == list(range(POLL_TURN - 1, 300, POLL_TURN))


@staged
async def test_no_deletion_waits_for_the_share_of_the_polls(stage: Stage) -> None:
    await stage.crowd(400)
    waited = []
    for number in range(100):
        await asyncio.sleep(0.17)
        asked = stage.clock.monotonic()
        await stage.ask(f"delete {number}", Lane.DELETION)
        waited.append(stage.clock.monotonic() - asked)
    # The next slot that there is, at ten a second.
    assert max(waited) <= 0.1 + 0.001
    assert sum(name.startswith("poll") for name in stage.names) >= len(stage.names) // POLL_TURN - 1


@staged
async def test_a_crowd_of_deletions_goes_before_the_polls_whose_turn_it_is(stage: Stage) -> None:
    await stage.crowd(400)
    # Nine looks have passed the polls by: the next slot would be a poll's.
    await asyncio.sleep(0.95)
    assert len(stage.names) == POLL_TURN - 1
    for number in range(30):
        stage.ask(f"delete {number}", Lane.DELETION)
    await asyncio.sleep(3.1)
    assert [name.partition(" ")[0] for name in stage.names[POLL_TURN - 1 :]] == 30 * ["delete"] + ["poll"]


@staged
async def test_a_pause_leaves_polls_no_share(stage: Stage) -> None:
    stage.limiter.on_throttled(Throttled("too many", retry_after=MINUTE))
    for number in range(200):
        stage.ask(f"look {number}", Lane.READ)
        stage.ask(f"poll {number}", Lane.POLL)
    await asyncio.sleep(30)
    assert not any(name.startswith("poll") for name in stage.names)
    assert len(stage.refused) == 200
