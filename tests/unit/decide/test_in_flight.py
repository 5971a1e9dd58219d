"""Rows 8 and 9 and the pauses after a DELETE: never twice while one may be in effect, never waiting for ever."""

from datetime import timedelta

import pytest

from modelarts_nodepool.api.node_pool import DeletionRecord, SendOutcome
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Send, Wait
from modelarts_nodepool.decide.deletion.in_flight import deleting, reverted
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved
from tests.support.builders import NOON, a_node_pool, an_account
from tests.unit.decide.situations import HOUR, MINUTE, MONOTONIC, NOW, SECOND, a_deletion, listed, refused, sent

DELETED_LONG_AGO = a_node_pool().finalized().pinned().being_deleted(NOON - 2 * HOUR)
LOOK_AGAIN = "modelarts.huaweicloud.com/reconcile-at="


def decide(observed: DeletionObserved) -> Decision:
    return decide_deletion(observed, NOW)


def reason(observed: DeletionObserved) -> Reason | None:
    decision = decide(observed)
    return None if isinstance(decision, Send | Look) else decision.reason


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "unknown"])
def test_two_minutes_are_waited_after_each_delete(accepted: bool) -> None:  # noqa: FBT001 - a case of the table
    waiting = decide(a_deletion(record=sent(2 * MINUTE - SECOND, accepted=accepted)))
    assert isinstance(waiting, Wait)
    assert waiting.retry_after == 10 * SECOND
    words = (
        "no node is being deleted yet"
        if accepted
        else "its outcome is unknown; the operator checks the node pool before it sends another DELETE"
    )
    assert words in waiting.message
    over = decide(a_deletion(record=sent(2 * MINUTE, accepted=accepted)))
    assert isinstance(over, Hold if accepted else Send)


def test_nothing_is_sent_while_a_node_is_deleting_after_a_delete() -> None:
    for record in (sent(HOUR), sent(HOUR, accepted=True), refused(HOUR, sent_time=NOON - HOUR)):
        assert reason(a_deletion(record=record, listing=listed(available=5, deleting=1))) is Reason.DELETING_NODE_POOL


def test_nodes_that_somebody_else_deletes_do_not_hold_a_delete_unless_they_are_all() -> None:
    assert decide(a_deletion(listing=listed(available=1, deleting=1))) == Send()
    assert reason(a_deletion(listing=listed(deleting=1))) is Reason.DELETING_NODE_POOL


def test_wait_says_why_the_outcome_is_unknown() -> None:
    error = refused(SECOND).last_error
    decision = decide(a_deletion(record=sent(MINUTE).model_copy(update={"last_error": error})))
    assert isinstance(decision, Wait)
    assert (
        "outcome is unknown (ModelArts.50004000: in use (request request-2)); the operator checks" in decision.message
    )


def test_an_interval_of_nothing_does_not_spin() -> None:
    observed = a_deletion(record=sent(MINUTE))
    account = an_account().polling(timedelta(), timedelta()).seen_by(observed.node_pool)
    for listing in (listed(available=1), listed(deleting=1)):
        decision = decide(a_deletion(record=sent(MINUTE), account=account, listing=listing))
        assert isinstance(decision, Wait)
        assert decision.retry_after == SECOND


@pytest.mark.parametrize(
    ("since", "retry_after"), [(MINUTE, MINUTE), (2 * HOUR - 5 * SECOND, 5 * SECOND), (3 * HOUR, MINUTE)]
)
def test_while_nodes_are_deleting_only_a_poll_or_two_hours_lead_to_a_decision(
    since: timedelta, retry_after: timedelta
) -> None:
    decision = decide(a_deletion(DELETED_LONG_AGO, record=sent(since, accepted=True), listing=listed(deleting=1)))
    assert isinstance(decision, Wait)
    assert decision.retry_after == retry_after


