"""Resyncs of a cache that missed something; the test controls the cluster and the workers."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from modelarts_nodepool import metrics
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.kube import paths
from modelarts_nodepool.watch.resync import Repair, Resync
from tests.support.builders import NodePoolBuilder, a_node_pool, an_account
from tests.support.clocks import TickingClock

T = TypeVar("T")
Body = Mapping[str, Any]
OBJECT = a_node_pool().finalized()
UID = OBJECT.build().metadata.uid


class HandCluster:
    """Lists what it was given; `after_list` runs right after the last LIST."""

    def __init__(self) -> None:
        self.holds: dict[str, list[Body]] = {paths.NAMESPACES: [], paths.ACCOUNTS: [], paths.NODE_POOLS: []}
        self.after_list: Callable[[], object] = lambda: None

    async def list_metadata(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        listed = [convert({"metadata": body["metadata"]}) for body in self.holds[path]]
        if path == paths.NODE_POOLS:
            self.after_list()
        return listed


class Workers:
    """Records which objects are queued."""

    def __init__(self) -> None:
        self.requeued: list[str] = []
        self.queued: set[str] = set()

    def requeue(self, uid: str) -> None:
        self.requeued.append(uid)

    def is_queued(self, uid: str) -> bool:
        return uid in self.queued


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock(timedelta(seconds=1))


@pytest.fixture
def cache(clock: TickingClock) -> Cache:
    return Cache(clock)


@pytest.fixture
def cluster() -> HandCluster:
    return HandCluster()


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def resync(cache: Cache, cluster: HandCluster, workers: Workers, clock: TickingClock) -> Resync:
    return Resync(cluster, cache, workers, clock, patience=timedelta(milliseconds=1))


def version(number: int, builder: NodePoolBuilder = OBJECT) -> dict[str, Any]:
    body = builder.body()
    return body | {"metadata": body["metadata"] | {"resourceVersion": str(number)}}


async def repairs(resync: Resync) -> list[Repair]:
    return [found.repair for found in await resync.once()]


async def test_nothing_is_amiss_where_the_watch_told_everything(
    resync: Resync, cache: Cache, cluster: HandCluster, workers: Workers
) -> None:
    cache.upsert_node_pool(version(5))
    cluster.holds[paths.NODE_POOLS] = [version(5)]
    assert await repairs(resync) == []
    assert workers.requeued == []


async def test_an_object_that_was_never_told_is_missed(resync: Resync, cluster: HandCluster) -> None:
    cluster.holds[paths.NODE_POOLS] = [version(5)]
    assert await repairs(resync) == [Repair.MISSED]


async def test_an_object_with_a_newer_version_is_outdated(resync: Resync, cache: Cache, cluster: HandCluster) -> None:
    cache.upsert_node_pool(version(5))
    cluster.holds[paths.NODE_POOLS] = [version(10)]
    assert await repairs(resync) == [Repair.OUTDATED]


async def test_an_object_that_is_not_there_any_more_is_dropped(resync: Resync, cache: Cache) -> None:
    cache.upsert_node_pool(version(5))
    assert await repairs(resync) == [Repair.VANISHED]
    assert not cache.node_pools


async def test_what_came_after_the_list_had_begun_has_not_vanished(
    resync: Resync, cache: Cache, cluster: HandCluster
) -> None:
    cluster.after_list = lambda: cache.upsert_node_pool(version(5))
    assert await repairs(resync) == []
    assert UID in cache.node_pools


async def test_a_watch_that_only_lags_is_given_its_time(resync: Resync, cache: Cache, cluster: HandCluster) -> None:
    cluster.holds[paths.NODE_POOLS] = [version(5)]
    cluster.after_list = lambda: cache.upsert_node_pool(version(6))
    assert await repairs(resync) == []


async def test_what_went_right_after_the_list_was_not_missed(
    resync: Resync, cache: Cache, cluster: HandCluster
) -> None:
    account = an_account().body()
    cache.upsert_node_pool(version(5))
    cache.upsert_account(account)
    cluster.holds[paths.NODE_POOLS] = [version(5)]
    cluster.holds[paths.ACCOUNTS] = [account]

    def go() -> None:
        cache.drop_node_pool(UID)
        cache.drop_account(account["metadata"]["name"], account["metadata"]["uid"])

    cluster.after_list = go
    assert await repairs(resync) == []


async def test_an_object_without_our_finalizer_is_looked_at_again(
    resync: Resync, cache: Cache, cluster: HandCluster, workers: Workers
) -> None:
    bare = version(5, a_node_pool())
    cache.upsert_node_pool(bare)
    cluster.holds[paths.NODE_POOLS] = [bare]
    assert await repairs(resync) == [Repair.UNPROTECTED]
    assert workers.requeued == [UID]


async def test_a_deletion_that_nobody_is_at_work_on_is_begun(
    resync: Resync, cache: Cache, cluster: HandCluster, workers: Workers
) -> None:
    body = version(5, OBJECT.being_deleted())
    cache.upsert_node_pool(body)
    cluster.holds[paths.NODE_POOLS] = [body]
    assert await repairs(resync) == [Repair.UNATTENDED]
    assert UID in cache.deletion_observed
    assert workers.requeued == [UID]


async def test_a_deletion_that_somebody_is_at_work_on_is_left_to_them(
    resync: Resync, cache: Cache, cluster: HandCluster, workers: Workers
) -> None:
    body = version(5, OBJECT.being_deleted())
    cache.upsert_node_pool(body)
    workers.queued.add(UID)
    cluster.holds[paths.NODE_POOLS] = [body]
    assert await repairs(resync) == []


async def test_an_object_that_terminates_without_our_finalizer_is_out_of_our_hands(
    resync: Resync, cache: Cache, cluster: HandCluster
) -> None:
    body = version(5, a_node_pool().with_finalizer("others.example.com/f").being_deleted())
    cache.upsert_node_pool(body)
    cluster.holds[paths.NODE_POOLS] = [body]
    assert await repairs(resync) == []


async def test_an_object_without_our_schema_was_told_all_the_same(
    resync: Resync, cache: Cache, cluster: HandCluster
) -> None:
    broken = version(5) | {"spec": {"poolName": 7}}
    assert cache.upsert_node_pool(broken) is None
    cluster.holds[paths.NODE_POOLS] = [broken]
    assert await repairs(resync) == []
    cluster.holds[paths.NODE_POOLS] = [version(9) | {"spec": {"poolName": 7}}]
    assert await repairs(resync) == [Repair.OUTDATED]


async def test_namespaces_and_accounts_are_swept_too(resync: Resync, cache: Cache, cluster: HandCluster) -> None:
    cache.upsert_namespace({"metadata": {"name": "old", "uid": "n1", "resourceVersion": "1"}})
    cluster.holds[paths.NAMESPACES] = [{"metadata": {"name": "new", "uid": "n2", "resourceVersion": "2"}}]
    cluster.holds[paths.ACCOUNTS] = [an_account().body()]
    assert sorted(await repairs(resync)) == [Repair.MISSED, Repair.MISSED, Repair.VANISHED]
    assert "old" not in cache.namespaces


async def test_repairs_are_counted_by_kind(resync: Resync, cluster: HandCluster) -> None:
    def counted() -> float:
        return metrics.REGISTRY.get_sample_value("modelarts_nodepool_sweep_repairs_total", {"kind": "missed"}) or 0.0

    before = counted()
    cluster.holds[paths.NODE_POOLS] = [version(5)]
    await resync.once()
    assert counted() == before + 1


async def test_a_list_that_fails_touches_nothing(resync: Resync, cache: Cache, cluster: HandCluster) -> None:
    def fail() -> None:
        raise ClusterUnavailable("no answer")

    cache.upsert_node_pool(version(5))
    cluster.after_list = fail
    with pytest.raises(ClusterUnavailable):
        await resync.once()
    assert UID in cache.node_pools
