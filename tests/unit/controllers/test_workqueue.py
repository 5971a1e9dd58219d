"""The work queue: no key is worked on twice at once, and none is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise

import pytest

from modelarts_nodepool.controllers.workqueue import (
    AGAIN,
    FIRST_BACKOFF,
    LONGEST_BACKOFF,
    Key,
    KeyedLocks,
    Kind,
    Lane,
    Outcome,
    Result,
    Workqueue,
)
from modelarts_nodepool.errors import ClusterUnavailable
from tests.support.memory import sizes_in
from tests.support.virtual_time import run_at_once

SOON, LATER = timedelta(milliseconds=5), timedelta(hours=1)


def key(name: str, kind: Kind = Kind.NODE_POOL) -> Key:
    return Key(kind, name)


def one_lane(workers: int | None = 4) -> Workqueue:
    return Workqueue(lambda _: Lane("all", workers))


class Work:
    """What was done, in order; each piece waits for `gate`."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.busy: list[str] = []
        self.most_busy = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: Key) -> Result:
        assert key.name not in self.busy, "worked on twice at once"
        self.busy.append(key.name)
        self.most_busy = max(self.most_busy, len(self.busy))
        await self.gate.wait()
        self.busy.remove(key.name)
        self.done.append(key.name)
        return Result()


@asynccontextmanager
async def running(work: Work, workers: int | None = 4) -> AsyncIterator[Workqueue]:
    queue = one_lane(workers)
    task = asyncio.create_task(queue.run(work))
    await asyncio.sleep(0)
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
            queue.add(key("a"))
        await turns()
    assert work.done == ["a"]


async def test_a_key_added_while_it_is_worked_on_is_worked_on_once_more() -> None:
    work = Work()
    async with running(work) as queue:
        work.gate.clear()
        queue.add(key("a"))
        await turns()
        queue.add(key("a"))
        queue.add(key("a"))
        await turns()
        assert work.busy == ["a"]
        work.gate.set()
        await turns()
    assert work.done == ["a", "a"]


async def test_keys_are_worked_on_side_by_side_up_to_the_number_of_workers() -> None:
    work = Work()
    async with running(work, workers=3) as queue:
        work.gate.clear()
        for name in "abcdefgh":
            queue.add(key(name))
        await turns()
        assert work.busy == ["a", "b", "c"]
        work.gate.set()
        await turns()
    assert sorted(work.done) == list("abcdefgh")
    assert work.most_busy == 3


async def test_the_earliest_delay_counts() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add_after(key("a"), LATER)
        queue.add_after(key("a"), SOON)
        queue.add_after(key("b"), SOON)
        queue.add_after(key("b"), LATER)
        queue.add_after(key("c"), LATER)
        await asyncio.sleep(0.05)
        await turns()
    assert sorted(work.done) == ["a", "b"]


async def test_a_key_that_is_reconciled_before_its_time_is_not_reconciled_again_then() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add_after(key("a"), SOON)
        queue.add(key("a"))
        await asyncio.sleep(0.05)
        await turns()
        assert not queue.has(key("a"))
    assert work.done == ["a"]


async def test_a_delay_that_is_over_before_it_began_counts_as_none() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add_after(key("a"), -LATER)
        await asyncio.sleep(0.01)
        await turns()
    assert work.done == ["a"]


async def test_a_key_that_is_forgotten_is_not_reconciled_later() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add_after(key("a"), SOON)
        queue.forget(key("a"))
        await asyncio.sleep(0.01)
        await turns()
    assert not work.done


async def test_what_was_added_before_it_runs_is_not_forgotten() -> None:
    work = Work()
    queue = one_lane(1)
    queue.add(key("a"))
    task = asyncio.create_task(queue.run(work))
    await turns()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert work.done == ["a"]


async def test_a_key_added_by_its_own_work_comes_again() -> None:
    done: list[str] = []
    queue = one_lane()

    async def work(key: Key) -> Result:
        done.append(key.name)
        if len(done) < 3:
            queue.add(key)
        return Result()

    queue.add(key("a"))
    task = asyncio.create_task(queue.run(work))
    await turns()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert done == ["a", "a", "a"]