@pytest.mark.parametrize(
    ("record", "listing"),
    [
        (sent(2 * HOUR), listed(deleting=2)),
        (DeletionRecord(), listed(deleting=2)),
        (sent(MINUTE, attempt=61), listed(available=2)),
        (sent(MINUTE, attempt=10**9), listed(available=2)),
    ],
    ids=["sent", "deleted by somebody else", "attempts without an answer", "absurd attempts"],
)
def test_after_two_hours_it_is_stuck_and_says_what_to_do(record: DeletionRecord, listing: object) -> None:
    decision = decide(a_deletion(DELETED_LONG_AGO, record=record, listing=listing))
    assert isinstance(decision, Wait)
    assert decision.is_stuck
    assert decision.reason is Reason.DELETION_STUCK
    assert "2026-01-02T" in decision.message
    assert "deletionPolicy" in decision.message
    assert "None" not in decision.message


def test_before_two_hours_it_is_not_stuck() -> None:
    for record in (sent(2 * HOUR - SECOND), sent(MINUTE, attempt=60)):
        listing = listed(deleting=1) if record.attempt == 1 else listed(available=1)
        assert reason(a_deletion(record=record, listing=listing)) is Reason.DELETING_NODE_POOL
    # A node is deleting at last: the attempts before are no longer what it waits for.
    assert reason(a_deletion(record=sent(MINUTE, attempt=99), listing=listed(deleting=1))) is Reason.DELETING_NODE_POOL
    # Accepted at the hundredth attempt.
    accepted = a_deletion(record=sent(MINUTE, attempt=99, accepted=True))
    assert reason(accepted) is Reason.DELETING_NODE_POOL


def test_stuck_tells_the_last_answer_and_the_request() -> None:
    record = sent(3 * HOUR, accepted=True).model_copy(update={"last_error": refused(HOUR).last_error})
    decision = decide(a_deletion(record=record, listing=listed(deleting=1)))
    assert isinstance(decision, Wait)
    assert "last answer: ModelArts.50004000: in use (request request-2)" in decision.message
    assert "open a ticket with Huawei Cloud (request request-1)" in decision.message


@pytest.mark.parametrize(
    ("attempt", "pause"),
    [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (10**6, 60)],
)
def test_a_refusal_is_backed_off_from_five_minutes_to_an_hour(attempt: int, pause: int) -> None:
    held = decide(a_deletion(record=refused(MINUTE, attempt=attempt)))
    assert isinstance(held, Hold)
    assert held.reason is Reason.REFUSED_BY_MODELARTS
    assert held.retry_after == (pause - 1) * MINUTE
    assert isinstance(decide(a_deletion(record=refused(pause * MINUTE - SECOND, attempt=attempt))), Hold)
    assert decide(a_deletion(record=refused(pause * MINUTE, attempt=attempt))) == Send()


def test_a_code_is_said_once_and_a_missing_one_not_at_all() -> None:
    record = refused(MINUTE)
    assert record.last_error is not None
    said = {
        "plain": record.last_error.model_copy(update={"code": None, "request_id": None}),
        "twice": record.last_error.model_copy(update={"message": "was answered 400 ModelArts.50004000: in use."}),
    }
    words = {}
    for name, error in said.items():
        decision = decide(a_deletion(record=record.model_copy(update={"last_error": error})))
        assert isinstance(decision, Hold)
        words[name] = decision.message
    assert "training-a: in use; fix the cause, then retry" in words["plain"]
    assert "training-a: was answered 400 ModelArts.50004000: in use (request request-2); fix" in words["twice"]


def test_a_refusal_without_its_words_is_no_reason_to_hold() -> None:
    assert decide(a_deletion(record=refused(MINUTE, last_error=None))) == Send()


