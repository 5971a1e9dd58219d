"""How often an account is written, with a clock by hand."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.api.account import RecentDeletion
from modelarts_nodepool.api.names import ACCOUNT_FINALIZER
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.controllers.workqueue import Key, Kind, Result
from modelarts_nodepool.errors import ObjectChanged
from tests.support.builders import NOON, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import SecretKeeper, a_clouds
from tests.support.controllers import build_parts

Body = Mapping[str, Any]
ACCOUNT = an_account()
TURNS = 50


class OneAccount(SecretKeeper):
    """An API server that holds one account; each write takes a turn of the event loop."""

    def __init__(self) -> None:
        self.body: dict[str, Any] = {
            "metadata": {**ACCOUNT.metadata, "finalizers": [ACCOUNT_FINALIZER]},
            "spec": dict(ACCOUNT.spec),
        }
        self.written: list[list[str]] = []
        self.outcomes: list[dict[str, str]] = []
        self.refusals = 0
        self.is_asked = asyncio.Event()

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        assert path.endswith("/status")
        status = patch[-1]["value"]
        recent = status.get("recentDeletions", [])
        self.written.append([entry["uid"] for entry in recent])
        self.outcomes.append({entry["uid"]: entry["outcome"] for entry in recent})
        self.is_asked.set()
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise ObjectChanged("409")
        version = str(int(self.body["metadata"]["resourceVersion"]) + 1)
        self.body = {**self.body, "metadata": {**self.body["metadata"], "resourceVersion": version}, "status": status}
        return self.body

    @override
    async def get(self, path: str) -> Body:
        return self.body

    def forget(self) -> None:
        """What was written until now is of no interest."""
        self.written.clear()
        self.outcomes.clear()
        self.is_asked.clear()


def an_entry(
    uid: str, outcome: str = "Unknown", sent: datetime | None = NOON, finished: datetime | None = None
) -> RecentDeletion:
    return RecentDeletion(
        uid=uid,
        namespace="ml",
        name=uid,
        pool_name="pool-a",
        node_pool_name=uid,
        sent_time=sent,
        finished_time=finished,
        outcome=outcome,
    )


class Stage:
    """Accounts as they are joined: each change in the cache adds their key. None is ever checked."""

    def __init__(self) -> None:
        self.clock, self.server = HandClock(), OneAccount()
        self.parts = build_parts(self.server, self.clock, a_clouds(self.server, self.clock))
        self.entries = self.parts.trail
        self.parts.cache.upsert_account(self.server.body)

    async def run(self) -> None:
        self.parts.manager.begin()
        await self.parts.queue.run(self._reconcile)

    async def _reconcile(self, key: Key) -> Result:
        return await self.parts.manager.reconcile(key) if key.kind is Kind.ACCOUNT else Result()

    def requeue(self) -> None:
        self.parts.queue.add(Key(Kind.ACCOUNT, "default"))

    def enter(self, uid: str) -> "asyncio.Future[None]":
        return self.entries.finish("default", an_entry(uid, "Gone", finished=NOON))

    def account(self) -> Account:
        return self.parts.cache.accounts["default"]

    async def settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def a_second_later(self) -> None:
        """The clock moves on and the timer rings."""
        self.clock.advance(timedelta(seconds=1))
        self.requeue()
        await self.settle()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    working = asyncio.create_task(stage.run())
    await stage.settle()
    # Its first status, without an entry.
    stage.server.forget()
    yield stage
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_an_entry_is_written_at_once_and_those_that_come_meanwhile_a_second_later(stage: Stage) -> None:
    first = stage.enter("a")
    await stage.server.is_asked.wait()
    # The write is under way: its own news must not carry these along.
    second, third = stage.enter("b"), stage.enter("c")
    await stage.settle()
    assert stage.server.written == [["a"]]
    assert (first.done(), second.done(), third.done()) == (True, False, False)
    await stage.a_second_later()
    assert [sorted(uids) for uids in stage.server.written] == [["a"], ["a", "b", "c"]]
    assert second.done()
    assert third.done()


async def test_an_entry_whose_write_is_refused_is_not_forgotten(stage: Stage) -> None:
    stage.server.refusals = 1
    entered = stage.enter("a")
    await stage.settle()
    assert not entered.done()
    await stage.a_second_later()
    assert entered.done()
    assert stage.server.written == [["a"], ["a"]]


async def test_a_delete_is_entered_within_a_second_and_its_answer_rides_along(stage: Stage) -> None:
    stage.entries.add("default", an_entry("a"))
    await stage.settle()
    assert stage.server.written == []
    stage.clock.advance(timedelta(milliseconds=300))
    stage.entries.add("default", an_entry("a", "Accepted"))
    await stage.settle()
    assert stage.server.written == []
    stage.clock.advance(timedelta(milliseconds=700))
    stage.requeue()
    await stage.settle()
    assert stage.server.outcomes == [{"a": "Accepted"}]


async def test_a_delete_that_is_not_answered_is_entered_as_unknown_and_its_answer_later(stage: Stage) -> None:
    stage.entries.add("default", an_entry("a"))
    await stage.a_second_later()
    stage.entries.add("default", an_entry("a", "Accepted"))
    await stage.a_second_later()
    await stage.a_second_later()
    assert stage.server.outcomes == [{"a": "Unknown"}, {"a": "Accepted"}]


async def test_a_release_waits_for_its_own_entry_and_not_for_that_of_its_delete(stage: Stage) -> None:
    stage.entries.add("default", an_entry("a", "Accepted"))
    stage.clock.advance(timedelta(seconds=1))
    stage.requeue()
    await stage.server.is_asked.wait()
    released = stage.enter("a")
    await stage.settle()
    assert stage.server.outcomes == [{"a": "Accepted"}]
    assert not released.done()
    await stage.a_second_later()
    assert stage.server.outcomes[1:] == [{"a": "Gone"}]
    assert released.done()


async def test_a_delete_that_never_left_costs_no_write_at_all(stage: Stage) -> None:
    stage.requeue()
    await stage.settle()
    stage.server.written.clear()
    stage.entries.add("default", an_entry("a"))
    stage.entries.withdraw("default", "a")
    assert stage.entries.applied_to(stage.account()).status.recent_deletions == ()
    await stage.a_second_later()
    assert stage.server.written == []
    assert stage.entries.due_in("default") is None


async def test_an_entry_of_a_delete_without_effect_is_taken_back(stage: Stage) -> None:
    stage.entries.add("default", an_entry("a"))
    stage.entries.add("default", an_entry("b"))
    await stage.a_second_later()
    stage.entries.withdraw("default", "a")
    await stage.a_second_later()
    assert [sorted(uids) for uids in stage.server.written] == [["a", "b"], ["b"]]


async def test_what_is_entered_counts_before_it_is_written(stage: Stage) -> None:
    stage.entries.add("default", an_entry("a"))
    assert [entry.uid for entry in stage.entries.applied_to(stage.account()).status.recent_deletions] == ["a"]
    assert stage.entries.find(stage.account(), "a") == an_entry("a")
    assert stage.account().status.recent_deletions == ()


@pytest.mark.parametrize(
    ("stored", "found", "written"),
    [
        pytest.param(an_entry("a", "Accepted"), an_entry("a"), "Accepted", id="the same DELETE"),
        pytest.param(an_entry("a", "Gone", finished=NOON), an_entry("a"), "Gone", id="released meanwhile"),
        pytest.param(
            an_entry("a", "Accepted", NOON - timedelta(hours=1)), an_entry("a"), "Unknown", id="an earlier one"
        ),
        pytest.param(an_entry("a", "Refused", None, NOON), an_entry("a"), "Unknown", id="a refused one"),
    ],
)
async def test_what_an_object_tells_is_entered_only_where_the_account_has_no_word_of_it(
    stage: Stage, stored: RecentDeletion, found: RecentDeletion, written: str
) -> None:
    stage.entries.add_if_missing("default", found)
    # Somebody else writes it first: another installation, or the leader before this one.
    stage.entries.finish("default", stored)
    await stage.settle()
    stage.entries.add_if_missing("default", found)
    await stage.a_second_later()
    await stage.a_second_later()
    assert stage.server.outcomes[-1] == {"a": written}
    assert stage.entries.due_in("default") is None


async def test_many_deletes_and_releases_cost_one_write_a_second(stage: Stage) -> None:
    for second in range(5):
        for number in range(10):
            stage.entries.add("default", an_entry(f"{second}-{number}"))
            await stage.settle()
            stage.entries.add("default", an_entry(f"{second}-{number}", "Accepted"))
            stage.enter(f"{second}-{number}")
            stage.clock.advance(timedelta(milliseconds=100))
            await stage.settle()
    await stage.a_second_later()
    assert len(stage.server.written) <= 6
    assert set(stage.server.outcomes[-1].values()) == {"Gone"}
    assert len(stage.server.outcomes[-1]) == 50


async def test_nothing_is_written_where_nothing_is_new(stage: Stage) -> None:
    stage.enter("a")
    await stage.settle()
    stage.entries.finish("default", an_entry("a", "Gone", finished=NOON))
    stage.entries.add_if_missing("default", an_entry("a"))
    await stage.a_second_later()
    await stage.a_second_later()
    assert stage.server.written == [["a"]]
