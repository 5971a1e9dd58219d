"""Versions of objects cross on their way to the registry: watches, LISTs and the answers to own writes."""

from typing import Any

import pytest

from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.watch.resync import kinds_of
from tests.support.builders import NodePoolBuilder, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.listening import Noting

OBJECT = a_node_pool().finalized()
UID = OBJECT.build().metadata.uid


@pytest.fixture
def clock() -> HandClock:
    return HandClock(seconds=100.0)


@pytest.fixture
def registry(clock: HandClock) -> Registry:
    return Registry(clock)


def version(number: int, builder: NodePoolBuilder = OBJECT) -> dict[str, Any]:
    body = builder.body()
    return body | {"metadata": body["metadata"] | {"resourceVersion": str(number)}}


def test_an_older_version_never_replaces_a_newer_one(registry: Registry) -> None:
    registry.take_node_pool(version(200, OBJECT.being_deleted()))
    answered = registry.take_node_pool(version(199))
    assert answered is registry.node_pools[UID]
    assert registry.node_pools[UID].metadata.deleted is not None


def test_versions_are_compared_as_numbers(registry: Registry) -> None:
    registry.take_node_pool(version(1000, OBJECT.being_deleted()))
    registry.take_node_pool(version(999))
    assert registry.node_pools[UID].metadata.resource_version == "1000"


def test_the_same_version_again_is_no_news(registry: Registry) -> None:
    noted = Noting()
    for number in (100, 100, 101, 100):
        registry.reporting_to(noted).take_node_pool(version(number))
    assert noted.node_pools == [UID, UID]


def test_the_answer_to_a_write_of_ours_is_told_apart_from_what_others_change(registry: Registry) -> None:
    noted = Noting()
    registry.reporting_to(noted).take_node_pool(version(100), is_written=True)
    registry.reporting_to(noted).take_node_pool(version(101))
    assert (noted.written, noted.node_pools) == ([UID], [UID])


def test_an_object_without_our_schema_is_left_alone_and_costs_the_others_nothing(registry: Registry) -> None:
    broken = version(1) | {"spec": {"poolName": 7}}
    assert registry.take_node_pool(broken) is None
    assert registry.take_node_pool({}) is None
    assert not registry.node_pools
    assert registry.take_node_pool(version(2)) is not None


def test_a_complete_list_ends_what_it_does_not_show(registry: Registry) -> None:
    noted = Noting()
    registry.take_node_pool(version(1))
    _, _, node_pools = kinds_of(registry.reporting_to(noted))
    assert node_pools.vanished([], begun=101.0) == [UID]
    node_pools.drop(UID)
    assert not registry.node_pools
    assert noted.node_pools == [UID]


@pytest.mark.parametrize(("uids", "listed_from"), [([UID], 101.0), ([], 100.0), ([], 99.0)])
def test_what_a_list_shows_or_is_younger_than_it_stays(registry: Registry, uids: list[str], listed_from: float) -> None:
    registry.take_node_pool(version(1))
    _, _, node_pools = kinds_of(registry)
    assert not node_pools.vanished(uids, listed_from)


def test_an_account_that_a_list_does_not_show_is_gone_and_a_younger_one_stays(
    registry: Registry, clock: HandClock
) -> None:
    registry.take_account(account("old"))
    clock.seconds = 200.0
    registry.take_account(account("new"))
    _, accounts, _ = kinds_of(registry)
    for uid in accounts.vanished([], begun=150.0):
        accounts.drop(uid)
    assert list(registry.accounts) == ["new"]


def test_the_end_of_an_account_does_not_end_the_one_created_again_under_its_name(registry: Registry) -> None:
    registry.take_account(account("default", uid="second"))
    registry.drop_account("default", "first")
    assert "default" in registry.accounts


def test_the_first_sight_of_a_deletion_counts(registry: Registry, clock: HandClock) -> None:
    registry.take_node_pool(version(1))
    clock.seconds = 150.0
    registry.take_node_pool(version(2, OBJECT.being_deleted()))
    clock.seconds = 175.0
    registry.take_node_pool(version(3, OBJECT.being_deleted().paused()))
    assert registry.deletion_seen[UID] == 150.0
    assert registry.first_seen[UID] == 100.0


def test_retain_seen_once_after_the_deletion_is_not_forgotten(registry: Registry) -> None:
    registry.take_node_pool(version(1, OBJECT.retained()))
    assert UID not in registry.retain_seen, "before the deletion it may be taken back"
    registry.take_node_pool(version(2, OBJECT.being_deleted().retained()))
    registry.take_node_pool(version(3, OBJECT.being_deleted()))
    assert UID in registry.retain_seen


def test_each_value_of_reconcile_at_counts_from_its_first_sight(registry: Registry, clock: HandClock) -> None:
    registry.take_node_pool(version(1, OBJECT.asked_to_reconcile("a")))
    clock.seconds = 150.0
    registry.take_node_pool(version(2, OBJECT.asked_to_reconcile("a").paused()))
    assert registry.reconcile_seen[UID] == ("a", 100.0)
    registry.take_node_pool(version(3, OBJECT.asked_to_reconcile("b")))
    assert registry.reconcile_seen[UID] == ("b", 150.0)


def test_objects_are_found_by_account_and_by_node_pool_until_they_are_gone(registry: Registry) -> None:
    other = a_node_pool("other").finalized().standing_for("training-a")
    registry.take_node_pool(version(1))
    registry.take_node_pool(version(1, other))
    assert len(registry.naming("default", "pool-a", "training-a")) == 2
    assert len(registry.of_account.of("default")) == 2
    registry.drop_node_pool(UID)
    assert [found.metadata.name for found in registry.naming("default", "pool-a", "training-a")] == ["other"]
    assert len(registry.of_account.of("default")) == 1


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
def test_a_version_that_is_no_news_is_not_even_read(registry: Registry, number: int) -> None:
    registry.take_node_pool(version(100))
    unreadable = version(number) | {"spec": "it would be complained about"}
    assert registry.take_node_pool(unreadable) is registry.node_pools[UID]
    assert registry.unreadable == {}
