"""What cannot be read is kept apart from what can, and the newest version counts."""

import pytest

from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.watch.resync import kinds_of
from tests.support.clocks import HandClock
from tests.support.listening import Noting
from tests.unit.controllers.unreadable_stage import DELETING, a_strange, later


def test_an_object_that_is_no_longer_readable_is_no_twin_and_no_work_of_others() -> None:
    registry = Registry(HandClock())
    body = DELETING.pinned().body()
    uid = body["metadata"]["uid"]
    registry.tell_node_pool(body)
    registry.tell_node_pool(later(a_strange(DELETING), "200"))
    assert uid not in registry.node_pools
    assert not registry.naming("default", "pool-a", "training-a")
    assert registry.is_used("default")
    # Older news of either kind change nothing.
    assert registry.take_node_pool(body) is None
    registry.take_node_pool(later(a_strange(), "150"))
    assert registry.unreadable[uid].metadata.resource_version == "200"
    assert uid in kinds_of(registry)[2].kept()
    assert uid not in kinds_of(registry)[1].kept()
    assert registry.take_node_pool(later(body, "300")) is not None
    assert uid not in registry.unreadable
    registry.take_node_pool(later(a_strange(), "250"))
    assert uid in registry.node_pools
    registry.drop_node_pool(uid)
    assert not registry.is_used("default")


def test_one_that_vanishes_leaves_nothing_behind() -> None:
    registry = Registry(HandClock())
    body = a_strange(DELETING)
    uid = body["metadata"]["uid"]
    registry.take_node_pool(DELETING.body())
    registry.take_node_pool(later(body, "200"))
    noted = Noting(lambda _: pytest.fail("nobody knows whether that is a leak"))
    registry.reporting_to(noted).drop_node_pool(uid)
    assert noted.node_pools == [uid]
    assert not registry.unreadable
    assert uid not in registry.first_seen
    assert uid not in registry.deletion_seen
    assert not registry.is_used("default")


def test_without_readable_metadata_nothing_is_kept() -> None:
    registry = Registry(HandClock())
    registry.take_node_pool({"metadata": {"uid": "one"}, "spec": {}})
    assert not registry.unreadable
