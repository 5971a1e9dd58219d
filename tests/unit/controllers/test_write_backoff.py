"""How often a write that fails is tried, whatever wakes its worker. The whole engine in virtual time."""

import asyncio
import gc
import logging
import weakref
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.api.names import ACCOUNT_KIND, NODE_POOL_KIND, RECONCILE_ANNOTATION
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.writes import Write, Writes
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectChanged, ObjectGone
from modelarts_nodepool.kube.events import EventRecorder
from tests.support.builders import NOON, a_node_pool
from tests.support.clocks import HandClock
from tests.support.virtual_time import run_at_once
from tests.unit.controllers.refusing_stage import (
    AWAY,
    GROWN_SECONDS,
    OBJECTS,
    PATH,
    WEBHOOK,
    RefusingCluster,
    Stage,
    any_status,
    anything,
    play,
)

MINUTES = 30
# 1, 2, 4, 8, 16 and 32 seconds, then a minute.
QUICK = 7
CROWD = 6


def crowd(count: int = CROWD) -> Stage:
    """Some new, some mirrored, some being deleted."""
    builders = []
    for number in range(count):
        name = f"node-pool-{number}"
        kinds = (a_node_pool(name), a_node_pool(name).finalized(), a_node_pool(name).finalized().being_deleted())
        builders.append(kinds[number % len(kinds)])
    stage = Stage(*builders)
    stage.world.cloud.shown = {f"node-pool-{number}" for number in range(count)}
    return stage