async def test_a_deletion_does_not_wait_behind_objects_that_live_not_even_one_that_waits_already() -> None:
    deleted: set[str] = set()
    work = Work()
    queue = Workqueue(lambda key: Lane("deletion") if key.name in deleted else Lane("living", 1))
    task = asyncio.create_task(queue.run(work))
    await asyncio.sleep(0)
    work.gate.clear()
    for name in "abc":
        queue.add(key(name))
    await turns()
    assert work.busy == ["a"]
    deleted.add("c")
    queue.add(key("c"))
    await turns()
    assert work.busy == ["a", "c"]
    work.gate.set()
    await turns()
    assert work.done == ["a", "c", "b"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_lane_without_a_limit_reconciles_all_its_keys_at_once_and_keeps_no_worker_afterwards() -> None:
    work = Work()
    async with running(work, workers=None) as queue:
        before = len(asyncio.all_tasks())
        work.gate.clear()
        for number in range(500):
            queue.add(key(f"{number}"))
        await turns()
        assert len(work.busy) == 500
        work.gate.set()
        await turns()
        assert len(asyncio.all_tasks()) == before
    assert len(work.done) == 500


def test_a_result_says_when_the_key_is_reconciled_again() -> None:
    async def main() -> None:
        times: list[float] = []
        results = iter([Result(AGAIN), Result(timedelta(minutes=5)), Result()])

        async def work(_: Key) -> Result:
            times.append(asyncio.get_running_loop().time())
            return next(results)

        queue = one_lane()
        task = asyncio.create_task(queue.run(work))
        queue.add(key("a"))
        await asyncio.sleep(3600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [round(later - earlier) for earlier, later in pairwise(times)] == [0, 300]

    run_at_once(main)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(KeyError("a bug"), Outcome.FAILED), (ClusterUnavailable("503"), Outcome.UNAVAILABLE)],
    ids=["a bug", "the API server"],
)
def test_a_key_whose_reconcile_raises_is_tried_again_with_longer_and_longer_pauses_until_it_succeeds(
    error: Exception, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        times: list[float] = []
        outcomes: list[Outcome] = []
        is_repaired = asyncio.Event()

        async def work(_: Key) -> Result:
            times.append(asyncio.get_running_loop().time())
            if not is_repaired.is_set():
                raise error
            return Result(LATER)

        queue = one_lane()
        task = asyncio.create_task(queue.run(work, lambda _key, result, _seconds: outcomes.append(result.outcome)))
        queue.add(key("a"))
        await asyncio.sleep(600)
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert [round(pause) for pause in pauses[:7]] == [1, 2, 4, 8, 16, 32, 60]
        assert max(pauses) <= LONGEST_BACKOFF.total_seconds() + 0.1
        assert set(outcomes) == {outcome}
        is_repaired.set()
        await asyncio.sleep(61)
        assert outcomes[-1] is Outcome.DONE
        is_repaired.clear()
        times.clear()
        queue.add(key("a"))
        await asyncio.sleep(FIRST_BACKOFF.total_seconds() * 1.5)
        assert len(times) == 2, "after a success the pauses begin anew"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level("ERROR"):
        run_at_once(main)
    assert bool(caplog.records) is (outcome is Outcome.FAILED)


def test_a_step_on_the_way_does_not_end_the_backoff() -> None:
    async def main() -> None:
        times: list[float] = []
        steps = 0

        async def work(_: Key) -> Result:
            nonlocal steps
            steps += 1
            if steps % 2:
                return Result(AGAIN)
            times.append(asyncio.get_running_loop().time())
            raise KeyError("a bug behind a step that works")

        queue = one_lane()
        task = asyncio.create_task(queue.run(work))
        queue.add(key("a"))
        await asyncio.sleep(20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(times) == 5

    run_at_once(main)


async def test_news_during_a_backoff_is_reconciled_at_once() -> None:
    tries = 0

    async def work(_: Key) -> Result:
        nonlocal tries
        tries += 1
        raise KeyError("a bug")

    queue = one_lane()
    task = asyncio.create_task(queue.run(work))
    queue.add(key("a"))
    await turns()
    queue.add(key("a"))
    await turns()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert tries == 2


async def test_when_it_ends_it_cancels_what_is_in_progress_and_takes_no_more() -> None:
    work = Work()
    queue = one_lane()
    task = asyncio.create_task(queue.run(work))
    work.gate.clear()
    queue.add(key("a"))
    queue.add_after(key("b"), SOON)
    await turns()
    assert work.busy == ["a"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    queue.add(key("c"))
    queue.add_after(key("d"), SOON)
    await asyncio.sleep(0.05)
    await turns()
    assert not work.done
    assert work.busy == ["a"], "cancelled while it waited, and nothing else began"


async def test_keys_of_two_kinds_with_one_name_are_two_keys() -> None:
    work: list[Key] = []

    async def reconcile(key: Key) -> Result:
        work.append(key)
        return Result()

    queue = one_lane()
    queue.add(key("a"))
    queue.add(key("a", Kind.ACCOUNT))
    task = asyncio.create_task(queue.run(reconcile))
    await turns()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(each.kind for each in work) == sorted([Kind.NODE_POOL, Kind.ACCOUNT])


async def test_nothing_is_kept_of_ten_thousand_keys_that_were_reconciled() -> None:
    work = Work()
    async with running(work, workers=8) as queue:
        for number in range(10_000):
            queue.add(key(f"{number}"))
        while len(work.done) < 10_000:  # noqa: ASYNC110 - turns of the loop
            await asyncio.sleep(0)
        await turns()
        assert {path: size for path, size in sizes_in(queue=queue).items() if size > 1} == {}


async def test_locks_are_kept_while_a_task_holds_one_or_waits_for_one() -> None:
    locks, order, has_begun = KeyedLocks(), list[str](), asyncio.Event()

    async def first() -> None:
        async with locks.of("region", "pool-a"):
            has_begun.set()
            await asyncio.sleep(0.01)
            order.append("first")

    async def second() -> None:
        await has_begun.wait()
        async with locks.of("region", "pool-a"):
            order.append("second")

    await asyncio.gather(first(), second())
    assert order == ["first", "second"]
    for number in range(5_000):
        async with locks.of("region", f"pool-{number}"):
            assert len(locks) == 1
    assert len(locks) == 0
