"""Of each resource pool only a few deletions prepare a DELETE at once; none is forgotten, and none jumps the queue."""

from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.controllers.workqueue import GroupLimit

POOL, OTHER = ("r", "p", "pool-a"), ("r", "p", "pool-b")


def a_limit(at_once: int) -> tuple[GroupLimit, list[str]]:
    requeued: list[str] = []
    return GroupLimit(at_once, requeued.append), requeued


def test_the_first_few_are_admitted_and_the_others_wait() -> None:
    limit, _ = a_limit(2)
    assert [limit.acquire(POOL, uid) for uid in "abc"] == [True, True, False]
    assert limit.acquire(OTHER, "d")


def test_a_release_requeues_the_one_that_has_waited_longest() -> None:
    limit, requeued = a_limit(1)
    for uid in "abc":
        limit.acquire(POOL, uid)
    limit.acquire(POOL, "c")
    limit.release("a")
    assert requeued == ["b"]
    assert limit.acquire(POOL, "b")
    assert not limit.acquire(POOL, "c")


def test_one_that_no_longer_waits_is_passed_over() -> None:
    limit, requeued = a_limit(1)
    for uid in "abc":
        limit.acquire(POOL, uid)
    limit.release("b")
    limit.release("a")
    assert requeued == ["c"]


def test_another_resource_pool_is_another_group() -> None:
    limit, _ = a_limit(1)
    limit.acquire(POOL, "a")
    limit.acquire(POOL, "b")
    assert limit.acquire(OTHER, "b")
    limit.release("a")
    assert limit.acquire(POOL, "c")


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.booleans(), st.sampled_from([POOL, OTHER]))))
def test_each_that_waits_is_admitted_when_all_others_have_left(
    steps: list[tuple[str, bool, tuple[str, ...]]],
) -> None:
    present: dict[str, tuple[str, ...]] = {}
    inside: set[str] = set()
    limit = GroupLimit(2, inside.add)
    for uid, enters, key in steps:
        if enters:
            if present.get(uid, key) != key:
                inside.discard(uid)
            present[uid] = key
            if limit.acquire(key, uid):
                inside.add(uid)
        else:
            limit.release(uid)
            present.pop(uid, None)
            inside.discard(uid)
        for group in (POOL, OTHER):
            waiting = [each for each, where in present.items() if where == group]
            assert sum(each in inside for each in waiting) == min(2, len(waiting))
    assert len(limit) == len(present)
    for uid in present:
        limit.release(uid)
    assert len(limit) == 0
