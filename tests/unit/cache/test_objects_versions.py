"""Versions of objects cross on their way to the cache: watches, LISTs and the answers to own writes."""

from typing import Any

import pytest

from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.watch.resync import kinds_of
from tests.support.builders import NodePoolBuilder, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.listening import Noting

OBJECT = a_node_pool().finalized()
WRITTEN = OBJECT.pinned()
UID = OBJECT.build().metadata.uid


@pytest.fixture
def clock() -> HandClock:
    return HandClock(seconds=100.0)


@pytest.fixture
def cache(clock: HandClock) -> Cache:
    return Cache(clock)


def version(number: int, builder: NodePoolBuilder = OBJECT) -> dict[str, Any]:
    body = builder.body()
    return body | {"metadata": body["metadata"] | {"resourceVersion": str(number)}}


def test_an_older_version_never_replaces_a_newer_one(cache: Cache) -> None:
    cache.upsert_node_pool(version(200, OBJECT.being_deleted()))
    answered = cache.upsert_node_pool(version(199))
    assert answered is cache.node_pools[UID]
    assert cache.node_pools[UID].metadata.deleted is not None


def test_versions_are_compared_as_numbers(cache: Cache) -> None:
    cache.upsert_node_pool(version(1000, OBJECT.being_deleted()))
    cache.upsert_node_pool(version(999))
    assert cache.node_pools[UID].metadata.resource_version == "1000"


def test_the_same_version_again_is_no_news(cache: Cache) -> None:
    noted = Noting()
    for number in (100, 100, 101, 100):
        Cache(HandClock(), noted, cache.content).upsert_node_pool(version(number))
    assert noted.node_pools == [UID, UID]


def test_the_answer_to_a_write_of_ours_is_told_apart_from_what_others_change(cache: Cache) -> None:
    noted = Noting()
    Cache(HandClock(), noted, cache.content).upsert_node_pool(version(100), is_written=True)
    Cache(HandClock(), noted, cache.content).upsert_node_pool(version(101))
    assert (noted.written, noted.node_pools) == ([UID], [UID])


@pytest.mark.parametrize(
    ("shown", "is_own"),
    [
        (WRITTEN, True),
        (OBJECT, False),
        (OBJECT.pinned(workspace="1"), False),
        (WRITTEN.being_deleted(), False),
        (WRITTEN.paused(), False),
    ],
    ids=["as written", "unchanged", "another status", "deleted too", "annotated too"],
)
def test_the_watch_may_show_a_write_of_ours_before_its_answer(shown: NodePoolBuilder, *, is_own: bool) -> None:
    noted = Noting()
    cache = Cache(HandClock(), noted)
    cache.upsert_node_pool(version(100))
    noted.node_pools.clear()
    with cache.writing(UID, WRITTEN.build().status):
        cache.observe_node_pool(version(101, shown))
    assert (noted.written, noted.node_pools) == (([UID], []) if is_own else ([], [UID]))
    cache.observe_node_pool(version(102, OBJECT.pinned(workspace="1")))
    cache.observe_node_pool(version(103, WRITTEN))
    assert noted.node_pools[-2:] == [UID, UID], "nothing is being written any more"


def test_an_object_without_our_schema_is_left_alone_and_costs_the_others_nothing(cache: Cache) -> None:
    broken = version(1) | {"spec": {"poolName": 7}}
    assert cache.upsert_node_pool(broken) is None
    assert cache.upsert_node_pool({}) is None
    assert not cache.node_pools
    assert cache.upsert_node_pool(version(2)) is not None


def test_a_complete_list_ends_what_it_does_not_show(cache: Cache) -> None:
    noted = Noting()
    cache.upsert_node_pool(version(1))
    _, _, node_pools = kinds_of(Cache(HandClock(), noted, cache.content))
    assert node_pools.vanished([], begun=101.0) == [UID]
    node_pools.drop(UID)
    assert not cache.node_pools
    assert noted.node_pools == [UID]


