"""Keys from Secrets to clients, and the breaker that keeps a wrong key from being locked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from modelarts_nodepool.access.gateway import REJECTED_FOR, TRIALS_AT_ONCE
from modelarts_nodepool.errors import (
    CredentialsRejected,
    NoAnswer,
    PermissionDenied,
)
from modelarts_nodepool.ports import ModelArts
from tests.support.builders import a_listing
from tests.unit.access.session_stage import ACCOUNT, Stage, turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.clouds.aclose()


async def test_a_rejected_key_is_not_used_again_for_five_minutes(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    await stage.is_rejected()
    for _ in range(4):
        stage.clock.advance(timedelta(minutes=1))
        await stage.is_rejected()
        with pytest.raises(CredentialsRejected, match="put a valid key into Secret operator/"):
            await stage.clouds.acquire_slot(ACCOUNT)
    assert stage.cloud.calls == ["wrong"]


async def test_an_answer_to_an_earlier_request_says_nothing_of_a_key_that_was_rejected_since(stage: Stage) -> None:
    await stage.look()
    answered = asyncio.Event()

    async def slow(_: ModelArts) -> None:
        await answered.wait()

    async def refused(_: ModelArts) -> None:
        raise CredentialsRejected("The key was rejected", status=401)

    early = asyncio.create_task(stage.clouds.call(ACCOUNT, slow))
    await turns()
    with pytest.raises(CredentialsRejected):
        await stage.clouds.call(ACCOUNT, refused)
    answered.set()
    await early
    await stage.is_rejected()
    assert stage.cloud.calls == ["right"]


async def test_after_five_minutes_one_probe_is_made_and_no_more(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    await stage.is_rejected()
    stage.clock.advance(REJECTED_FOR)
    stage.cloud.gate.clear()
    looks = [asyncio.create_task(stage.is_rejected()) for _ in range(5)]
    await turns()
    assert stage.cloud.waiting == 1
    stage.cloud.gate.set()
    await asyncio.gather(*looks)
    assert stage.cloud.calls == ["wrong", "wrong"]


async def test_a_key_that_the_cloud_accepts_again_is_used_after_five_minutes(stage: Stage) -> None:
    stage.secrets.secret_key = "late"
    await stage.is_rejected()
    stage.cloud.right = "late"
    await stage.is_rejected()
    stage.clock.advance(REJECTED_FOR)
    await stage.clouds.acquire_slot(ACCOUNT)
    assert await stage.look() == a_listing()


async def test_a_key_that_was_never_accepted_is_tried_by_few_calls_at_once(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    await stage.clouds.acquire_slot(ACCOUNT)
    stage.cloud.gate.clear()
    looks = [asyncio.create_task(stage.is_rejected()) for _ in range(20)]
    await turns()
    assert stage.cloud.waiting == TRIALS_AT_ONCE
    stage.cloud.gate.set()
    await asyncio.gather(*looks)
    assert len(stage.cloud.calls) == TRIALS_AT_ONCE


@pytest.mark.parametrize("failure", [None, PermissionDenied("no", status=403)], ids=["success", "no permission"])
async def test_a_key_that_was_accepted_is_used_by_all_at_once(stage: Stage, failure: Exception | None) -> None:
    await stage.clouds.acquire_slot(ACCOUNT)
    stage.cloud.failure = failure
    await asyncio.gather(stage.look(), return_exceptions=True)
    stage.cloud.gate.clear()
    looks = [asyncio.create_task(stage.look()) for _ in range(20)]
    await turns()
    assert stage.cloud.waiting == 20
    stage.cloud.gate.set()
    await asyncio.gather(*looks, return_exceptions=True)


async def test_no_answer_says_nothing_about_a_key(stage: Stage) -> None:
    await stage.clouds.acquire_slot(ACCOUNT)
    stage.cloud.failure = NoAnswer("nothing came back")
    with pytest.raises(NoAnswer):
        await stage.look()
    stage.cloud.failure = None
    await stage.look()


async def test_a_rejected_key_that_has_been_replaced_costs_one_bad_signature_and_no_failure(stage: Stage) -> None:
    await stage.look()
    stage.secrets.secret_key, stage.cloud.right = "new", "new"
    await stage.look()
    assert stage.cloud.calls == ["right", "right", "new"]


async def test_another_key_that_is_rejected_too_is_not_followed_by_a_third(stage: Stage) -> None:
    await stage.look()
    stage.secrets.secret_key, stage.cloud.right = "new", "unknown to us"
    await stage.is_rejected()
    assert stage.cloud.calls == ["right", "right", "new"]
    for _ in range(4):
        stage.secrets.secret_key = "new"
        await stage.is_rejected()
    assert stage.cloud.calls == ["right", "right", "new"]


async def test_a_key_known_to_be_rejected_is_not_asked_for_anew_at_every_call(stage: Stage) -> None:
    stage.secrets.secret_key = "wrong"
    for _ in range(20):
        await stage.is_rejected()
    assert len(stage.secrets.reads) == 2
    assert stage.cloud.calls == ["wrong"]
