"""A temporary key kept fresh: never stale, never a storm, never in the way."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from modelarts_nodepool.credentials.refresher import RENEW_INTERVAL, RETRY_BACKOFF, refresh_at, usable_until
from modelarts_nodepool.errors import CredentialsUnavailable
from tests.support.builders import NOON
from tests.unit.credentials.refresher_stage import HOUR, Stage, turns

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.refresher.aclose()


async def test_a_key_is_asked_for_once_and_used_until_shortly_before_its_end(stage: Stage) -> None:
    for _ in range(30):
        assert await stage.key() == "AK1"
        stage.clock.advance(MINUTE)
    assert stage.issuer.asked == 1


async def test_many_calls_at_once_share_one_refresh(stage: Stage) -> None:
    stage.issuer.gate.clear()
    calls = [asyncio.create_task(stage.refresher.current()) for _ in range(50)]
    await turns()
    stage.issuer.gate.set()
    assert {key.access for key in await asyncio.gather(*calls)} == {"AK1"}
    assert stage.issuer.asked == 1


async def test_no_call_waits_for_an_issuer_that_hangs_while_the_key_is_good(stage: Stage) -> None:
    await stage.key()
    stage.issuer.gate.clear()
    stage.clock.advance(HOUR / 2)
    assert [await stage.key() for _ in range(10)] == ["AK1"] * 10
    assert stage.issuer.asked == 2
    stage.issuer.gate.set()
    await turns()
    assert await stage.key() == "AK2"


async def test_an_issuer_that_gives_short_lived_keys_is_not_asked_at_every_call(stage: Stage) -> None:
    stage.issuer.lasting = timedelta(minutes=30)
    for _ in range(60 * 60):
        await stage.key()
        stage.clock.advance(timedelta(seconds=1))
    # Half of thirty minutes is fifteen: four in an hour, where the SDK asks 3600 times.
    assert stage.issuer.asked == 4


async def test_a_key_that_ends_while_a_deletion_waits_two_hours_is_replaced_before_it_ends(stage: Stage) -> None:
    for _ in range(120):
        key = await stage.refresher.current()
        assert key.expires is not None
        assert key.expires > stage.clock.now()
        await turns()
        stage.clock.advance(MINUTE)
    assert stage.issuer.given > 2


async def test_a_good_key_is_used_while_refreshes_fail(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    await stage.key()
    stage.fail()
    stage.clock.advance(HOUR / 2)
    while stage.clock.now() < stage.refresher._held.usable_until:  # type: ignore[union-attr]  # noqa: SLF001 - its end
        assert await stage.key() == "AK1"
        stage.clock.advance(timedelta(seconds=1))
    with pytest.raises(CredentialsUnavailable, match="did not answer"):
        await stage.key()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings[0].getMessage().startswith("credentials were not refreshed, the last key stays in use")
    assert "SK1" not in caplog.text


async def test_failed_refreshes_are_spaced_out_to_a_minute(stage: Stage) -> None:
    stage.fail()
    for _ in range(30 * 60):
        with pytest.raises(CredentialsUnavailable):
            await stage.key()
        stage.clock.advance(timedelta(seconds=1))
    # 2, 4, 8, 16 and 32 seconds, then a minute each time.
    assert 30 <= stage.issuer.asked <= 35


async def test_an_issuer_that_is_back_is_believed_within_a_minute(stage: Stage) -> None:
    stage.fail()
    for _ in range(600):
        with pytest.raises(CredentialsUnavailable):
            await stage.key()
        stage.clock.advance(timedelta(seconds=1))
    stage.issuer.failure = None
    stage.clock.advance(MINUTE)
    assert await stage.key() == "AK1"


async def test_the_same_trouble_has_the_same_words(stage: Stage) -> None:
    stage.fail()
    said = set()
    for _ in range(10):
        with pytest.raises(CredentialsUnavailable) as caught:
            await stage.key()
        said.add(str(caught.value))
        stage.clock.advance(MINUTE)
    assert len(said) == 1


async def test_an_issuer_that_words_each_refusal_anew_is_quoted_with_its_first_words(stage: Stage) -> None:
    said = []
    for code, words in [("A", "at 12:00"), ("A", "at 12:01"), ("B", "at 12:02"), ("B", "at 12:03")]:
        stage.fail(f"the issuer gave no credentials: 403 ({code}: {words}); look there")
        with pytest.raises(CredentialsUnavailable) as caught:
            await stage.key()
        said.append(str(caught.value).partition(": 403 ")[2])
        stage.clock.advance(MINUTE)
    first, second = "(A: at 12:00); look there", "(B: at 12:02); look there"
    assert said == [first, first, second, second]


async def test_a_rejected_key_is_asked_for_anew_at_once(stage: Stage) -> None:
    first = await stage.refresher.current()
    second = await stage.refresher.renew(first)
    assert second.access == "AK2"
    assert await stage.key() == "AK2"


async def test_many_calls_that_are_rejected_at_once_share_one_refresh(stage: Stage) -> None:
    first = await stage.refresher.current()
    stage.issuer.gate.clear()
    calls = [asyncio.create_task(stage.refresher.renew(first)) for _ in range(50)]
    await turns()
    stage.issuer.gate.set()
    assert {key.access for key in await asyncio.gather(*calls)} == {"AK2"}
    assert stage.issuer.asked == 2


async def test_an_issuer_that_keeps_giving_the_rejected_key_is_asked_once_in_five_minutes(stage: Stage) -> None:
    stage.issuer.repeats = True
    first = await stage.refresher.current()
    for _ in range(60):
        assert (await stage.refresher.renew(first)).is_same(first)
        stage.clock.advance(timedelta(seconds=2))
    assert stage.issuer.asked == 2
    stage.clock.advance(RENEW_INTERVAL)
    await stage.refresher.renew(first)
    assert stage.issuer.asked == 3


async def test_a_rejection_of_an_old_key_costs_no_refresh(stage: Stage) -> None:
    first = await stage.refresher.current()
    await stage.refresher.renew(first)
    assert (await stage.refresher.renew(first)).access == "AK2"
    assert stage.issuer.asked == 2


async def test_a_rejected_key_stays_where_the_issuer_is_down(stage: Stage) -> None:
    first = await stage.refresher.current()
    stage.fail()
    assert (await stage.refresher.renew(first)).is_same(first)


async def test_a_fault_of_ours_is_an_ordinary_failure(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.issuer.failure = KeyError("what nobody foresaw")
    with pytest.raises(CredentialsUnavailable, match="see the operator's log"):
        await stage.key()
    assert "credentials could not be refreshed" in caplog.text
    stage.issuer.failure = None
    stage.clock.advance(MINUTE)
    assert await stage.key() == "AK1"


async def test_a_call_that_is_given_up_does_not_take_the_refresh_along(stage: Stage) -> None:
    stage.issuer.gate.clear()
    given_up = asyncio.create_task(stage.refresher.current())
    other = asyncio.create_task(stage.refresher.current())
    await turns()
    given_up.cancel()
    await turns()
    stage.issuer.gate.set()
    assert (await other).access == "AK1"
    assert stage.issuer.asked == 1


async def test_closing_ends_a_refresh_that_hangs(stage: Stage) -> None:
    stage.issuer.gate.clear()
    waiting = asyncio.create_task(stage.refresher.current())
    await turns()
    await stage.refresher.aclose()
    with pytest.raises(CredentialsUnavailable):
        await waiting


@pytest.mark.parametrize(
    ("lasting", "refreshed", "used"),
    [
        (24 * 60 * MINUTE, 24 * 60 * MINUTE - 40 * MINUTE, 24 * 60 * MINUTE - 5 * SECOND),
        (80 * MINUTE, 40 * MINUTE, 80 * MINUTE - 5 * SECOND),
        (30 * MINUTE, 15 * MINUTE, 30 * MINUTE - 5 * SECOND),
        (60 * SECOND, 30 * SECOND, 55 * SECOND),
        (10 * SECOND, 5 * SECOND, 9 * SECOND),
        (4 * SECOND, 5 * SECOND, 3.6 * SECOND),
    ],
    ids=["a day", "where the SDK's margin is half", "less than the SDK's margin", "a minute", "ten seconds", "a blink"],
)
def test_a_key_is_refreshed_by_half_its_life_and_used_almost_to_its_end(
    lasting: timedelta, refreshed: timedelta, used: timedelta
) -> None:
    assert refresh_at(NOON, NOON + lasting) == NOON + refreshed
    assert usable_until(NOON, NOON + lasting) == NOON + used


def test_failed_refreshes_wait_twice_as_long_each_time_up_to_a_minute() -> None:
    waits = [RETRY_BACKOFF.after(failures).total_seconds() for failures in (1, 2, 3, 4, 5, 6, 7, 1000)]
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
