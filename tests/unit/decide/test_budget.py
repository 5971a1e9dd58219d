"""What is used of a deletion budget, whose turn it is, and what the account remembers."""

from datetime import datetime, timedelta

import pytest

from modelarts_nodepool.api.account import AccountStatus, RecentDeletion
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.audit_entry import MOST, build_entry, keep_newest
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.deletion.guards import Place, Waiting, view_budget
from modelarts_nodepool.decide.observed import BudgetView
from tests.support.builders import NOON, a_node_pool, an_account
from tests.unit.decide.situations import HOUR, MINUTE, SECOND, a_deleted_object, a_deletion, sent

MINE = (NOON, "mine")


def an_entry(uid: str, sent: datetime | None = NOON - MINUTE, finished: datetime | None = None) -> RecentDeletion:
    return RecentDeletion(
        uid=uid,
        namespace="ml",
        name=uid,
        pool_name="pool-a",
        node_pool_name=uid,
        sent_time=sent,
        finished_time=finished or sent,
        outcome="Gone",
    )


def in_line(*places: Place) -> Waiting:
    waiting = Waiting()
    for place in places:
        waiting.add(place)
    return waiting


def limited(most: int, *entries: RecentDeletion) -> Account:
    account = an_account().limited(max=most, window="1h").build()
    return Account(metadata=account.metadata, spec=account.spec, status=AccountStatus(recent_deletions=entries))


def test_objects_and_remembered_deletions_count_once_each() -> None:
    account = limited(5, an_entry("a"), an_entry("b"))
    view = view_budget(account, MINE, {"b": NOON - MINUTE, "c": NOON - MINUTE}, in_line(), NOON)
    assert (view.limit, view.used, view.is_used_up) == (5, 3, False)


def test_what_left_the_window_counts_no_more() -> None:
    account = limited(1, an_entry("a", NOON - HOUR))
    assert not view_budget(account, MINE, {}, in_line(), NOON).is_used_up
    assert view_budget(account, MINE, {}, in_line(), NOON - SECOND).is_used_up


def test_an_entry_without_a_delete_uses_nothing() -> None:
    assert view_budget(limited(1, an_entry("a", None, NOON)), MINE, {}, in_line(), NOON).used == 0


def test_ones_own_earlier_attempt_needs_no_second_slot() -> None:
    assert not view_budget(limited(1, an_entry("mine")), MINE, {"mine": NOON}, in_line(), NOON).is_used_up


def test_a_reserved_slot_counts_before_it_is_written() -> None:
    assert view_budget(limited(1), MINE, {"other": None}, in_line(), NOON).is_used_up


def test_a_delete_from_the_future_counts() -> None:
    assert view_budget(limited(1), MINE, {"other": NOON + HOUR}, in_line(), NOON).is_used_up


def test_it_frees_when_enough_have_left_the_window() -> None:
    sent: dict[str, datetime | None] = {"a": NOON - 50 * MINUTE, "b": NOON - 40 * MINUTE, "c": NOON - 30 * MINUTE}
    assert view_budget(limited(3), MINE, sent, in_line(), NOON).frees_at == NOON + 10 * MINUTE
    assert view_budget(limited(2), MINE, sent, in_line(), NOON).frees_at == NOON + 20 * MINUTE
    assert view_budget(limited(4), MINE, sent, in_line(), NOON).frees_at is None


def test_a_free_slot_is_the_oldest_deletions() -> None:
    waiting = in_line((NOON - MINUTE, "old"), (NOON, "young"))
    assert not view_budget(limited(1), (NOON - MINUTE, "old"), {}, waiting, NOON).is_used_up
    young = view_budget(limited(1), (NOON, "young"), {}, waiting, NOON)
    assert (young.ahead, young.is_used_up) == (1, True)
    assert not view_budget(limited(2), (NOON, "young"), {}, waiting, NOON).is_used_up


def test_whoever_does_not_wait_yet_lets_those_pass_who_do() -> None:
    waiting = in_line((NOON - MINUTE, "old"))
    assert view_budget(limited(1), (NOON, "new"), {}, waiting, NOON).is_used_up


def test_whoever_has_a_slot_already_is_not_waited_for() -> None:
    waiting = in_line((NOON - MINUTE, "old"))
    view = view_budget(limited(2), (NOON, "young"), {"old": None}, waiting, NOON)
    assert (view.used, view.ahead, view.is_used_up) == (1, 0, False)


def test_whoever_waits_no_more_is_not_waited_for() -> None:
    waiting = in_line((NOON - MINUTE, "old"), (NOON - 2 * MINUTE, "older"))
    waiting.remove("old")
    waiting.remove("never waited")
    assert waiting.before((NOON, "young"), apart_from=()) == 1


def test_unlimited_is_never_used_up() -> None:
    account = an_account().limited(unlimited=True).build()
    assert view_budget(account, MINE, {"a": NOON}, in_line((NOON, "b")), NOON) == BudgetView(limit=None)


def test_the_newest_stand_first_and_a_hundred_are_kept() -> None:
    many = [an_entry(f"uid-{number:03}", NOON - timedelta(seconds=number)) for number in range(150)]
    merged = keep_newest([*many[75:], *many[:75]], HOUR, NOON)
    assert [entry.uid for entry in merged] == [f"uid-{number:03}" for number in range(MOST)]


@pytest.mark.parametrize("useless", [an_entry("x", None, NOON), an_entry("x", NOON - 2 * HOUR, NOON)])
def test_what_the_budget_does_not_need_is_evicted_first(useless: RecentDeletion) -> None:
    needed = [an_entry(f"uid-{number:03}", NOON - timedelta(minutes=30)) for number in range(MOST)]
    assert useless not in keep_newest([*needed, useless], HOUR, NOON)
    assert useless in keep_newest([*needed[1:], useless], HOUR, NOON)


@pytest.mark.parametrize(("confirmation", "is_confirmed"), [("training-a", True), ("another", False)])
def test_a_release_is_entered_with_who_what_and_how(confirmation: str, is_confirmed: bool) -> None:  # noqa: FBT001
    node_pool = a_deleted_object().annotated("modelarts.huaweicloud.com/confirm-delete", confirmation)
    observed = a_deletion(node_pool, record=sent(HOUR, accepted=True))
    entry = build_entry(observed, Release(Reason.GONE, "gone"), NOON + timedelta(milliseconds=1))
    assert entry is not None
    assert (entry.uid, entry.namespace, entry.name) == ("uid-of-training-a", "ml", "training-a")
    assert (entry.pool_name, entry.node_pool_name, entry.request_id) == ("pool-a", "training-a", "request-1")
    assert (entry.sent_time, entry.finished_time, entry.outcome) == (NOON - HOUR, NOON, "Gone")
    assert entry.confirmed is is_confirmed


def test_nothing_is_entered_where_nothing_of_the_cloud_is_known() -> None:
    observed = a_deletion(a_node_pool().finalized().being_deleted(), account=None)
    assert build_entry(observed, Release(Reason.RETAINED, "kept"), NOON) is None


def test_those_who_wait_are_listed_in_order_once_each() -> None:
    waiting = in_line((NOON, "b"), (NOON - MINUTE, "a"), (NOON - HOUR, "b"))
    assert (waiting.uids, len(waiting)) == (("b", "a"), 2)
    waiting.remove("b")
    waiting.remove("nobody-waits-under-this-uid")
    assert (waiting.uids, len(waiting)) == (("a",), 1)