@pytest.mark.parametrize(("uids", "listed_from"), [([UID], 101.0), ([], 100.0), ([], 99.0)])
def test_what_a_list_shows_or_is_younger_than_it_stays(cache: Cache, uids: list[str], listed_from: float) -> None:
    cache.upsert_node_pool(version(1))
    _, _, node_pools = kinds_of(cache)
    assert not node_pools.vanished(uids, listed_from)


def test_an_account_that_a_list_does_not_show_is_gone_and_a_younger_one_stays(cache: Cache, clock: HandClock) -> None:
    cache.upsert_account(account("old"))
    clock.seconds = 200.0
    cache.upsert_account(account("new"))
    _, accounts, _ = kinds_of(cache)
    for uid in accounts.vanished([], begun=150.0):
        accounts.drop(uid)
    assert list(cache.accounts) == ["new"]


def test_the_end_of_an_account_does_not_end_the_one_created_again_under_its_name(cache: Cache) -> None:
    cache.upsert_account(account("default", uid="second"))
    cache.drop_account("default", "first")
    assert "default" in cache.accounts


def test_the_first_sight_of_a_deletion_counts(cache: Cache, clock: HandClock) -> None:
    cache.upsert_node_pool(version(1))
    clock.seconds = 150.0
    cache.upsert_node_pool(version(2, OBJECT.being_deleted()))
    clock.seconds = 175.0
    cache.upsert_node_pool(version(3, OBJECT.being_deleted().paused()))
    assert cache.deletion_seen[UID] == 150.0
    assert cache.first_seen[UID] == 100.0


def test_retain_seen_once_after_the_deletion_is_not_forgotten(cache: Cache) -> None:
    cache.upsert_node_pool(version(1, OBJECT.retained()))
    assert UID not in cache.retain_seen, "before the deletion it may be taken back"
    cache.upsert_node_pool(version(2, OBJECT.being_deleted().retained()))
    cache.upsert_node_pool(version(3, OBJECT.being_deleted()))
    assert UID in cache.retain_seen


def test_each_value_of_reconcile_at_counts_from_its_first_sight(cache: Cache, clock: HandClock) -> None:
    cache.upsert_node_pool(version(1, OBJECT.asked_to_reconcile("a")))
    clock.seconds = 150.0
    cache.upsert_node_pool(version(2, OBJECT.asked_to_reconcile("a").paused()))
    assert cache.reconcile_seen[UID] == ("a", 100.0)
    cache.upsert_node_pool(version(3, OBJECT.asked_to_reconcile("b")))
    assert cache.reconcile_seen[UID] == ("b", 150.0)


def test_objects_are_found_by_account_and_by_node_pool_until_they_are_gone(cache: Cache) -> None:
    other = a_node_pool("other").finalized().standing_for("training-a")
    cache.upsert_node_pool(version(1))
    cache.upsert_node_pool(version(1, other))
    assert len(cache.naming("default", "pool-a", "training-a")) == 2
    assert len(cache.of_account.of("default")) == 2
    cache.drop_node_pool(UID)
    assert [found.metadata.name for found in cache.naming("default", "pool-a", "training-a")] == ["other"]
    assert len(cache.of_account.of("default")) == 1


def account(name: str, uid: str | None = None) -> dict[str, Any]:
    spec = an_account(name).build().spec
    metadata = {
        "uid": uid or f"uid-of-{name}",
        "name": name,
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-02T12:00:00Z",
    }
    return {"metadata": metadata, "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True)}


@pytest.mark.parametrize("number", [99, 100])
def test_a_version_that_is_no_news_is_not_even_read(cache: Cache, number: int) -> None:
    cache.upsert_node_pool(version(100))
    unreadable = version(number) | {"spec": "it would be complained about"}
    assert cache.upsert_node_pool(unreadable) is cache.node_pools[UID]
    assert cache.unreadable == {}
