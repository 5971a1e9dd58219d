"""Writes that the API server does not take: said where it can be said, tried once a minute, and taken up again.

The whole engine in virtual time; tests/integration/operator/test_refused_writes.py has the real API server.
"""

import asyncio
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.api.names import ACCOUNT_KIND
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.ports import Accepted
from tests.support.builders import NOON, a_node_pool
from tests.unit.controllers.memory_growth_stage import Cloud
from tests.unit.controllers.refusing_stage import (
    ACCOUNT,
    OBJECTS,
    PATH,
    POLICY,
    WEBHOOK,
    Stage,
    account_finalizer,
    account_status,
    any_status,
    deleted,
    finalizer,
    play,
    write_ahead,
)

MINUTES = 30
# 1, 2, 4, 8, 16 and 32 seconds, then a minute.
QUICK = 7


def test_a_release_that_is_refused_is_shown_tried_once_a_minute_and_done_when_it_is_taken() -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(finalizer)
        await asyncio.sleep(60)
        # The entry of the DELETE, and that of its outcome.
        assert len(entries(stage)) <= 2
        written = len(entries(stage))
        await asyncio.sleep(60 * MINUTES)
        blocked = stage.condition("DeletionBlocked")
        assert (blocked["status"], blocked["reason"]) == ("True", "ReleaseRefused")
        for words in ("is gone", "denied request: not with us", "kubectl get validatingwebhookconfigurations"):
            assert words in blocked["message"]
        assert len(stage.told("DeletionBlocked")) == 1
        releases = [moment for moment, _, change in stage.cluster.tried if finalizer(PATH, change)]
        assert len(releases) <= QUICK + MINUTES + 1
        assert len(entries(stage)) == written
        assert stage.world.cloud.deletes == 1
        stage.cluster.take_all()
        await asyncio.sleep(70)
        assert not stage.is_there()
        assert len(entries(stage)) == written
        assert not stage.world.parts.writes.unwritable()

    play(lambda: Stage(deleted()), scene)


def entries(stage: Stage) -> list[float]:
    """When the account was written with the audit entry."""
    return [
        moment
        for moment, path, change in stage.cluster.tried
        if account_status(path, change) and change["value"].get("recentDeletions")
    ]


def test_a_deletion_that_nothing_refuses_costs_no_more_writes_than_before() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(120)
        assert not stage.is_there()
        assert sum(stage.cluster.attempts().values()) == 2
        assert not stage.told("DeletionBlocked")

    play(lambda: Stage(deleted()), scene)


@pytest.mark.parametrize("error", [POLICY, WEBHOOK], ids=["policy", "webhook"])
def test_an_object_that_cannot_be_protected_says_so_first_in_progress_then_stalled(error: ClusterError) -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(finalizer, error)
        await asyncio.sleep(60)
        said = stage.condition("Reconciling")
        assert (said["status"], said["reason"]) == ("True", "NotProtected")
        assert "if the object is deleted now, its node pool stays in the cloud" in said["message"]
        assert str(error) in said["message"]
        ready = stage.condition("Ready")
        assert (ready["status"], ready["reason"]) == ("False", "NotProtected")
        await asyncio.sleep(330)
        assert stage.condition("Stalled")["reason"] == "NotProtected"
        assert not stage.condition("Reconciling")
        assert len(stage.told("NotProtected")) == 1
        await asyncio.sleep(60 * MINUTES)
        # Twice the status: in progress, then stalled.
        assert stage.cluster.attempts()[PATH] <= QUICK + MINUTES + 8 + 2
        stage.cluster.take_all()
        await asyncio.sleep(80)
        ready = stage.condition("Ready")
        assert (ready["status"], ready["reason"]) == ("True", "NodesAvailable")
        assert not stage.told("FinalizerRestored")

    play(lambda: Stage(a_node_pool().created(NOON)), scene)


def test_a_webhook_that_is_down_for_seconds_costs_a_new_object_no_word() -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(finalizer, WEBHOOK)
        await asyncio.sleep(4)
        stage.cluster.take_all()
        await asyncio.sleep(60)
        assert stage.condition("Ready")["status"] == "True"
        assert not stage.cluster.events
        assert len([change for _, path, change in stage.cluster.tried if any_status(path, change)]) == 1

    play(lambda: Stage(a_node_pool()), scene)


def test_words_that_differ_in_numbers_alone_are_no_reason_to_write_again() -> None:
    async def scene(stage: Stage) -> None:
        port = iter(range(40000, 50000))

        def refuses(path: str, change: Any) -> ClusterError | None:  # noqa: ANN401 - JSON
            return type(POLICY)(f"dial tcp: 127.0.0.1:{next(port)}: refused") if finalizer(path, change) else None

        stage.cluster.refuses = refuses
        await asyncio.sleep(60 * MINUTES)
        shown = [change for _, path, change in stage.cluster.tried if any_status(path, change)]
        assert len(shown) == 2, "the write-ahead and the refusal"

    play(lambda: Stage(deleted()), scene)


