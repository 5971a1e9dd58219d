"""The watch over many lives: what it tells, and that none of them leaves anything behind."""

import asyncio
import gc
import threading
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.clock import SystemClock
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.watch.kopf_runner import Watch
from modelarts_nodepool.watch.supervisor import WatchTimes
from tests.support.limits import HANGING_SECONDS

LIVES = 50
WARM_UP = 5


@pytest.fixture
def watch(crds: ControlPlane) -> Watch:
    clock, kubeconfig = SystemClock(), str(crds.kubeconfig)
    return Watch(Cache(clock), lambda: Connection.open(version="0", kubeconfig=kubeconfig), clock, WatchTimes())


async def live_once(watch: Watch) -> None:
    """One life, ended once all three streams have begun."""
    clock = SystemClock()
    begun = clock.monotonic()
    life = asyncio.create_task(watch())
    async with asyncio.timeout(HANGING_SECONDS):
        while watch.silence().total_seconds() >= clock.monotonic() - begun:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)


def count() -> dict[str, int]:
    gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files and sockets": len(list(Path("/proc/self/fd").iterdir())),
        "objects": len(gc.get_objects()),
    }


async def test_fifty_lives_of_the_watch_leave_no_task_thread_connection_or_memory_behind(watch: Watch) -> None:
    for _ in range(WARM_UP):
        await live_once(watch)
    before = count()
    for _ in range(LIVES):
        await live_once(watch)
    after = count()
    objects = after.pop("objects") - before.pop("objects")
    # Fewer is no leak: a socket of an earlier test may be closed in this time.
    assert {name: number for name, number in after.items() if number > before[name]} == {}
    assert objects < 20 * LIVES, "each life leaves objects behind"