@pytest.mark.parametrize("ago", [0, 10, 29])
def test_a_reverted_deletion_is_sent_again_after_thirty_minutes(ago: int) -> None:
    record = sent(HOUR, accepted=True).model_copy(update={"nothing_deleting_since": NOON - ago * MINUTE})
    held = decide(a_deletion(record=record))
    assert isinstance(held, Hold)
    assert held.reason is Reason.DELETION_REVERTED
    assert held.retry_after == (30 - ago) * MINUTE


def test_a_reverted_deletion_is_over_then() -> None:
    record = sent(HOUR, accepted=True).model_copy(update={"nothing_deleting_since": NOON - 30 * MINUTE})
    assert decide(a_deletion(record=record)) == Send()
    unnamed = a_deletion(record=record.model_copy(update={"nothing_deleting_since": NOON, "request_id": None}))
    decision = decide(unnamed)
    assert isinstance(decision, Hold)
    assert "None" not in decision.message


def test_a_refusal_after_an_accepted_delete_is_told_before_the_reversion() -> None:
    record = sent(HOUR, accepted=True).model_copy(
        update={"outcome": SendOutcome.REFUSED, "last_error": refused(MINUTE).last_error}
    )
    assert reason(a_deletion(record=record)) is Reason.REFUSED_BY_MODELARTS
    later = record.model_copy(update={"last_error": refused(6 * MINUTE).last_error})
    assert reason(a_deletion(record=later)) is Reason.DELETION_REVERTED


@pytest.mark.parametrize("record", [refused(MINUTE), sent(HOUR, accepted=True)], ids=["refused", "reverted"])
def test_reconcile_at_goes_on_at_once_and_only_once(record: DeletionRecord) -> None:
    def asked(ago: float, finished: float | None) -> DeletionObserved:
        since = None if finished is None else MONOTONIC - finished
        return a_deletion(record=record, reconcile_requested=MONOTONIC - ago, send_finished=since)

    assert decide(asked(2, None)) == Send()
    assert decide(asked(150, 150)) == Send()
    assert isinstance(decide(asked(151, 150)), Hold)


def test_reconcile_at_does_not_shorten_the_wait_after_a_delete() -> None:
    for record in (sent(MINUTE), sent(MINUTE, accepted=True), refused(SECOND, sent_time=NOON - SECOND)):
        assert isinstance(decide(a_deletion(record=record, reconcile_requested=MONOTONIC)), Wait)
    deleting = a_deletion(record=sent(HOUR), listing=listed(available=1, deleting=1), reconcile_requested=MONOTONIC)
    assert isinstance(decide(deleting), Wait)


def test_a_conflict_is_shown_and_never_sent_again_while_nodes_are_deleting() -> None:
    conflict = refused(3 * MINUTE, sent_time=NOON - 3 * MINUTE)
    assert reason(a_deletion(record=conflict)) is Reason.REFUSED_BY_MODELARTS
    assert reason(a_deletion(record=conflict, listing=listed(available=1, deleting=1))) is Reason.DELETING_NODE_POOL
    over = refused(HOUR, sent_time=NOON - HOUR)
    assert isinstance(decide(a_deletion(record=over, listing=listed(available=1, deleting=1))), Wait)
    assert decide(a_deletion(record=over)) == Send()


def test_an_error_beside_an_unknown_outcome_is_no_refusal() -> None:
    record = sent(3 * MINUTE).model_copy(update={"last_error": refused(SECOND).last_error})
    assert decide(a_deletion(record=record)) == Send()


def test_the_rows_stand_by_themselves_where_nothing_is_shown() -> None:
    unseen = a_deletion(listing=None, record=sent(MINUTE))
    assert isinstance(deleting(unseen, NOW), Wait)
    hold = reverted(a_deletion(listing=None, record=sent(HOUR, accepted=True)), NOW)
    assert isinstance(hold, Hold)
    assert "none of its 0 nodes" in hold.message
    undeleted = a_deletion(a_node_pool().finalized(), listing=listed(deleting=1))
    waiting = deleting(undeleted, NOW)
    assert isinstance(waiting, Wait)
    assert not waiting.is_stuck
