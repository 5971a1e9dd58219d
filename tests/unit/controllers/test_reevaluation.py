"""Right before the DELETE the table is asked once more: what changes while the write-ahead is under way counts."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.cache.objects import Cache
from tests.support.builders import a_node_pool
from tests.support.clocks import HandClock
from tests.support.clouds import NodePoolCloud, a_clouds
from tests.support.controllers import build_parts, deleting
from tests.unit.controllers.test_send_fence import ACCOUNT, OBJECT, Body, SlowCluster

UID = OBJECT["metadata"]["uid"]


@dataclass
class ChangingCluster(SlowCluster):
    """While it answers the write-ahead, something happens; `statuses` are what was written."""

    clock: HandClock
    write_seconds: float = 0.0
    read_seconds: float = 0.0
    writes: int = 0
    statuses: list[dict[str, Any]] = field(default_factory=list)
    ahead: asyncio.Event = field(default_factory=asyncio.Event)
    happens: Callable[[Cache], None] = lambda _cache: None
    cache: Cache | None = None
    is_leading: bool = True

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        if not path.endswith("/status"):
            self.statuses.append({"released": True})
            return {**OBJECT, "metadata": {**OBJECT["metadata"], "finalizers": []}}
        body = await super().json_patch(path, patch)
        self.statuses.append(dict(body["status"]))
        self.is_leading = self.happens is not the_lease_is_lost
        if self.writes == 1 and self.cache is not None:
            self.cache.upsert_node_pool(body)
            self.happens(self.cache)
        return body


def nothing(_: Cache) -> None:
    """As usual."""


def an_annotation(cache: Cache) -> None:
    cache.upsert_node_pool(changed(cache, annotations={"example.com/seen": "1"}))


def retain(cache: Cache) -> None:
    cache.upsert_node_pool({**changed(cache), "spec": {**OBJECT["spec"], "deletionPolicy": "Retain"}})


def paused(cache: Cache) -> None:
    cache.upsert_node_pool(changed(cache, annotations={"modelarts.huaweicloud.com/paused": "true"}))


def an_heir(cache: Cache) -> None:
    cache.upsert_node_pool(a_node_pool("renamed").standing_for("training-a").finalized().body())


def no_grant(cache: Cache) -> None:
    cache.upsert_account({"metadata": dict(ACCOUNT.metadata), "spec": {**ACCOUNT.spec, "grants": []}})


def an_account_of_another_region(cache: Cache) -> None:
    metadata = {**ACCOUNT.metadata, "uid": "another", "resourceVersion": "900"}
    cache.upsert_account({"metadata": metadata, "spec": {**ACCOUNT.spec, "region": "cn-east-3"}})


def no_account(cache: Cache) -> None:
    cache.drop_account(ACCOUNT.metadata["name"], ACCOUNT.metadata["uid"])


def the_lease_is_lost(cache: Cache) -> None:
    """Nothing that the cache knows of."""
    assert cache.node_pools


def gone(cache: Cache) -> None:
    cache.drop_node_pool(UID)


def changed(cache: Cache, **metadata: object) -> dict[str, Any]:
    known = cache.node_pools[UID]
    whole = {**OBJECT["metadata"], **metadata, "resourceVersion": "500"}
    return {**OBJECT, "metadata": whole, "status": known.status.to_wire()}


@pytest.mark.parametrize(
    ("happens", "deletes"),
    [
        (nothing, 1),
        (an_annotation, 1),
        (retain, 0),
        (paused, 0),
        (an_heir, 0),
        (no_grant, 0),
        (an_account_of_another_region, 0),
        (no_account, 0),
        (gone, 0),
        (the_lease_is_lost, 0),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_what_changes_while_the_write_ahead_is_under_way_counts(
    happens: Callable[[Cache], None], deletes: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    clock, cloud = HandClock(), NodePoolCloud()
    cluster = ChangingCluster(clock, happens=happens)
    parts = build_parts(cluster, clock, a_clouds(cluster, clock, cloud), may_act=lambda: cluster.is_leading)
    cluster.cache = parts.cache
    parts.cache.upsert_account(ACCOUNT.body())
    parts.cache.upsert_node_pool(OBJECT)
    async with deleting(UID, parts):
        await cluster.ahead.wait()
        for _ in range(50):
            await asyncio.sleep(0)
    assert cloud.deletes == deletes
    assert cluster.statuses[0]["deletion"]["sentTime"]
    assert [getattr(record, "audit", "") for record in caplog.records].count("delete") == deletes
