"""Rows 1, 2 and 2a of the status table: what an object that is being deleted says, and what is worth a write."""

from dataclasses import replace
from datetime import timedelta

import pytest

from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.node_pool import Counts, DeletionRecord, NodePoolStatus, SendOutcome
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Release, Send, Wait
from modelarts_nodepool.decide.deletion.status import (
    build_write_ahead,
    decide_deleting_status,
    is_worth_a_write,
    queued,
)
from modelarts_nodepool.decide.observed import DeletionObserved, Fact
from tests.support.builders import NOON, a_listing, a_node_pool, an_account, an_unreadable_node_pool
from tests.unit.decide.situations import (
    HOUR,
    MINUTE,
    MONOTONIC,
    SECOND,
    a_deleted_object,
    a_deletion,
    listed,
    looked,
    not_listed,
    refused,
    sent,
)

HELD = Hold(Reason.PAUSED, "unpause it", MINUTE)
PASSING = Hold(Reason.CLOUD_UNAVAILABLE, "503", MINUTE, is_transient=True)
WAITING = Wait(Reason.DELETING_NODE_POOL, "1 of 3", 10 * SECOND)
STUCK = Wait(Reason.DELETION_STUCK, "open a ticket", 10 * SECOND, is_stuck=True)
NO_TIME = timedelta()
DELETED = a_deleted_object()


def said(status: NodePoolStatus | None) -> dict[str, tuple[str, str]]:
    assert status is not None
    return {condition.type.value: (condition.status.value, condition.reason) for condition in status.conditions}


def blocked(
    reason: Reason = Reason.PAUSED,
    words: str = "unpause it",
    status: ConditionStatus = ConditionStatus.TRUE,
) -> Condition:
    return Condition(
        type=ConditionType.DELETION_BLOCKED,
        status=status,
        reason=reason,
        message=words,
        observed_generation=2,
        last_transition_time=NOON,
    )


def status_of(observed: DeletionObserved, decision: Decision, held_for: timedelta = NO_TIME) -> NodePoolStatus | None:
    return decide_deleting_status(observed, decision, held_for, NOON)


DELETING = {"Reconciling": ("True", "DeletingNodePool"), "Ready": ("False", "DeletingNodePool")}


def told(reason: str) -> dict[str, tuple[str, str]]:
    general = ("True", "DeletionBlocked"), ("False", "DeletionBlocked")
    return {"Reconciling": general[0], "Ready": general[1], "DeletionBlocked": ("True", reason)}


