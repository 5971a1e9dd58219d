"""A look is shared by all who asked before it began, and by nobody for whom it is too old."""

import asyncio

import pytest

from modelarts_nodepool.controllers.workqueue import KEPT_SECONDS, SingleFlight
from modelarts_nodepool.decide.observed import Evidence


class Asked:
    """Counts looks; each begins at `now` and lasts until `answer` is set."""

    def __init__(self) -> None:
        self.now, self.times, self.answer = 0.0, 0, asyncio.Event()

    async def __call__(self) -> Evidence[int]:
        self.times += 1
        begun, number = self.now, self.times
        await self.answer.wait()
        return Evidence(begun, value=number)


async def test_who_asks_while_a_look_is_under_way_shares_the_next_one() -> None:
    shared, asked = SingleFlight(), Asked()
    first = asyncio.create_task(shared.get(("crd",), 0.0, asked))
    await asyncio.sleep(0)
    asked.now = 1.0
    later = [asyncio.create_task(shared.get(("crd",), 1.0, asked)) for _ in range(50)]
    asked.answer.set()
    assert (await first).value == 1
    assert {(await look).value for look in later} == {2}


async def test_a_look_that_began_too_early_is_made_again() -> None:
    shared, asked = SingleFlight(), Asked()
    asked.answer.set()
    await shared.get(("crd",), 0.0, asked)
    asked.now = 2.0
    assert (await shared.get(("crd",), 0.0, asked)).begun == 0.0
    assert (await shared.get(("crd",), 0.5, asked)).begun == 2.0


async def test_other_questions_have_other_answers() -> None:
    shared, asked = SingleFlight(), Asked()
    asked.answer.set()
    answers = [await shared.get((name,), 0.0, asked) for name in ("crd", "namespace")]
    assert [answer.value for answer in answers] == [1, 2]


async def test_a_cancelled_look_leaves_the_others_their_own() -> None:
    shared, asked = SingleFlight(), Asked()
    first = asyncio.create_task(shared.get(("crd",), 0.0, asked))
    await asyncio.sleep(0)
    second = asyncio.create_task(shared.get(("crd",), 0.0, asked))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    asked.answer.set()
    assert (await second).value == 2


async def test_old_answers_are_forgotten() -> None:
    shared, asked = SingleFlight(), Asked()
    asked.answer.set()
    for number in range(100):
        asked.now = number * KEPT_SECONDS
        await shared.get((f"namespace-{number}",), asked.now, asked)
    assert len(shared) == 2
