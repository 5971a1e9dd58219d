"""Objects whose namespace is gone although they are still there: no write works, nothing spins, and it is said.

The whole engine in virtual time. When the namespace is created again, what went with the old one is held.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from tests.support.builders import NOON, NodePoolBuilder, a_node_pool, an_account
from tests.support.conditions import condition_of
from tests.support.virtual_time import run_at_once
from tests.unit.controllers.memory_growth_stage import World

_API = "/apis/modelarts.huaweicloud.com/v1alpha1"
_PATH = f"{_API}/namespaces/ml/modelartsnodepools/training-a"
_CONFIRM = "modelarts.huaweicloud.com/confirm-delete"
MINUTES = 10
# A write every minute once the pauses have grown, and those of the polls, which are news.
MOST_WRITES = 30


def _play(builder: NodePoolBuilder, scene: Callable[[World], Awaitable[None]]) -> None:
    """The object is known and the namespace gone when the engine begins."""

    async def main() -> None:
        world = World()
        account = an_account().polling(timedelta(seconds=60), timedelta(seconds=60)).limited(unlimited=True).body()
        world.cache.upsert_account(world.cluster.put(f"{_API}/modelartsaccounts/default", account))
        world.cache.observe_node_pool(world.cluster.put(_PATH, deepcopy(builder.body())))
        async with world.at_work():
            await scene(world)

    run_at_once(main)


def _deleted() -> NodePoolBuilder:
    return a_node_pool().finalized().pinned().being_deleted(NOON - timedelta(minutes=1))


@contextmanager
def _told(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield
    assert "kubectl create namespace ml" in caplog.text


@pytest.mark.parametrize(
    "builder",
    [
        pytest.param(a_node_pool(), id="new"),
        pytest.param(a_node_pool().finalized(), id="not mirrored yet"),
        pytest.param(_deleted(), id="deleted"),
        pytest.param(_deleted().annotated(_CONFIRM, "training-a"), id="confirmed"),
        pytest.param(_deleted().retained(), id="retained"),
    ],
)
def test_what_has_no_namespace_is_written_to_in_vain_now_and_then_and_that_is_said(
    builder: NodePoolBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(world: World) -> None:
        await asyncio.sleep(60 * MINUTES)
        assert world.cloud.deletes == 0
        assert 0 < world.cluster.homeless <= MOST_WRITES
        assert _PATH in world.cluster.bodies

    with _told(caplog):
        _play(builder, scene)


def test_what_was_deleted_with_its_namespace_is_held_when_that_is_created_again() -> None:
    async def scene(world: World) -> None:
        await asyncio.sleep(60)
        world.put_namespace("ml", NOON)
        await world.until(lambda: "created again" in _held(world).get("message", ""))
        assert _held(world)["reason"] == "NamespaceTerminating"
        assert world.cloud.deletes == 0

    _play(_deleted(), scene)


def test_what_was_confirmed_goes_when_its_namespace_is_created_again() -> None:
    async def scene(world: World) -> None:
        await asyncio.sleep(60)
        world.put_namespace("ml", NOON)
        await world.until(lambda: _PATH not in world.cluster.bodies)
        assert world.cloud.deletes == 1

    _play(_deleted().annotated(_CONFIRM, "training-a"), scene)


def _held(world: World) -> dict[str, Any]:
    found = condition_of(world.cluster.bodies[_PATH], "DeletionBlocked")
    return dict(found) if found else {}
