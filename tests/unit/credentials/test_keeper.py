"""A temporary key kept fresh: never stale, never a storm, never in the way."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from modelarts_nodepool.credentials.refresher import RENEW_PAUSE
from modelarts_nodepool.errors import CredentialsUnavailable
from tests.unit.credentials.issuing import HOUR, Desk, turns

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.keeper.aclose()


async def test_a_key_is_asked_for_once_and_used_until_shortly_before_its_end(desk: Desk) -> None:
    for _ in range(30):
        assert await desk.key() == "AK1"
        desk.clock.advance(MINUTE)
    assert desk.issuer.asked == 1


async def test_many_calls_at_once_share_one_refresh(desk: Desk) -> None:
    desk.issuer.gate.clear()
    calls = [asyncio.create_task(desk.keeper.current()) for _ in range(50)]
    await turns()
    desk.issuer.gate.set()
    assert {key.access for key in await asyncio.gather(*calls)} == {"AK1"}
    assert desk.issuer.asked == 1


async def test_no_call_waits_for_an_issuer_that_hangs_while_the_key_is_good(desk: Desk) -> None:
    await desk.key()
    desk.issuer.gate.clear()
    desk.clock.advance(HOUR / 2)
    assert [await desk.key() for _ in range(10)] == ["AK1"] * 10
    assert desk.issuer.asked == 2
    desk.issuer.gate.set()
    await turns()
    assert await desk.key() == "AK2"


async def test_an_issuer_that_gives_short_lived_keys_is_not_asked_at_every_call(desk: Desk) -> None:
    desk.issuer.lasting = timedelta(minutes=30)
    for _ in range(60 * 60):
        await desk.key()
        desk.clock.advance(timedelta(seconds=1))
    # Half of thirty minutes is fifteen: four in an hour, where the SDK asks 3600 times.
    assert desk.issuer.asked == 4


async def test_a_key_that_ends_while_a_deletion_waits_two_hours_is_replaced_before_it_ends(desk: Desk) -> None:
    for _ in range(120):
        key = await desk.keeper.current()
        assert key.expires is not None
        assert key.expires > desk.clock.now()
        await turns()
        desk.clock.advance(MINUTE)
    assert desk.issuer.given > 2


async def test_a_good_key_is_used_while_refreshes_fail(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.key()
    desk.fail()
    desk.clock.advance(HOUR / 2)
    while desk.clock.now() < desk.keeper._held.usable_until:  # type: ignore[union-attr]  # noqa: SLF001 - its end
        assert await desk.key() == "AK1"
        desk.clock.advance(timedelta(seconds=1))
    with pytest.raises(CredentialsUnavailable, match="did not answer"):
        await desk.key()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings[0].getMessage().startswith("credentials were not refreshed, the last ones are still used")
    assert "SK1" not in caplog.text


async def test_failed_refreshes_are_spaced_out_to_a_minute(desk: Desk) -> None:
    desk.fail()
    for _ in range(30 * 60):
        with pytest.raises(CredentialsUnavailable):
            await desk.key()
        desk.clock.advance(timedelta(seconds=1))
    # 2, 4, 8, 16 and 32 seconds, then a minute each time.
    assert 30 <= desk.issuer.asked <= 35


async def test_an_issuer_that_is_back_is_believed_within_a_minute(desk: Desk) -> None:
    desk.fail()
    for _ in range(600):
        with pytest.raises(CredentialsUnavailable):
            await desk.key()
        desk.clock.advance(timedelta(seconds=1))
    desk.issuer.failure = None
    desk.clock.advance(MINUTE)
    assert await desk.key() == "AK1"


async def test_the_same_trouble_has_the_same_words(desk: Desk) -> None:
    desk.fail()
    said = set()
    for _ in range(10):
        with pytest.raises(CredentialsUnavailable) as caught:
            await desk.key()
        said.add(str(caught.value))
        desk.clock.advance(MINUTE)
    assert len(said) == 1


async def test_an_issuer_that_words_each_refusal_anew_is_quoted_with_its_first_words(desk: Desk) -> None:
    said = []
    for code, words in [("A", "at 12:00"), ("A", "at 12:01"), ("B", "at 12:02"), ("B", "at 12:03")]:
        desk.fail(f"the issuer gave no credentials: 403 ({code}: {words}); look there")
        with pytest.raises(CredentialsUnavailable) as caught:
            await desk.key()
        said.append(str(caught.value).partition(": 403 ")[2])
        desk.clock.advance(MINUTE)
    first, second = "(A: at 12:00); look there", "(B: at 12:02); look there"
    assert said == [first, first, second, second]


async def test_a_rejected_key_is_asked_for_anew_at_once(desk: Desk) -> None:
    first = await desk.keeper.current()
    second = await desk.keeper.renew(first)
    assert second.access == "AK2"
    assert await desk.key() == "AK2"


async def test_many_calls_that_are_rejected_at_once_share_one_refresh(desk: Desk) -> None:
    first = await desk.keeper.current()
    desk.issuer.gate.clear()
    calls = [asyncio.create_task(desk.keeper.renew(first)) for _ in range(50)]
    await turns()
    desk.issuer.gate.set()
    assert {key.access for key in await asyncio.gather(*calls)} == {"AK2"}
    assert desk.issuer.asked == 2


async def test_an_issuer_that_keeps_giving_the_rejected_key_is_asked_once_in_five_minutes(desk: Desk) -> None:
    desk.issuer.repeats = True
    first = await desk.keeper.current()
    for _ in range(60):
        assert (await desk.keeper.renew(first)).is_same(first)
        desk.clock.advance(timedelta(seconds=2))
    assert desk.issuer.asked == 2
    desk.clock.advance(RENEW_PAUSE)
    await desk.keeper.renew(first)
    assert desk.issuer.asked == 3


async def test_a_rejection_of_an_old_key_costs_no_refresh(desk: Desk) -> None:
    first = await desk.keeper.current()
    await desk.keeper.renew(first)
    assert (await desk.keeper.renew(first)).access == "AK2"
    assert desk.issuer.asked == 2


async def test_a_rejected_key_stays_where_the_issuer_is_down(desk: Desk) -> None:
    first = await desk.keeper.current()
    desk.fail()
    assert (await desk.keeper.renew(first)).is_same(first)


async def test_a_fault_of_ours_is_an_ordinary_failure(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.issuer.failure = KeyError("what nobody foresaw")
    with pytest.raises(CredentialsUnavailable, match="see the operator's log"):
        await desk.key()
    assert "credentials could not be refreshed" in caplog.text
    desk.issuer.failure = None
    desk.clock.advance(MINUTE)
    assert await desk.key() == "AK1"


async def test_a_call_that_is_given_up_does_not_take_the_refresh_along(desk: Desk) -> None:
    desk.issuer.gate.clear()
    given_up = asyncio.create_task(desk.keeper.current())
    other = asyncio.create_task(desk.keeper.current())
    await turns()
    given_up.cancel()
    await turns()
    desk.issuer.gate.set()
    assert (await other).access == "AK1"
    assert desk.issuer.asked == 1


async def test_closing_ends_a_refresh_that_hangs(desk: Desk) -> None:
    desk.issuer.gate.clear()
    waiting = asyncio.create_task(desk.keeper.current())
    await turns()
    await desk.keeper.aclose()
    with pytest.raises(CredentialsUnavailable):
        await waiting
