"""When an account that nobody uses is tried, in virtual time."""

import asyncio
from datetime import timedelta

from modelarts_nodepool.api.names import ACCOUNT_FINALIZER
from modelarts_nodepool.errors import CredentialsRejected, PermissionDenied, ServerFailure
from tests.support.virtual_time import run_at_once
from tests.unit.controllers.account_verification_stage import Stage, play

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
REJECTED = CredentialsRejected("401")
DOWN = ServerFailure("503", status=503)


def test_account_that_nobody_uses_is_asked_for_once_after_a_grace() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        await asyncio.sleep(4)
        assert stage.server.said == [("NotYetUsed", 1)]
        assert not stage.cloud.asked
        await asyncio.sleep(DAY)
        assert [round(when) for when in stage.cloud.asked] == [5]
        assert stage.server.said == [("NotYetUsed", 1), ("CredentialsValid", 1)]
        assert stage.server.objects["default"]["metadata"]["finalizers"] == [ACCOUNT_FINALIZER]

    play(scene)


def test_objects_that_come_within_the_grace_do_the_look_instead() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        await asyncio.sleep(3)
        stage.use()
        await asyncio.sleep(HOUR)
        assert not stage.cloud.asked
        assert stage.cloud.looks >= HOUR / MINUTE - 1
        stage.leave()
        await asyncio.sleep(HOUR)
        assert not stage.cloud.asked, "what an object found out is as good"
        assert stage.server.said[-1] == ("CredentialsValid", 1)

    play(scene)


def test_restart_after_a_success_costs_no_call_and_no_write() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        await asyncio.sleep(MINUTE)
        await stage.end()
        version = stage.server.version
        stage.lead()
        await asyncio.sleep(HOUR)
        assert len(stage.cloud.asked) == 1
        assert stage.server.version == version

    play(scene)


def test_rejected_key_is_said_and_tried_again_by_a_new_process() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        stage.cloud.error = REJECTED
        await asyncio.sleep(MINUTE)
        assert stage.server.said[-1] == ("CredentialsRejected", 1)
        await stage.end()
        version, stage.cloud.error = stage.server.version, REJECTED
        stage.lead()
        await asyncio.sleep(MINUTE)
        assert len(stage.cloud.asked) == 2
        assert stage.server.version == version, "it says nothing new"
        stage.cloud.error = None
        await asyncio.sleep(10 * MINUTE)
        assert stage.server.said[-1] == ("CredentialsValid", 1)

    play(scene)


def test_rejected_key_is_left_alone_by_the_breaker_for_five_minutes_each() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        stage.cloud.error = REJECTED
        await asyncio.sleep(HOUR)
        pauses = [later - earlier for earlier, later in zip(stage.cloud.asked, stage.cloud.asked[1:], strict=False)]
        assert len(pauses) >= 9
        assert min(pauses) >= 5 * MINUTE
        assert max(pauses) <= 6.5 * MINUTE
        assert stage.server.said == [("NotYetUsed", 1), ("CredentialsRejected", 1)]

    play(scene)


def test_missing_permission_is_asked_about_each_poll_interval_but_once_a_minute_at_most() -> None:
    async def asked(every: timedelta, minutes: int) -> int:
        stage = Stage()
        stage.lead()
        stage.create(every=every)
        stage.cloud.error = PermissionDenied("403", status=403)
        await asyncio.sleep(minutes * MINUTE)
        await stage.end()
        return len(stage.cloud.asked)

    assert run_at_once(lambda: asked(timedelta(seconds=1), 60)) == 60
    assert run_at_once(lambda: asked(timedelta(minutes=10), 60)) == 6


def test_cloud_that_is_away_is_asked_less_and_less_often_and_found_when_it_is_back() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        stage.cloud.error = DOWN
        await asyncio.sleep(3 * HOUR)
        asked = stage.cloud.asked
        assert [when for when in asked if when < 2 * MINUTE][2:], "soon again at first"
        assert 3 * HOUR / MINUTE / 6 <= len(asked) <= 120
        assert stage.server.said[-1] == ("NotYetUsed", 1)
        stage.cloud.error = None
        await asyncio.sleep(6 * MINUTE)
        assert stage.server.said[-1] == ("CredentialsValid", 1)

    play(scene)


def test_changed_spec_is_observed_only_once_it_was_tried() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        await asyncio.sleep(MINUTE)
        stage.cloud.error, written = REJECTED, len(stage.server.said)
        stage.change(generation=2)
        await asyncio.sleep(4)
        assert stage.server.said[written:] == [], "the last word is about another Secret"
        await asyncio.sleep(MINUTE)
        assert stage.server.said[written:] == [("CredentialsRejected", 2)]
        stage.cloud.error = None
        stage.change(generation=3)
        await asyncio.sleep(6 * MINUTE)
        # The breaker knows the key, and answers for the cloud at first.
        assert stage.server.said[written + 1 :] == [("CredentialsRejected", 3), ("CredentialsValid", 3)]
        stage.change(generation=4)
        await asyncio.sleep(HOUR)
        assert stage.server.said[written + 3 :] == [("CredentialsValid", 4)]

    play(scene)


def test_answer_about_an_account_that_changed_meanwhile_does_not_put_off_the_next_call() -> None:
    async def scene(stage: Stage) -> None:
        stage.cloud.seconds, stage.cloud.error = 20, ServerFailure("503", status=503, retry_after=timedelta(minutes=5))
        stage.create()
        await asyncio.sleep(24)
        assert len(stage.cloud.asked) == 1
        stage.change(generation=2)
        await asyncio.sleep(6)
        assert len(stage.cloud.asked) == 2
        stage.cloud.error = None
        await asyncio.sleep(MINUTE)
        assert stage.server.said == [("NotYetUsed", 1), ("CredentialsValid", 2)]

    play(scene)


def test_objects_whose_looks_fail_are_left_to_go_on_looking() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        stage.use()
        stage.cloud.error = DOWN
        await asyncio.sleep(HOUR)
        assert stage.cloud.looks > 1
        assert not stage.cloud.asked

    play(scene)


def test_account_that_is_deleted_meanwhile_is_not_asked_for() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        stage.create("other")
        await asyncio.sleep(1)
        stage.change(deletionTimestamp="2026-01-02T12:00:00Z")
        stage.cache.drop_account("other", "uid-of-other")
        del stage.server.objects["other"]
        await asyncio.sleep(HOUR)
        assert not stage.cloud.asked

    play(scene)


def test_failure_that_objects_leave_behind_is_tried_again_without_them() -> None:
    async def scene(stage: Stage) -> None:
        stage.create()
        stage.use()
        stage.cloud.error = REJECTED
        await asyncio.sleep(MINUTE)
        assert stage.server.said[-1] == ("CredentialsRejected", 1)
        stage.leave()
        stage.cloud.error = None
        await asyncio.sleep(10 * MINUTE)
        assert len(stage.cloud.asked) == 1
        assert stage.server.said[-1] == ("CredentialsValid", 1)

    play(scene)


def test_three_hundred_accounts_are_not_asked_for_all_at_once() -> None:
    async def scene(stage: Stage) -> None:
        for number in range(300):
            stage.create(f"account-{number}")
        await asyncio.sleep(MINUTE)
        asked = stage.cloud.asked
        assert len(asked) == 300
        assert max(asked) - min(asked) >= 5
        assert max(sum(int(when) == second for when in asked) for second in range(60)) <= 100

    play(scene)