@pytest.mark.parametrize(
    ("decision", "held_for", "expected"),
    [
        (WAITING, NO_TIME, DELETING),
        (STUCK, NO_TIME, told("DeletionStuck")),
        (HELD, 5 * SECOND, told("Paused")),
        (HELD, 4.9 * SECOND, None),
        (PASSING, 5 * MINUTE, told("CloudUnavailable")),
        (PASSING, 5 * MINUTE - SECOND, None),
        (replace(HELD, reason=Reason.REFUSED_BY_MODELARTS), NO_TIME, told("RefusedByModelArts")),
        (replace(HELD, reason=Reason.DELETION_REVERTED), NO_TIME, told("DeletionReverted")),
        (Look(frozenset({Fact.LISTING})), HOUR, None),
        (Send(), HOUR, None),
        (Release(Reason.GONE, "gone"), HOUR, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_said_when(
    decision: Decision, held_for: timedelta, expected: dict[str, tuple[str, str]] | None
) -> None:
    status = status_of(a_deletion(), decision, held_for)
    assert (status and said(status)) == expected
    if status is not None and isinstance(decision, Hold | Wait):
        assert {condition.message for condition in status.conditions} == {decision.message}
        assert status.observed_generation == 2
        assert {condition.observed_generation for condition in status.conditions} == {2}


def test_once_told_the_next_hold_is_told_at_once_unless_it_passes() -> None:
    observed = a_deletion(DELETED.saying(blocked()))
    other = replace(HELD, reason=Reason.OTHER_FINALIZERS)
    assert said(status_of(observed, other))["DeletionBlocked"] == ("True", "OtherFinalizers")
    assert status_of(observed, PASSING) is None
    was = a_deletion(DELETED.saying(blocked(status=ConditionStatus.FALSE)))
    assert status_of(was, other) is None


def test_a_hold_that_ends_takes_its_condition_with_it() -> None:
    assert said(status_of(a_deletion(DELETED.saying(blocked())), WAITING)) == DELETING


def test_after_a_write_ahead_what_came_of_it_is_said_before_the_hold_is() -> None:
    for record in (sent(HOUR), DeletionRecord(attempt=1)):
        status = status_of(a_deletion(record=record), PASSING)
        assert said(status) == DELETING
        assert status is not None
        assert status.deletion == record
        assert status.conditions[0].message == "503"
    kept = status_of(a_deletion(DELETED.saying(blocked()), record=sent(HOUR)), PASSING)
    assert said(kept) == told("Paused")
    assert kept is not None
    assert kept.conditions[0].message == "unpause it"


def test_who_waits_for_its_turn_is_not_blocked_any_more_and_nothing_is_said_of_a_delete() -> None:
    observed = a_deletion(DELETED.saying(blocked()))
    assert observed.identity is not None
    status = status_of(observed, queued(observed.identity, MINUTE))
    assert said(status) == DELETING
    assert status is not None
    assert status.deletion is None
    assert "is queued" in status.conditions[0].message
    assert status.conditions[0].message.endswith("kubectl get manp -A -o wide")


def test_words_that_only_repeat_themselves_stay() -> None:
    passing = a_deletion(DELETED.saying(blocked(Reason.CLOUD_UNAVAILABLE, "502 at noon")))
    status = status_of(passing, PASSING, 5 * MINUTE)
    assert status is not None
    assert {condition.message for condition in status.conditions} == {"502 at noon"}
    other = status_of(a_deletion(DELETED.saying(blocked())), replace(HELD, message="new words"))
    assert other is not None
    assert {condition.message for condition in other.conditions} == {"new words"}
    unlike = status_of(a_deletion(DELETED.saying(blocked())), PASSING, 5 * MINUTE)
    assert unlike is not None
    assert {condition.message for condition in unlike.conditions} == {"503"}
    refusal = Hold(Reason.REFUSED_BY_MODELARTS, "it was answered 400: in use", MINUTE)
    before = blocked(Reason.REFUSED_BY_MODELARTS, "it was answered 400: a default node pool")
    anew = status_of(a_deletion(DELETED.saying(before)), refusal)
    assert anew is not None
    assert {condition.message for condition in anew.conditions} == {refusal.message}


def test_paused_and_nodes_healthy_stand_beside() -> None:
    healthy = blocked().model_copy(update={"type": ConditionType.NODES_HEALTHY, "reason": "NodesAbnormal"})
    status = status_of(a_deletion(DELETED.paused().saying(healthy)), WAITING)
    assert list(said(status)) == ["Reconciling", "Ready", "NodesHealthy", "Paused"]
    assert said(status)["NodesHealthy"] == ("True", "NodesAbnormal")


def test_the_counts_are_mirrored_and_the_last_ones_kept() -> None:
    status = status_of(a_deletion(listing=listed(available=1, deleting=2)), WAITING)
    assert status is not None
    assert status.counts == Counts(available=1, deleting=2)
    known = DELETED.showing(status)
    for listing in (None, not_listed(), looked(a_listing(an_unreadable_node_pool()))):
        later = status_of(a_deletion(known, listing=listing), WAITING)
        assert later is not None
        assert later.counts == Counts(available=1, deleting=2)


UNSEEN = a_node_pool().finalized().being_deleted(NOON - HOUR)


def test_the_write_ahead_pins_the_identity_that_the_list_shows() -> None:
    observed = a_deletion(UNSEEN)
    status = build_write_ahead(observed, NOON)
    assert observed.account is not None
    assert status.identity == observed.account.identity
    assert said(status) == DELETING
    assert status.deletion == DeletionRecord(attempt=1, sent_time=NOON, outcome=SendOutcome.UNKNOWN)
    assert "is being sent" in status.conditions[0].message


def test_nothing_is_pinned_that_was_not_seen_or_is_not_granted() -> None:
    for observed in (
        a_deletion(UNSEEN, listing=not_listed()),
        a_deletion(UNSEEN, listing=None),
        a_deletion(UNSEEN, account=None),
        a_deletion(UNSEEN, account=an_account().granting_nothing().seen_by(UNSEEN.build())),
    ):
        status = status_of(observed, HELD, HOUR)
        assert status is not None
        assert status.identity is None


def test_what_was_pinned_stays_pinned() -> None:
    for listing in (listed(available=1), None):
        observed = a_deletion(DELETED.pinned(region="cn-east-3"), listing=listing)
        status = status_of(observed, HELD, HOUR)
        assert status is not None
        assert status.identity is not None
        assert status.identity.region == "cn-east-3"


def test_one_more_attempt_does_not_take_back_that_it_is_stuck() -> None:
    stuck = a_deletion(DELETED.saying(blocked(Reason.DELETION_STUCK, "open a ticket")), record=sent(HOUR))
    status = build_write_ahead(stuck, NOON)
    assert said(status) == told("DeletionStuck")
    assert status.deletion is not None
    assert status.deletion.attempt == 2
    assert said(build_write_ahead(a_deletion(DELETED.saying(blocked())), NOON)) == DELETING


@pytest.mark.parametrize(
    ("requested", "listing", "expected"),
    [
        (MONOTONIC - 1, listed(1, available=1), "new"),
        (MONOTONIC - 1, listed(2, available=1), "old"),
        (MONOTONIC - 1, None, "old"),
        (None, None, "new"),
    ],
    ids=["looked since", "looked before", "not looked", "seen as handled"],
)
def test_reconcile_at_is_echoed_once_a_look_has_followed_it(
    requested: float | None, listing: object, expected: str
) -> None:
    before = NodePoolStatus(last_handled_reconcile_at="old")
    builder = a_node_pool().finalized().being_deleted().showing(before).asked_to_reconcile("new")
    status = status_of(a_deletion(builder, reconcile_requested=requested, listing=listing), HELD, HOUR)
    assert status is not None
    assert status.last_handled_reconcile_at == expected


def test_an_echo_is_never_forgotten() -> None:
    before = NodePoolStatus(last_handled_reconcile_at="old")
    status = status_of(a_deletion(UNSEEN.showing(before)), HELD, HOUR)
    assert status is not None
    assert status.last_handled_reconcile_at == "old"


def test_no_record_is_written_where_nothing_was_done() -> None:
    status = status_of(a_deletion(), HELD, HOUR)
    assert status is not None
    assert status.deletion is None


# What is worth a write.


def written(record: DeletionRecord, decision: Decision = WAITING, **counts: int) -> NodePoolStatus:
    status = status_of(a_deletion(record=record, listing=listed(**counts)), decision)
    assert status is not None
    return status


AHEAD = sent(SECOND)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (written(AHEAD, available=2), False),
        (written(sent(SECOND, accepted=True), available=2), False),
        (written(AHEAD, replace(WAITING, message="other words"), available=2), False),
        (written(AHEAD.model_copy(update={"last_error": refused(SECOND).last_error}), available=2), False),
        (written(AHEAD, available=1, deleting=1), True),
        (written(AHEAD.model_copy(update={"nothing_deleting_since": NOON}), available=2), True),
        (written(AHEAD.model_copy(update={"sent_time": None}), available=2), True),
        (written(sent(SECOND, attempt=2), available=2), True),
        (written(AHEAD, STUCK, available=2), True),
    ],
    ids=[
        "nothing",
        "accepted",
        "other words of progress",
        "an error",
        "counts",
        "nothing deleting since",
        "proven without effect",
        "one attempt more",
        "stuck",
    ],
)
def test_what_may_ride_along_and_what_may_not(after: NodePoolStatus, expected: bool) -> None:  # noqa: FBT001
    before = written(AHEAD, available=2)
    assert is_worth_a_write(before, after) is expected
    assert is_worth_a_write(after, before) is expected


def test_other_words_of_a_hold_are_worth_a_write() -> None:
    first = status_of(a_deletion(), HELD, HOUR)
    second = status_of(a_deletion(), replace(HELD, message="other"), HOUR)
    assert first is not None
    assert second is not None
    assert is_worth_a_write(first, second)
    assert is_worth_a_write(NodePoolStatus(), first)
    assert find_condition(first.conditions, ConditionType.DELETION_BLOCKED) is not None
