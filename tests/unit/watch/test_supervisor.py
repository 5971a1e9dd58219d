"""Restarts of the watch, silence and health; the test controls the cluster and the watch."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.factory import build_controllers
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.watch.supervisor import MAX_FAULTS, STABLE_AFTER, CannotWorkError, Supervisor, WatchTimes
from tests.support.builders import a_node_pool
from tests.support.clocks import HandClock
from tests.support.limits import HANGING_SECONDS

T = TypeVar("T")
Body = Mapping[str, Any]
VERBS = ["get", "list", "watch", "patch"]
SHORT = timedelta(milliseconds=1)
TIMES = WatchTimes(check_silence=SHORT, first_pause=SHORT, longest_pause=SHORT * 4)


class HandCluster:
    """Serves both kinds and lists `holds`, unless `failure` is set."""

    def __init__(self) -> None:
        self.failure: ClusterError | None = None
        self.holds: list[Body] = []
        self.lists = 0

    async def get(self, path: str) -> Body:
        if self.failure is not None:
            raise self.failure
        if path == paths.API:
            names = ("modelartsnodepools", "modelartsaccounts")
            served = [name for plural in names for name in (plural, f"{plural}/status")]
            return {"resources": [{"name": name, "verbs": VERBS} for name in served]}
        return {"metadata": {}, "status": {"conditions": [{"type": "Established", "status": "True"}]}}

    async def get_metadata(self, path: str) -> Body:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        if path != paths.NODE_POOLS:
            return []
        self.lists += 1
        return [convert(body) for body in self.holds]

    async def list_metadata(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        return [convert(body) for body in self.holds] if path == paths.NODE_POOLS else []

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        raise NotImplementedError(path, patch)

    async def create(self, path: str, body: Body) -> Body:
        raise NotImplementedError(path, body)


class HandWatch:
    """Each start runs the next of `lives`; after the last one it watches until cancelled."""

    def __init__(self, *lives: Callable[[], Awaitable[None]]) -> None:
        self._lives = list(lives)
        self.begun = 0
        self.is_watching = asyncio.Event()
        self.quiet = timedelta()

    async def __call__(self) -> None:
        self.begun += 1
        if self._lives:
            await self._lives.pop(0)()
            return
        self.is_watching.set()
        await asyncio.Event().wait()

    def silence(self) -> timedelta:
        return self.quiet


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def cluster() -> HandCluster:
    return HandCluster()


@pytest.fixture
def cache(clock: HandClock) -> Cache:
    return Cache(clock)


def supervise(
    cluster: HandCluster, cache: Cache, clock: HandClock, watch: HandWatch, times: WatchTimes = TIMES
) -> Supervisor:
    clouds = Gateway.__new__(Gateway)  # never called: no account is there
    parts = build_controllers(cache, clouds, cluster, EventRecorder(cluster), clock, may_act=lambda: True)
    return Supervisor(cluster, parts.cache, parts.manager, clock, watch, times)


async def until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    """Run it until the condition is true."""
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(HANGING_SECONDS):
        while not condition():  # noqa: ASYNC110 - conditions of plain values
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def end() -> None:
    return


async def fail() -> None:
    raise RuntimeError("nobody foresaw this")


async def lose_the_server() -> None:
    raise ClusterUnavailable("no answer")


async def test_a_watch_that_returns_or_raises_is_begun_again_after_a_list_of_everything(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    watch = HandWatch(end, fail, lose_the_server)
    await until(supervise(cluster, cache, clock, watch), watch.is_watching.is_set)
    assert watch.begun == 4
    assert cluster.lists == 4


async def test_what_a_list_shows_is_known_before_the_watch_begins(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    cluster.holds = [a_node_pool().finalized().body()]
    known: list[int] = []

    async def look() -> None:
        known.append(len(cache.node_pools))

    watch = HandWatch(look)
    await until(supervise(cluster, cache, clock, watch), watch.is_watching.is_set)
    assert known == [1]


async def test_pauses_between_short_lives_double(cluster: HandCluster, cache: Cache, clock: HandClock) -> None:
    supervisor = supervise(cluster, cache, clock, HandWatch())
    short = [supervisor._next_pause() / SHORT for _ in range(4)]  # noqa: SLF001 - no test waits 30 s
    assert short == [1, 2, 4, 4]


async def test_faults_of_ours_again_and_again_end_the_work_with_their_words(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    watch = HandWatch(*[fail] * MAX_FAULTS)
    supervisor = supervise(cluster, cache, clock, watch)
    with pytest.raises(CannotWorkError, match="RuntimeError: nobody foresaw this"):
        await supervisor.run()
    assert watch.begun == MAX_FAULTS
    assert supervisor.readyz().problems == (
        "the watch of the cluster failed and is restarting: RuntimeError: nobody foresaw this",
    )


async def test_a_watch_that_just_ends_again_and_again_is_a_fault_as_well(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    with pytest.raises(CannotWorkError, match="it ended without an error"):
        await supervise(cluster, cache, clock, HandWatch(*[end] * MAX_FAULTS)).run()


async def test_what_the_first_lists_trip_over_ends_the_work_too(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    cluster.holds = [{"no": "metadata"}]
    with pytest.raises(CannotWorkError, match="KeyError: 'metadata'"):
        await supervise(cluster, cache, clock, HandWatch()).run()


async def test_an_api_server_in_trouble_never_ends_the_work(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    watch = HandWatch(*[lose_the_server] * (MAX_FAULTS * 3))
    await until(supervise(cluster, cache, clock, watch), watch.is_watching.is_set)
    assert watch.begun == MAX_FAULTS * 3 + 1


async def test_faults_between_which_it_worked_for_a_minute_do_not_add_up(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    async def fail_after_a_minute() -> None:
        clock.seconds += STABLE_AFTER.total_seconds()
        await fail()

    watch = HandWatch(*[fail_after_a_minute] * (MAX_FAULTS * 2))
    supervisor = supervise(cluster, cache, clock, watch)
    await until(supervisor, watch.is_watching.is_set)
    assert watch.begun == MAX_FAULTS * 2 + 1


async def test_a_silent_watch_is_begun_again(cluster: HandCluster, cache: Cache, clock: HandClock) -> None:
    watch = HandWatch()
    watch.quiet = TIMES.restart + timedelta(seconds=1)

    def is_begun_again() -> bool:
        # Silence counts for a life from its own beginning.
        clock.seconds += 0.5
        return watch.begun >= 2

    await until(supervise(cluster, cache, clock, watch), is_begun_again)


async def test_silence_from_before_this_life_is_not_held_against_it(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    watch = HandWatch()
    watch.quiet = TIMES.restart * 10
    turns = iter(range(500))
    await until(supervise(cluster, cache, clock, watch), lambda: next(turns) == 499)
    assert watch.begun == 1


async def test_a_watch_that_does_not_tell_what_a_sweep_sees_is_begun_again(
    cluster: HandCluster, cache: Cache, clock: HandClock
) -> None:
    times = WatchTimes(resync=SHORT, check_silence=SHORT, first_pause=SHORT, longest_pause=SHORT)
    watch = HandWatch()
    supervisor = supervise(cluster, cache, clock, watch, times)

    def is_begun_again() -> bool:
        if watch.begun == 1:
            cluster.holds = [a_node_pool().finalized().body()]
        return watch.begun >= 2 and bool(cache.node_pools)

    await until(supervisor, is_begun_again)


@pytest.mark.parametrize(
    ("silent_for", "swept_ago", "is_alive"),
    [
        (timedelta(), timedelta(), True),
        (TIMES.fatal_silence, timedelta(), True),
        (timedelta(), TIMES.fatal_resync, True),
        (TIMES.fatal_silence, TIMES.fatal_resync, False),
    ],
    ids=["well", "silent", "unswept", "silent and unswept"],
)
def test_it_is_dead_only_when_the_watch_is_silent_and_the_sweep_old(
    cluster: HandCluster,
    cache: Cache,
    clock: HandClock,
    silent_for: timedelta,
    swept_ago: timedelta,
    *,
    is_alive: bool,
) -> None:
    watch = HandWatch()
    supervisor = supervise(cluster, cache, clock, watch)
    watch.quiet = silent_for
    clock.seconds += swept_ago.total_seconds()
    assert (not supervisor.livez().problems) is is_alive


async def test_it_is_ready_while_the_watch_speaks(cluster: HandCluster, cache: Cache, clock: HandClock) -> None:
    watch = HandWatch()
    supervisor = supervise(cluster, cache, clock, watch)
    assert supervisor.readyz().problems == ("the operator is starting: its first LIST is not complete",)
    await until(supervisor, watch.is_watching.is_set)
    assert not supervisor.readyz().problems
    watch.quiet = TIMES.reconnect + timedelta(seconds=1)
    assert supervisor.readyz().problems == ("the watch has been silent for 41 s",)


@pytest.mark.parametrize(
    ("failure", "is_alive"),
    [(ObjectGone("404"), True), (ClusterUnavailable("no answer"), False)],
    ids=["CRDs missing", "no API server"],
)
async def test_waiting_for_the_crds_is_no_reason_to_be_restarted_and_no_answer_at_all_is(
    cluster: HandCluster, cache: Cache, clock: HandClock, failure: ClusterError, *, is_alive: bool
) -> None:
    watch = HandWatch()
    watch.quiet = TIMES.fatal_silence
    supervisor = supervise(cluster, cache, clock, watch)
    cluster.failure = failure
    clock.seconds += TIMES.fatal_resync.total_seconds()
    await until(
        supervisor,
        lambda: supervisor.readyz().problems != ("the operator is starting: its first LIST is not complete",),
    )
    assert (not supervisor.livez().problems) is is_alive
    assert supervisor.readyz().problems
