"""The work queue: no key is worked on twice at once, and none is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from modelarts_nodepool.controllers.workqueue import KeyedQueue

NOW, LATER = timedelta(), timedelta(hours=1)


class Work:
    """What was done, in order; each piece waits for `gate`."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.busy: list[str] = []
        self.most_busy = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: str) -> None:
        assert key not in self.busy, "worked on twice at once"
        self.busy.append(key)
        self.most_busy = max(self.most_busy, len(self.busy))
        await self.gate.wait()
        self.busy.remove(key)
        self.done.append(key)


@asynccontextmanager
async def running(work: Work, workers: int = 4) -> AsyncIterator[KeyedQueue]:
    queue = KeyedQueue(work, workers)
    task = asyncio.create_task(queue.run())
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def turns() -> None:
    """Let every task run until it waits."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_key_added_often_before_its_turn_is_worked_on_once() -> None:
    work = Work()
    async with running(work) as queue:
        for _ in range(5):
            queue.add("a")
        await turns()
    assert work.done == ["a"]


async def test_a_key_added_while_it_is_worked_on_is_worked_on_once_more() -> None:
    work = Work()
    async with running(work) as queue:
        work.gate.clear()
        queue.add("a")
        await turns()
        queue.add("a")
        queue.add("a")
        await turns()
        assert work.busy == ["a"]
        work.gate.set()
        await turns()
    assert work.done == ["a", "a"]


async def test_keys_are_worked_on_side_by_side_up_to_the_number_of_workers() -> None:
    work = Work()
    async with running(work, workers=3) as queue:
        work.gate.clear()
        for key in "abcdefgh":
            queue.add(key)
        await turns()
        assert work.busy == ["a", "b", "c"]
        work.gate.set()
        await turns()
    assert sorted(work.done) == list("abcdefgh")
    assert work.most_busy == 3


async def test_the_newest_delay_counts() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add_after("a", LATER)
        queue.add_after("a", NOW)
        queue.add_after("b", NOW)
        queue.add_after("b", LATER)
        await asyncio.sleep(0.01)
        await turns()
    assert work.done == ["a"]


async def test_a_delay_that_is_over_before_it_began_counts_as_none() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add_after("a", -LATER)
        await asyncio.sleep(0.01)
        await turns()
    assert work.done == ["a"]


async def test_a_timer_that_is_cancelled_brings_no_work() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add_after("a", NOW)
        queue.cancel_timer("a")
        await asyncio.sleep(0.01)
        await turns()
    assert not work.done


async def test_what_was_added_before_it_runs_is_not_forgotten() -> None:
    work = Work()
    queue = KeyedQueue(work, 1)
    queue.add("a")
    task = asyncio.create_task(queue.run())
    await turns()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert work.done == ["a"]


async def test_a_key_added_by_its_own_work_comes_again() -> None:
    done: list[str] = []

    async def work(key: str) -> None:
        done.append(key)
        if len(done) < 3:
            queue.add(key)

    queue = KeyedQueue(work, 2)
    queue.add("a")
    task = asyncio.create_task(queue.run())
    await turns()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert done == ["a", "a", "a"]