@pytest.mark.parametrize("error", [AWAY, WEBHOOK], ids=["away", "webhook"])
def test_nothing_bypasses_the_backoff_and_one_line_a_minute_tells_of_all(
    error: ClusterError, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(anything, error)
        begun = stage.now()
        for second in range(60 * 10):
            # Watch events, reconcile-at and sweeps, beside the polls.
            if second % 5 == 0:
                for path in [path for path in stage.cluster.bodies if path.startswith(OBJECTS)]:
                    stage.edit(path, annotations={RECONCILE_ANNOTATION: str(second)})
                    stage.world.manager.requeue(stage.cluster.bodies[path]["metadata"]["uid"])
                stage.world.manager.begin()
            await asyncio.sleep(1)
        quick = stage.cluster.attempts(begun, begun + GROWN_SECONDS)
        # However many sorts of writes fail.
        assert max(quick.values()) <= QUICK + GROWN_SECONDS // 60 + 1
        for minute in range(GROWN_SECONDS // 60, 10):
            tried = stage.cluster.attempts(begun + minute * 60, begun + (minute + 1) * 60)
            assert max(tried.values()) == 1
            assert sum(tried.values()) <= CROWD
        assert stage.world.parts.writes.unwritable()[NODE_POOL_KIND] == CROWD
        assert f"{CROWD} of {CROWD} node pool objects cannot be written" in stage.world.parts.writes.problem(CROWD)
        warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert 8 <= len(warned) <= 11
        assert "cannot be written" in warned[-1].getMessage()
        assert f"{CROWD + 1} objects" in warned[-1].getMessage(), "with the account"
        stage.cluster.take_all()
        await asyncio.sleep(200)
        assert not stage.world.parts.writes.unwritable()
        assert "all objects can be written again" in caplog.text
        assert all(stage.condition("Ready", path) for path in stage.cluster.bodies if path.startswith(OBJECTS))

    with caplog.at_level(logging.INFO):
        play(crowd, scene)


def test_one_object_of_many_does_not_make_the_leader_unready() -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(lambda path, change: anything(path, change) and path.startswith(f"{OBJECTS}/node-pool-1/"))
        await asyncio.sleep(300)
        assert stage.world.parts.writes.unwritable()[NODE_POOL_KIND] <= 1
        assert not stage.world.parts.writes.problem(CROWD)

    play(crowd, scene)


def test_an_ordinary_conflict_is_decided_again_at_once_and_one_without_end_is_not() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(5)
        conflicts = {"left": 1}

        def refuses(path: str, change: Any) -> ClusterError | None:  # noqa: ANN401 - JSON
            if not any_status(path, change) or not conflicts["left"]:
                return None
            conflicts["left"] -= 1
            return ObjectChanged("409", status=409)

        stage.cluster.refuses = refuses
        begun = stage.now()
        stage.edit(generation=2)
        await asyncio.sleep(1)
        assert stage.cluster.attempts(begun)[PATH] == 2
        assert stage.cluster.bodies[PATH]["status"]["observedGeneration"] == 2
        conflicts["left"] = 10**6
        begun = stage.now()
        stage.edit(generation=3)
        await asyncio.sleep(60 * 10)
        assert stage.cluster.attempts(begun)[PATH] <= 5 + QUICK + 10
        assert stage.world.parts.writes.unwritable() == {NODE_POOL_KIND: 1}

    play(lambda: Stage(a_node_pool()), scene)


def test_the_pause_that_the_api_server_asks_for_is_kept() -> None:
    async def scene(stage: Stage) -> None:
        asked = ClusterUnavailable("429", status=429, retry_after=timedelta(seconds=30))
        stage.cluster.refuse(any_status, asked)
        await asyncio.sleep(25)
        assert len([change for _, path, change in stage.cluster.tried if any_status(path, change)]) == 1
        stage.cluster.take_all()
        await asyncio.sleep(10)
        assert stage.condition("Ready")["status"] == "True"

    play(lambda: Stage(a_node_pool()), scene)


def test_a_status_that_cannot_be_written_is_recorded_by_one_event_and_the_deletion_goes_on() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(30)
        stage.cluster.refuse(any_status)
        stage.edit(generation=2)
        await asyncio.sleep(60 * MINUTES)
        (told,) = stage.told("RefusedByAPIServer")
        assert "the operator cannot write the status of this object" in told
        assert stage.world.parts.writes.unwritable() == {NODE_POOL_KIND: 1}
        stage.edit(deletionTimestamp=(NOON + timedelta(hours=1)).isoformat())
        stage.retain()
        await asyncio.sleep(60)
        assert not stage.is_there()
        assert not stage.world.parts.writes.unwritable()

    play(lambda: Stage(a_node_pool()), scene)


def test_a_finalizer_and_a_status_that_are_refused_share_one_attempt_a_minute() -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(lambda path, _: path.startswith(OBJECTS))
        await asyncio.sleep(60 * MINUTES)
        assert stage.cluster.attempts(stage.now() - 600)[PATH] <= 10
        sorts = {change["path"] for moment, _, change in stage.cluster.tried if moment > stage.now() - 600}
        assert len(sorts) == 2, "both are tried"
        assert len(stage.told("NotProtected")) == 1

    play(lambda: Stage(a_node_pool()), scene)


def test_an_object_that_is_gone_is_not_counted_any_more() -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(anything)
        await asyncio.sleep(60)
        uid = stage.cluster.bodies[PATH]["metadata"]["uid"]
        del stage.cluster.bodies[PATH]
        stage.world.cache.drop_node_pool(uid)
        await asyncio.sleep(120)
        assert stage.world.parts.writes.unwritable() == {ACCOUNT_KIND: 1}

    play(lambda: Stage(a_node_pool()), scene)


class Answer:
    """What a call holds while it lasts."""


class AwayCluster(RefusingCluster):
    """Answers no PATCH; `answers` are those that something still holds."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: weakref.WeakSet[Answer] = weakref.WeakSet()

    @override
    async def json_patch(self, path: str, patch: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        answer = Answer()
        self.answers.add(answer)
        raise ClusterUnavailable(f"{path} was answered 503", status=503)


def test_a_failure_keeps_nothing_of_the_call() -> None:
    # With its traceback each held 5 to 18 KB, which is a hundred megabytes while ten thousand objects fail.
    cluster, node_pool = AwayCluster(), a_node_pool().build()
    writes = Writes(cluster, HandClock(), Cache(HandClock()), EventRecorder(cluster))

    async def main() -> None:
        with pytest.raises(ClusterUnavailable):
            await writes.patch(node_pool, Write.STATUS, PATH, [])

    run_at_once(main)
    gc.collect()
    assert writes.is_failing(node_pool.metadata.uid)
    assert not cluster.answers


def test_what_failed_last_of_an_object_that_went_meanwhile_is_forgotten() -> None:
    cluster, clock = RefusingCluster(), HandClock()
    writes = Writes(cluster, clock, Cache(clock), EventRecorder(cluster))
    cluster.refuse(anything, ObjectGone("it is gone", status=404))

    async def main() -> None:
        for number in range(60):
            node_pool = a_node_pool(f"node-pool-{number}").build()
            with pytest.raises(ObjectGone):
                await writes.patch(node_pool, Write.FINALIZER, PATH, [{"path": "/metadata/finalizers/0"}])
            clock.advance(timedelta(minutes=1))

    run_at_once(main)
    assert 0 < len(writes) <= 20