def test_nothing_is_sent_while_the_write_ahead_is_refused_and_the_object_says_so() -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(write_ahead)
        await asyncio.sleep(60 * MINUTES)
        blocked = stage.condition("DeletionBlocked")
        assert (blocked["status"], blocked["reason"]) == ("True", "RefusedByAPIServer")
        for words in ("no DELETE of node pool training-a was sent", "not with us", "deletionPolicy"):
            assert words in blocked["message"]
        assert stage.world.cloud.deletes == 0
        assert len(stage.told("DeletionBlocked")) == 1
        assert stage.cluster.attempts()[PATH] <= QUICK + MINUTES + 1
        stage.cluster.take_all()
        await asyncio.sleep(120)
        assert not stage.is_there()
        assert stage.world.cloud.deletes == 1

    play(lambda: Stage(deleted()), scene)


@pytest.mark.parametrize(
    ("builder", "outcome"),
    [
        pytest.param(deleted().retained(), "Retained", id="retained from the beginning"),
        pytest.param(deleted(), "Orphaned", id="retained once the write-ahead was refused"),
    ],
)
def test_what_a_refused_release_comes_to_is_the_same_after_a_restart(builder: Any, outcome: str) -> None:  # noqa: ANN401 - a builder
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(lambda path, change: finalizer(path, change) or write_ahead(path, change))
        await asyncio.sleep(120)
        stage.retain()
        await asyncio.sleep(120)
        assert stage.condition("DeletionBlocked")["status"] == "True"
        again = Stage()
        again.cluster.bodies = stage.cluster.bodies
        for path in (ACCOUNT, PATH):
            body = stage.cluster.bodies[path]
            (again.world.cache.upsert_account if path == ACCOUNT else again.world.cache.observe_node_pool)(body)
        async with again.world.at_work():
            await asyncio.sleep(120)
        assert not again.is_there()
        (entry,) = again.cluster.bodies[ACCOUNT]["status"]["recentDeletions"]
        assert entry["outcome"] == outcome

    play(lambda: Stage(builder), scene)


def test_an_audit_entry_that_is_refused_holds_the_release_and_the_object_says_so() -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(account_status)
        await asyncio.sleep(60 * MINUTES)
        assert stage.is_there()
        blocked = stage.condition("DeletionBlocked")
        assert (blocked["status"], blocked["reason"]) == ("True", "ReleaseRefused")
        assert "not with us" in blocked["message"]
        assert len(stage.told("DeletionBlocked")) == 1
        assert stage.cluster.attempts(path=ACCOUNT)[ACCOUNT] <= QUICK + MINUTES + 1
        assert stage.world.parts.writes.unwritable() == {ACCOUNT_KIND: 1}
        stage.cluster.take_all()
        await asyncio.sleep(80)
        assert not stage.is_there()
        (entry,) = stage.cluster.bodies[ACCOUNT]["status"]["recentDeletions"]
        assert entry["outcome"] == "Gone"

    play(lambda: Stage(deleted()), scene)


def test_the_finalizer_of_an_account_that_is_refused_stands_in_the_way_of_nothing() -> None:
    async def scene(stage: Stage) -> None:
        stage.cluster.refuse(account_finalizer)
        await asyncio.sleep(120)
        assert not stage.is_there()
        (entry,) = stage.cluster.bodies[ACCOUNT]["status"]["recentDeletions"]
        assert entry["outcome"] == "Gone"
        assert stage.condition("Ready", ACCOUNT)["status"] == "True"
        assert len(stage.told("RefusedByAPIServer")) == 1
        await asyncio.sleep(60 * MINUTES)
        assert stage.cluster.attempts(path=ACCOUNT)[ACCOUNT] <= QUICK + MINUTES + 10

    play(lambda: Stage(deleted()), scene)


class StayingCloud(Cloud):
    """Its node pool shows nothing of a DELETE."""

    @override
    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        self.deletes += 1
        return Accepted(request_id="request-1")


def test_an_object_that_is_stripped_after_its_heir_went_is_told_as_a_leak() -> None:
    heir = a_node_pool("heir").standing_for("training-a").finalized()

    async def scene(stage: Stage) -> None:
        # The hand-over is refused, and then there is nothing to hand over to.
        stage.cluster.refuse(finalizer)
        await asyncio.sleep(30)
        before = stage.world.cloud.deletes
        stage.lose(f"{OBJECTS}/heir")
        await asyncio.sleep(120)
        assert (before, stage.world.cloud.deletes) == (0, 1)
        stage.lose(PATH)
        await asyncio.sleep(10)
        assert len(stage.told("Orphaned")) == 1

    play(lambda: Stage(deleted(), heir, cloud=StayingCloud()), scene)
