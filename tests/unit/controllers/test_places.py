"""Of each resource pool only the first few in line prepare a DELETE; nobody is forgotten, and nobody jumps the line."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.controllers.deletion.places import Places

POOL, OTHER = ("r", "p", "pool-a"), ("r", "p", "pool-b")


def nobody() -> None:
    """A wake that nobody waits for."""


def test_the_first_few_have_a_place_and_the_others_stand_in_line() -> None:
    places = Places(at_once=2)
    assert [places.enter(POOL, uid, nobody) for uid in "abc"] == [True, True, False]
    assert places.enter(OTHER, "d", nobody)


def test_who_leaves_wakes_the_one_who_has_waited_longest() -> None:
    places, woken = Places(at_once=1), list[str]()
    for uid in "abc":
        places.enter(POOL, uid, partial(woken.append, uid))
    places.enter(POOL, "c", lambda: woken.append("c"))
    places.leave("a")
    assert woken == ["b"]
    assert places.enter(POOL, "b", nobody)
    assert not places.enter(POOL, "c", nobody)


def test_who_leaves_the_line_is_not_waited_for() -> None:
    places, woken = Places(at_once=1), list[str]()
    for uid in "abc":
        places.enter(POOL, uid, partial(woken.append, uid))
    places.leave("b")
    places.leave("a")
    assert woken == ["c"]


def test_another_resource_pool_is_another_line() -> None:
    places = Places(at_once=1)
    places.enter(POOL, "a", nobody)
    places.enter(POOL, "b", nobody)
    assert places.enter(OTHER, "b", nobody)
    places.leave("a")
    assert places.enter(POOL, "c", nobody)


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.booleans(), st.sampled_from([POOL, OTHER]))))
def test_whoever_is_in_line_gets_a_place_once_all_others_have_left(
    steps: list[tuple[str, bool, tuple[str, ...]]],
) -> None:
    places = Places(at_once=2)
    present: dict[str, tuple[str, ...]] = {}
    inside: set[str] = set()
    for uid, enters, key in steps:
        if enters:
            if present.get(uid, key) != key:
                inside.discard(uid)
            present[uid] = key
            if places.enter(key, uid, partial(inside.add, uid)):
                inside.add(uid)
        else:
            places.leave(uid)
            present.pop(uid, None)
            inside.discard(uid)
        for line in (POOL, OTHER):
            standing = [each for each, where in present.items() if where == line]
            assert sum(each in inside for each in standing) == min(2, len(standing))
    assert len(places) == len(present)
    for uid in present:
        places.leave(uid)
    assert len(places) == 0
