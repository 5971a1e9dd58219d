"""The watch against an API server that expires versions, fails in the middle of a stream, or falls silent."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.cache.objects import Cache, NoListener
from modelarts_nodepool.clock import SystemClock
from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.watch.kopf_runner import Watch
from modelarts_nodepool.watch.supervisor import WatchTimes
from tests.support.builders import a_node_pool
from tests.support.limits import HANGING_SECONDS
from tests.support.watched_api import WatchedApi

UID = a_node_pool().build().metadata.uid


class Order(NoListener):
    """The uids of the objects that changed, in order."""

    def __init__(self) -> None:
        self.changed: list[str] = []

    @override
    def node_pool_changed(self, uid: str) -> None:
        self.changed.append(uid)


@asynccontextmanager
async def watching(
    api: WatchedApi, stream: timedelta = timedelta(minutes=10), order: Order | None = None
) -> AsyncIterator[tuple[Watch, Cache]]:
    """A watch whose first stream is open."""
    clock = SystemClock()
    cache = Cache(clock, order or Order())

    async def connect() -> Connection:
        return Connection(api.access, "0")

    watch = Watch(cache, connect, clock, WatchTimes(stream=stream))
    life = asyncio.create_task(watch())
    try:
        await until(lambda: len(api.opened) == 3)
        yield watch, cache
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = HANGING_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions of plain values
            await asyncio.sleep(0.01)


async def until_quiet(watch: Watch, seconds: float) -> dict[str, float]:
    """When each stream was last heard, once none of them has said anything for so long: all three have begun."""
    heard: dict[str, float] = {}
    while heard != watch.last_events.times():
        heard = watch.last_events.times()
        await asyncio.sleep(seconds)
    return heard


def version(number: int, **metadata: str) -> dict[str, Any]:
    body = a_node_pool().finalized().body()
    return body | {"metadata": body["metadata"] | {"resourceVersion": str(number)} | metadata}


async def test_a_duplicate_is_known_before_the_deletion_that_was_read_after_it() -> None:
    """Else the deletion of a renamed object deletes the node pool. kopf wakes a known object's worker first."""
    order = Order()
    async with WatchedApi.serving() as api, watching(api, order=order) as (_, cache):
        await api.say("ADDED", version(110))
        await until(lambda: UID in cache.node_pools)
        await api.say_at_once(
            ("ADDED", version(112, uid="renamed", name="renamed")),
            ("MODIFIED", version(113, deletionTimestamp="2026-01-02T12:00:00Z")),
        )
        await until(lambda: UID in cache.deletion_observed and "renamed" in cache.node_pools)
        assert order.changed[-2:] == ["renamed", UID]


async def test_what_happened_in_a_gap_that_expired_is_told_by_a_new_list() -> None:
    async with WatchedApi.serving() as api, watching(api) as (_, cache):
        api.holds, api.version = [version(200)], "200"
        await api.say("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
        await until(lambda: UID in cache.node_pools)
        await until(lambda: len(api.asked) == 4)
        assert api.asked == [None, "100", None, "200"]


async def test_a_stream_that_ends_is_continued_from_the_last_bookmark() -> None:
    async with WatchedApi.serving() as api, watching(api) as (_, cache):
        await api.say("ADDED", version(110))
        await api.say("BOOKMARK", {"kind": "ModelArtsNodePool", "metadata": {"resourceVersion": "150"}})
        api.hang_up()
        await until(lambda: len(api.asked) == 3)
        assert api.asked == [None, "100", "150"]
        await until(lambda: UID in cache.node_pools)


async def fail_once(api: WatchedApi) -> None:
    """One life of a watch that ends by an error in the middle of a stream."""
    clock = SystemClock()

    async def connect() -> Connection:
        return Connection(api.access, "0")

    api.opened.clear()
    life = asyncio.create_task(Watch(Cache(clock), connect, clock, WatchTimes())())
    await until(lambda: len(api.opened) == 3)
    await api.say("ERROR", {"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd is away"})
    with pytest.raises(ClusterUnavailable, match="etcd is away"):
        await asyncio.wait_for(life, HANGING_SECONDS)


async def test_failures_in_a_stream_end_the_watch_and_leave_nothing_behind() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with WatchedApi.serving() as api:
        await fail_once(api)
        files = open_files()
        for _ in range(9):
            await fail_once(api)
        assert "kopf" not in {thread.name for thread in threading.enumerate()}
        # The server's ends of the last connections are closed a moment later.
        await until(lambda: open_files() <= files)


async def test_a_silent_stream_is_given_up_and_continued() -> None:
    async with WatchedApi.serving() as api, watching(api, stream=timedelta(seconds=0.75)):
        begun = asyncio.get_running_loop().time()
        await until(lambda: len(api.asked) >= 3)
        assert api.asked[:3] == [None, "100", "100"]
        assert asyncio.get_running_loop().time() - begun < 10


async def test_bookmarks_break_the_silence_of_one_watch_and_the_quietest_counts() -> None:
    async with WatchedApi.serving() as api, watching(api) as (watch, _):
        heard = await until_quiet(watch, seconds=0.3)
        silence = watch.silence()
        assert silence >= timedelta(seconds=0.3)
        await api.say("BOOKMARK", {"kind": "ModelArtsNodePool", "metadata": {"resourceVersion": "150"}})
        await until(lambda: watch.last_events.times() != heard)
        # The other two have received nothing.
        assert watch.silence() > silence
