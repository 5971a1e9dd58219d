import pytest

from modelarts_nodepool.cache import objects as module
from modelarts_nodepool.cache.objects import Cache
from tests.support.builders import a_node_pool
from tests.support.clocks import HandClock
from tests.support.listening import Noting


@pytest.fixture
def cache() -> Cache:
    return Cache(HandClock())


def test_an_object_that_is_gone_does_not_come_back_by_a_watch_that_lags(cache: Cache) -> None:
    body = a_node_pool().finalized().body()
    uid = body["metadata"]["uid"]
    cache.upsert_node_pool(body)
    cache.drop_node_pool(uid)
    assert cache.upsert_node_pool(body) is None
    assert uid not in cache.node_pools
    assert len(cache.of_node_pool) == 0


def test_an_object_that_was_gone_before_it_was_ever_seen_is_not_taken(cache: Cache) -> None:
    body = a_node_pool().finalized().body()
    cache.drop_node_pool(body["metadata"]["uid"])
    assert cache.upsert_node_pool(body) is None


def test_an_object_created_again_under_the_same_name_is_taken(cache: Cache) -> None:
    body = a_node_pool().finalized().body()
    cache.upsert_node_pool(body)
    cache.drop_node_pool(body["metadata"]["uid"])
    again = body | {"metadata": body["metadata"] | {"uid": "another"}}
    assert cache.upsert_node_pool(again) is not None


def test_so_many_that_are_gone_are_remembered_and_no_more(cache: Cache) -> None:
    body = a_node_pool().finalized().body()
    cache.drop_node_pool(body["metadata"]["uid"])
    for number in range(module.GONE_REMEMBERED):
        cache.drop_node_pool(f"other-{number}")
    assert cache.upsert_node_pool(body) is not None


def test_a_deletion_that_an_answer_told_counts_as_told_only_with_the_watch(cache: Cache) -> None:
    body = a_node_pool().finalized().being_deleted().body()
    uid = body["metadata"]["uid"]
    noted = Noting()
    cache = Cache(HandClock(), noted, cache.content)
    cache.upsert_node_pool(body)
    assert uid not in cache.deletion_observed
    cache.observe_node_pool(body)
    assert uid in cache.deletion_observed
    # Nothing has changed but this: whoever waits for it hears of it, once.
    cache.observe_node_pool(body)
    assert noted.node_pools == [uid, uid]


def test_what_an_older_version_tells_of_a_living_object_is_no_deletion(cache: Cache) -> None:
    body = a_node_pool().finalized().being_deleted().body()
    cache.upsert_node_pool(body | {"metadata": body["metadata"] | {"resourceVersion": "200"}})
    cache.observe_node_pool(a_node_pool().finalized().body())
    assert cache.deletion_observed == set()


def test_the_deletion_of_an_object_that_is_gone_is_forgotten(cache: Cache) -> None:
    body = a_node_pool().finalized().being_deleted().body()
    cache.observe_node_pool(body)
    cache.drop_node_pool(body["metadata"]["uid"])
    cache.observe_node_pool(body)
    assert cache.deletion_observed == set()
