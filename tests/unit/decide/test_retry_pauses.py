"""What paces DELETEs beside the table's rows: clocks that jump, and failures that prove that nothing was done."""

from datetime import timedelta

import pytest

from modelarts_nodepool.api.node_pool import DeletionRecord
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Send, Wait
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved, Failure
from modelarts_nodepool.errors import (
    ClockSkew,
    Conflict,
    CredentialsRejected,
    CredentialsUnavailable,
    PermissionDenied,
    RefusedByModelArts,
    Throttled,
    Unreachable,
)
from tests.unit.decide.situations import HOUR, MINUTE, MONOTONIC, NOW, SECOND, a_deletion, listed, refused, sent

LOOK_AGAIN = "modelarts.huaweicloud.com/reconcile-at="


def decide(observed: DeletionObserved) -> Decision:
    return decide_deletion(observed, NOW)


def reason(observed: DeletionObserved) -> Reason | None:
    return getattr(decide(observed), "reason", None)


# What the clocks may do.


def test_a_clock_put_forward_does_not_shorten_the_wait_of_this_process() -> None:
    assert isinstance(decide(a_deletion(record=sent(HOUR), send_finished=MONOTONIC - 119.9)), Wait)


def test_a_clock_put_back_does_not_stretch_the_wait_of_this_process() -> None:
    in_an_hour = sent(-HOUR)
    assert isinstance(decide(a_deletion(record=in_an_hour, send_finished=MONOTONIC - 119.9)), Wait)
    assert decide(a_deletion(record=in_an_hour, send_finished=MONOTONIC - 120, listing=listed(available=1))) == Send()


def test_a_send_of_another_process_is_waited_for_although_ours_is_long_ago() -> None:
    for ago in (0 * MINUTE, MINUTE):
        assert isinstance(decide(a_deletion(record=sent(ago), send_finished=MONOTONIC - 600)), Wait)


def test_a_time_in_the_future_that_nobody_capped_waits_and_says_so_in_the_end() -> None:
    in_a_year = sent(timedelta(days=-365))
    assert isinstance(decide(a_deletion(record=in_a_year)), Wait)
    stuck = decide(a_deletion(record=in_a_year, deletion_seen=MONOTONIC - 7200))
    assert isinstance(stuck, Wait)
    assert stuck.is_stuck


def test_a_refusal_in_the_future_counts_from_when_this_process_could_see_it() -> None:
    later = refused(-HOUR)
    assert isinstance(decide(a_deletion(record=later, deletion_seen=MONOTONIC - 299)), Hold)
    assert decide(a_deletion(record=later, deletion_seen=MONOTONIC - 300)) == Send()


# A DELETE that could not be sent, or that had no effect.


def failing(failure: Failure, ago: float = 1, attempt: int = 1, **changes: object) -> DeletionObserved:
    usual: dict[str, object] = {
        "record": DeletionRecord(attempt=attempt),
        "last_failure": failure,
        "last_failure_at": MONOTONIC - ago,
    }
    return a_deletion(**{**usual, **changes})


@pytest.mark.parametrize(
    ("failure", "attempt", "pause", "expected", "transient"),
    [
        (Unreachable("no route"), 0, 30, Reason.CLOUD_UNAVAILABLE, True),
        (Unreachable("no route"), 1, 30, Reason.CLOUD_UNAVAILABLE, True),
        (Unreachable("no route"), 2, 60, Reason.CLOUD_UNAVAILABLE, True),
        (Unreachable("no route"), 4, 240, Reason.CLOUD_UNAVAILABLE, True),
        (Unreachable("no route"), 5, 300, Reason.CLOUD_UNAVAILABLE, False),
        (Throttled("429", retry_after=100 * SECOND), 1, 100, Reason.CLOUD_UNAVAILABLE, True),
        (Throttled("429", retry_after=SECOND), 1, 30, Reason.CLOUD_UNAVAILABLE, True),
        (CredentialsRejected("401"), 1, 300, Reason.CREDENTIALS_REJECTED, False),
        (ClockSkew("401"), 1, 300, Reason.CLOCK_SKEW, False),
        (CredentialsUnavailable("no Secret"), 0, 30, Reason.CREDENTIALS_UNAVAILABLE, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_delete_without_effect_is_held_by_class_and_tried_again(
    failure: Failure,
    attempt: int,
    pause: int,
    expected: Reason,
    transient: bool,  # noqa: FBT001 - a case of the table
) -> None:
    held = decide(failing(failure, attempt=attempt))
    assert isinstance(held, Hold)
    assert held.reason is expected
    assert held.is_transient is transient
    assert held.retry_after == timedelta(seconds=pause - 1)
    assert str(failure) in held.message
    assert LOOK_AGAIN in held.message
    assert isinstance(decide(failing(failure, pause - 0.1, attempt)), Hold)
    assert decide(failing(failure, pause, attempt)) == Send()


def test_reconcile_at_tries_a_delete_without_effect_at_once_and_only_once() -> None:
    assert decide(failing(Unreachable("no route"), 1, reconcile_requested=MONOTONIC - 1)) == Send()
    assert isinstance(decide(failing(Unreachable("no route"), 1, reconcile_requested=MONOTONIC - 1.1)), Hold)


@pytest.mark.parametrize("failure", [RefusedByModelArts("400"), PermissionDenied("403"), Conflict("409")])
def test_a_refusal_is_paced_by_its_own_row(failure: Failure) -> None:
    assert decide(failing(failure)) == Send()
    assert reason(failing(failure, record=refused(MINUTE))) is Reason.REFUSED_BY_MODELARTS


def test_credentials_that_fail_after_a_refusal_hold_although_its_pause_is_over() -> None:
    over = refused(HOUR)
    assert reason(failing(CredentialsUnavailable("no Secret"), record=over)) is Reason.CREDENTIALS_UNAVAILABLE


def test_a_failure_without_its_time_holds_nothing() -> None:
    assert decide(failing(Unreachable("no route"), last_failure_at=None)) == Send()
    assert decide(failing(Unreachable("no route"), last_failure=None)) == Send()
