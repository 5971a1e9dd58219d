"""What cannot be read is kept apart from what can, and the newest version counts."""

import pytest

from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.watch.resync import kinds_of
from tests.support.clocks import HandClock
from tests.support.listening import Noting
from tests.unit.controllers.unreadable_stage import DELETING, a_strange, later


def test_an_object_that_is_no_longer_readable_is_no_twin_and_no_work_of_others() -> None:
    cache = Cache(HandClock())
    body = DELETING.pinned().body()
    uid = body["metadata"]["uid"]
    cache.observe_node_pool(body)
    cache.observe_node_pool(later(a_strange(DELETING), "200"))
    assert uid not in cache.node_pools
    assert not cache.naming("default", "pool-a", "training-a")
    assert cache.is_used("default")
    # Older news of either kind change nothing.
    assert cache.upsert_node_pool(body) is None
    cache.upsert_node_pool(later(a_strange(), "150"))
    assert cache.unreadable[uid].metadata.resource_version == "200"
    assert uid in kinds_of(cache)[2].kept()
    assert uid not in kinds_of(cache)[1].kept()
    assert cache.upsert_node_pool(later(body, "300")) is not None
    assert uid not in cache.unreadable
    cache.upsert_node_pool(later(a_strange(), "250"))
    assert uid in cache.node_pools
    cache.drop_node_pool(uid)
    assert not cache.is_used("default")


def test_one_that_vanishes_leaves_nothing_behind() -> None:
    cache = Cache(HandClock())
    body = a_strange(DELETING)
    uid = body["metadata"]["uid"]
    cache.upsert_node_pool(DELETING.body())
    cache.upsert_node_pool(later(body, "200"))
    noted = Noting(lambda _: pytest.fail("nobody knows whether that is a leak"))
    Cache(HandClock(), noted, cache.content).drop_node_pool(uid)
    assert noted.node_pools == [uid]
    assert not cache.unreadable
    assert uid not in cache.first_seen
    assert uid not in cache.deletion_seen
    assert not cache.is_used("default")


def test_without_readable_metadata_nothing_is_kept() -> None:
    cache = Cache(HandClock())
    cache.upsert_node_pool({"metadata": {"uid": "one"}, "spec": {}})
    assert not cache.unreadable
