"""Keys from Secrets to clients."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from modelarts_nodepool.api.account import Credentials
from modelarts_nodepool.errors import (
    ClusterUnavailable,
    CredentialsUnavailable,
    ObjectGone,
)
from tests.unit.access.session_stage import ACCOUNT, EVERY, Stage, turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.clouds.aclose()


async def test_another_key_in_the_secret_is_used_within_a_poll(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    await stage.is_rejected()
    stage.secrets.secret_key = "right"
    stage.clock.advance(EVERY)
    await stage.look()
    assert stage.cloud.calls == ["wrong", "right"]


async def test_the_secret_is_read_twice_a_poll_at_most(stage: Stage) -> None:
    for _ in range(100):
        await stage.look()
        stage.clock.advance(EVERY / 20)
    assert len(stage.secrets.reads) == 10


async def test_a_cluster_in_trouble_leaves_the_last_key_in_use(stage: Stage) -> None:
    await stage.look()
    stage.secrets.failure = ClusterUnavailable("no answer")
    stage.clock.advance(EVERY)
    await stage.look()


@pytest.mark.parametrize(
    "failure",
    [ObjectGone("gone", status=404), ClusterUnavailable("forbidden", status=403)],
    ids=["deleted", "forbidden"],
)
async def test_a_secret_that_may_not_be_read_any_more_is_not_used_any_more(stage: Stage, failure: Exception) -> None:
    await stage.look()
    stage.secrets.failure = failure
    stage.clock.advance(EVERY)
    with pytest.raises(CredentialsUnavailable):
        await stage.look()
    assert stage.cloud.calls == ["right"]


async def test_a_changed_account_keeps_its_client_for_what_waits_for_an_answer(stage: Stage) -> None:
    await stage.look()
    slower = replace(ACCOUNT, spec=ACCOUNT.spec.model_copy(update={"poll_interval": EVERY * 6}))
    await stage.look(slower)
    assert len(stage.made) == 1
    assert not stage.cloud.is_closed


async def test_another_secret_is_read_at_once(stage: Stage) -> None:
    await stage.look()
    other = ACCOUNT.spec.model_copy(update={"credentials": Credentials(secret_name="other")})
    await stage.look(replace(ACCOUNT, spec=other))
    assert [path.rpartition("/")[2] for path in stage.secrets.reads][1:] == ["other"]


async def test_an_account_created_again_gets_a_client_of_its_own(stage: Stage) -> None:
    await stage.look()
    again = replace(ACCOUNT, metadata=replace(ACCOUNT.metadata, uid="another"))
    await stage.look(again)
    first, second = stage.made
    assert first.is_closed
    assert not second.is_closed


async def test_calls_by_two_keys_at_once_are_each_signed_with_their_own(stage: Stage) -> None:
    await stage.look()
    stage.cloud.gate.clear()
    by_first = asyncio.create_task(stage.look())
    await turns()
    stage.secrets.secret_key = "other-key"
    stage.clock.advance(EVERY)
    by_second = asyncio.create_task(stage.look())
    await turns()
    stage.cloud.right = "other-key"
    stage.cloud.gate.set()
    await asyncio.gather(by_first, by_second)
    # The first was rejected by then and went on with the key that had come meanwhile.
    assert stage.cloud.calls == ["right", "right", "other-key", "other-key"]


async def test_a_secret_whose_label_went_is_not_used_while_the_cluster_is_in_trouble(stage: Stage) -> None:
    await stage.look()
    stage.secrets.label = "false"
    stage.clock.advance(EVERY)
    with pytest.raises(CredentialsUnavailable, match="not labelled"):
        await stage.look()
    stage.secrets.failure = ClusterUnavailable("no answer")
    with pytest.raises(CredentialsUnavailable, match="could not be read"):
        await stage.look()


async def test_many_calls_wait_for_one_time_out_of_the_cluster_and_not_for_one_each(stage: Stage) -> None:
    await stage.look()
    stage.secrets.failure = ClusterUnavailable("no answer")
    stage.secrets.on_read = lambda: stage.clock.advance(EVERY * 2)
    stage.clock.advance(EVERY)
    await asyncio.gather(*(stage.look() for _ in range(10)))
    assert len(stage.secrets.reads) == 2
