"""A DELETE waits for its turn before its write-ahead and never after it; in virtual time, under a tight limit."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from typing_extensions import override

from modelarts_nodepool.access.gateway import FAILURES_IN_A_ROW
from modelarts_nodepool.decide.deletion.record import SETTLE
from modelarts_nodepool.errors import NoAnswer, ObjectChanged
from modelarts_nodepool.ports import (
    Accepted,
    Billing,
    CloudNode,
    CloudResourcePool,
    CloudWorkload,
    NodePoolListing,
)
from modelarts_nodepool.settings import CloudLimits
from tests.support.builders import a_cloud_node_pool, a_listing, a_node_pool, an_account
from tests.support.clouds import SecretKeeper, UnaskedCloud, a_clouds
from tests.support.controllers import build_parts, deleting
from tests.support.virtual_time import VirtualClock, run_at_once

T = TypeVar("T")
Body = Mapping[str, Any]
OBJECT = a_node_pool().finalized().pinned().being_deleted().body()
UID = OBJECT["metadata"]["uid"]
ACCOUNT = an_account().limited(unlimited=True)
# Two requests a second, one at once.
TIGHT = CloudLimits(rate=2, burst=1)
AT_ONCE_SECONDS = 0.001


@dataclass
class Diary:
    """What happened when (seconds)."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    entries: list[tuple[str, float]] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.entries.append((what, self.clock.monotonic()))

    def times(self, what: str) -> list[float]:
        return [when for entry, when in self.entries if entry == what]


class WrittenCluster(SecretKeeper):
    """Has the Secret and the containers; notes writes of status and refuses those for which `refused` is set.

    What is in `meanwhile` happens once during a write.
    """

    def __init__(self, diary: Diary) -> None:
        self.diary, self.refused, self.version = diary, 0, 100
        self.meanwhile: list[Callable[[], Coroutine[Any, Any, None]]] = []

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        status = patch[-1]["value"]
        self.diary.note(f"attempt {status['deletion']['attempt']}")
        while self.meanwhile:
            await self.meanwhile.pop()()
        if self.refused:
            self.refused -= 1
            raise ObjectChanged("not the version that was decided on", status=409)
        self.version += 1
        return {**OBJECT, "metadata": OBJECT["metadata"] | {"resourceVersion": f"{self.version}"}, "status": status}

    @override
    async def get(self, path: str) -> Body:
        return OBJECT if "/modelartsnodepools/" in path else await super().get(path)


class NotedCloud(UnaskedCloud):
    """Shows the node pool beside another one. `is_down`: from now on nothing is answered."""

    def __init__(self, diary: Diary) -> None:
        self.diary, self.is_down = diary, False

    def answer(self, what: str) -> None:
        self.diary.note(what)
        if self.is_down:
            raise NoAnswer(f"{what} was sent and not answered")

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        self.answer("list")
        return a_listing(a_cloud_node_pool(available=1), a_cloud_node_pool("stays", available=1))

    @override
    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        self.answer("show")
        return CloudResourcePool(resource_pool, Billing.PAY_PER_USE)

    @override
    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        self.answer("nodes")
        return [CloudNode("one", None)]

    @override
    async def list_workloads(self, resource_pool: str) -> Sequence[CloudWorkload]:
        return []

    @override
    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        self.answer("delete")
        return Accepted("request-1")


class Stage:
    """One deletion on real pollers, limiter and circuit."""

    def __init__(self) -> None:
        self.diary = Diary()
        clock = self.diary.clock
        self.cluster, self.cloud = WrittenCluster(self.diary), NotedCloud(self.diary)
        self.clouds = a_clouds(self.cluster, clock, self.cloud, TIGHT)
        self.parts = build_parts(self.cluster, clock, self.clouds)
        cache = self.parts.cache
        cache.upsert_account({"metadata": dict(ACCOUNT.metadata), "spec": dict(ACCOUNT.spec)})
        cache.upsert_node_pool(OBJECT)

    async def outage(self) -> None:
        """So many calls in a row that are not answered that nothing more is sent."""
        self.cloud.is_down = True
        for _ in range(FAILURES_IN_A_ROW):
            looks = self.clouds.call(ACCOUNT.build(), lambda cloud: cloud.list_node_pools("pool-a"))
            await asyncio.gather(looks, return_exceptions=True)
        self.cloud.is_down = False

    async def play(self, seconds: float) -> None:
        """Let the deletion run for so long."""
        async with deleting(UID, self.parts, seconds + 1):
            await asyncio.sleep(seconds)


def test_delete_waits_for_its_turn_before_the_write_ahead_and_goes_at_once_after_it() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.play(30)
        ((written,), (sent,)) = stage.diary.times("attempt 1"), stage.diary.times("delete")
        assert sent - written < AT_ONCE_SECONDS
        last_look = max(when for what, when in stage.diary.entries if what in {"show", "nodes"})
        assert written - last_look > 0.4, "it had to wait for its turn, or nothing is shown"

    run_at_once(scene)


def test_slot_of_a_write_ahead_that_was_refused_is_there_for_the_next_one() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.cluster.refused = 3
        await stage.play(30)
        written = stage.diary.times("attempt 1")
        assert len(written) == 4
        # A poll may have had one of them in between; three lost ones would cost a second and a half.
        assert written[-1] - written[0] < 1.0
        assert len(stage.diary.times("delete")) == 1

    run_at_once(scene)


def test_delete_whose_cloud_goes_down_after_the_write_ahead_is_not_sent_and_does_not_count_as_sent() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.cluster.meanwhile.append(stage.outage)
        await stage.play(300)
        diary = stage.diary
        (sent,) = diary.times("delete")
        first, second = diary.times("attempt 1")[0], diary.times("attempt 2")[0]
        assert first < second <= sent
        assert second - first < SETTLE.total_seconds(), "looked after for two minutes as if it had been sent"
        assert [when for when in diary.times("list") if first < when < second], "a look was the probe"

    run_at_once(scene)
