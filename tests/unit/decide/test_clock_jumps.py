"""A wall clock that jumps, or the clock of another process, ends no wait: the monotonic one has to agree."""

from datetime import timedelta

import pytest

from modelarts_nodepool.api.node_pool import DeletionRecord, SendOutcome
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Send, Wait
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved
from tests.support.builders import NOON
from tests.unit.decide.situations import HOUR, MINUTE, MONOTONIC, NOW, SECOND, a_deletion, refused, sent

TWO_MINUTES = 120.0


def decide(observed: DeletionObserved) -> Decision:
    return decide_deletion(observed, NOW)


def found(record: DeletionRecord, ago: float, **changes: object) -> DeletionObserved:
    """A record that this process found in the object so many seconds ago."""
    return a_deletion(record=record, sent_seen=MONOTONIC - ago, **changes)


def test_a_delete_of_another_process_is_looked_after_for_two_minutes_by_our_own_clock() -> None:
    # Its clock was five minutes behind, or ours was set forward: it may have been sent this very second.
    assert isinstance(decide(found(sent(5 * MINUTE), 0)), Wait)
    assert isinstance(decide(found(sent(5 * MINUTE), TWO_MINUTES - 1)), Wait)
    assert decide(found(sent(5 * MINUTE), TWO_MINUTES)) == Send()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (sent(5 * MINUTE, accepted=True), Reason.DELETION_REVERTED),
        (refused(MINUTE), Reason.REFUSED_BY_MODELARTS),
        (refused(3 * MINUTE, sent_time=NOON - 3 * MINUTE), Reason.REFUSED_BY_MODELARTS),
    ],
    ids=["accepted", "refused", "conflict"],
)
def test_what_was_answered_is_believed_at_once_after_a_restart(record: DeletionRecord, reason: Reason) -> None:
    held = decide(found(record, 0))
    assert isinstance(held, Hold)
    assert held.reason is reason


def test_a_delete_of_our_own_is_timed_by_its_end() -> None:
    assert isinstance(decide(found(sent(5 * MINUTE), 0, send_finished=MONOTONIC - TWO_MINUTES + 1)), Wait)
    assert decide(found(sent(5 * MINUTE), 0, send_finished=MONOTONIC - TWO_MINUTES)) == Send()
    assert isinstance(decide(found(sent(MINUTE), 0, send_finished=MONOTONIC - HOUR.total_seconds())), Wait)


@pytest.mark.parametrize("outcome", [SendOutcome.UNKNOWN, SendOutcome.REFUSED])
def test_a_sent_time_in_the_future_is_waited_for_two_minutes_and_no_longer(outcome: SendOutcome) -> None:
    future = DeletionRecord(attempt=1, sent_time=NOON + HOUR, outcome=outcome)
    assert isinstance(decide(found(future, TWO_MINUTES - 1)), Wait)
    assert decide(found(future, TWO_MINUTES)) == Send()
    assert decide(found(future, 0, send_finished=MONOTONIC - TWO_MINUTES)) == Send()
    assert isinstance(decide(a_deletion(record=future)), Wait)


def test_an_accepted_delete_is_reverted_no_sooner_than_half_an_hour_by_both_clocks() -> None:
    record = sent(2 * HOUR, accepted=True).model_copy(update={"nothing_deleting_since": NOON - HOUR})
    assert decide(a_deletion(record=record)) == Send()
    for ago, left in ((150, 1650), (1799, 1)):
        held = decide(a_deletion(record=record, send_finished=MONOTONIC - ago))
        assert isinstance(held, Hold)
        assert held.reason is Reason.DELETION_REVERTED
        assert held.retry_after == timedelta(seconds=left)
    assert decide(a_deletion(record=record, send_finished=MONOTONIC - 1800)) == Send()


def test_what_reconcile_at_lifted_stays_lifted_until_the_next_delete() -> None:
    def went_past(record: DeletionRecord, ago: float, finished: float | None = None) -> Decision:
        since = None if finished is None else MONOTONIC - finished
        return decide(a_deletion(record=record, went_past=MONOTONIC - ago, send_finished=since))

    for record in (refused(MINUTE), sent(HOUR, accepted=True)):
        assert went_past(record, 2) == Send()
        assert went_past(record, 150, 150) == Send()
        assert isinstance(went_past(record, 151, 150), Hold)


def test_the_newer_request_counts() -> None:
    asked = a_deletion(
        record=refused(MINUTE),
        went_past=MONOTONIC - 9,
        reconcile_requested=MONOTONIC - 2,
        send_finished=MONOTONIC - 5,
    )
    assert decide(asked) == Send()
    assert asked.asked_to_go_on == MONOTONIC - 2
    assert a_deletion(went_past=SECOND.total_seconds()).asked_to_go_on == 1
    assert a_deletion().asked_to_go_on is None
