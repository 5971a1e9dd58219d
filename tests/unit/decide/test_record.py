"""status.deletion: sentTime is set exactly while some DELETE may be in effect."""

from datetime import timedelta

import pytest

from modelarts_nodepool.api.node_pool import CloudErrorRecord, Counts, DeletionRecord, SendOutcome
from modelarts_nodepool.decide.deletion.record import accept, cap_future, fail, record_of, record_progress, write_ahead
from modelarts_nodepool.errors import (
    ClockSkew,
    CloudError,
    Conflict,
    CredentialsRejected,
    MalformedAnswer,
    NoAnswer,
    NotFound,
    PermissionDenied,
    RefusedByModelArts,
    ServerFailure,
    Throttled,
    Unreachable,
    WrongEndpoint,
)
from tests.support.builders import NOON, a_node_pool
from tests.unit.decide.situations import HOUR, MINUTE, SECOND, sent

FRACTION = timedelta(microseconds=654_321)
NOTHING = DeletionRecord()
AHEAD = write_ahead(NOTHING, NOON + FRACTION)
NO_EFFECT = [CredentialsRejected, ClockSkew, PermissionDenied, RefusedByModelArts, Throttled, Unreachable]
MAYBE = [Conflict, NotFound, NoAnswer, ServerFailure, WrongEndpoint, MalformedAnswer]


def test_the_write_ahead_counts_the_attempt_and_knows_no_outcome() -> None:
    assert DeletionRecord(attempt=1, sent_time=NOON, outcome=SendOutcome.UNKNOWN) == AHEAD
    again = write_ahead(accept(AHEAD, "request-1", NOON), NOON + HOUR)
    assert again == DeletionRecord(attempt=2, sent_time=NOON + HOUR, outcome=SendOutcome.UNKNOWN)


def test_an_accepted_delete_is_remembered_with_its_request() -> None:
    failed_first = AHEAD.model_copy(update={"last_error": fail(AHEAD, NOTHING, NoAnswer("x"), NOON).last_error})
    accepted = accept(failed_first, "request-1", NOON + FRACTION)
    assert accepted.accepted_time == NOON
    assert accepted.request_id == "request-1"
    assert accepted.outcome is SendOutcome.ACCEPTED
    assert accepted.last_error is None
    assert accepted.sent_time == NOON


@pytest.mark.parametrize("kind", NO_EFFECT)
def test_an_answer_that_proves_no_effect_clears_the_sent_time(kind: type[CloudError]) -> None:
    record = fail(AHEAD, NOTHING, kind("what", code="C", request_id="r"), NOON + FRACTION)
    assert record.sent_time is None
    assert record.attempt == 1
    refused = kind in {PermissionDenied, RefusedByModelArts}
    assert record.outcome is (SendOutcome.REFUSED if refused else None)
    assert record.last_error is not None
    assert record.last_error == CloudErrorRecord(code="C", message="what", request_id="r", time=NOON)
    assert record.request_id == "r"


@pytest.mark.parametrize("kind", MAYBE)
def test_any_other_answer_leaves_it_in_effect_perhaps(kind: type[CloudError]) -> None:
    record = fail(AHEAD, NOTHING, kind("what"), NOON)
    assert record.sent_time == NOON
    assert record.outcome is (SendOutcome.REFUSED if kind is Conflict else SendOutcome.UNKNOWN)
    assert record.accepted_time is None


def test_an_answer_that_may_have_had_an_effect_is_the_request_to_ask_about() -> None:
    before = sent(HOUR, accepted=True)
    record = fail(write_ahead(before, NOON), before, ServerFailure("503", request_id="request-2"), NOON)
    assert record.request_id == "request-2"


@pytest.mark.parametrize("kind", NO_EFFECT)
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "unknown"])
def test_an_earlier_delete_in_effect_stands_again(kind: type[CloudError], accepted: bool) -> None:  # noqa: FBT001
    before = sent(HOUR, accepted=accepted).model_copy(
        update={"nothing_deleting_since": NOON - MINUTE, "request_id": "request-1"}
    )
    record = fail(write_ahead(before, NOON), before, kind("what", request_id="request-2"), NOON)
    assert record.sent_time == before.sent_time
    assert record.accepted_time == before.accepted_time
    assert record.nothing_deleting_since == before.nothing_deleting_since
    assert record.attempt == 2
    assert record.request_id == "request-1"
    assert record.last_error is not None
    assert record.last_error.request_id == "request-2"
    refused = kind in {PermissionDenied, RefusedByModelArts}
    assert record.outcome is (SendOutcome.REFUSED if refused else before.outcome)


def test_after_an_earlier_conflict_the_outcome_is_unknown_not_refused() -> None:
    before = fail(AHEAD, NOTHING, Conflict("409"), NOON)
    record = fail(write_ahead(before, NOON + HOUR), before, Throttled("429"), NOON + HOUR)
    assert record.outcome is SendOutcome.UNKNOWN
    assert record.sent_time == NOON


def test_a_long_message_is_cut_to_what_the_schema_takes() -> None:
    record = fail(AHEAD, NOTHING, NoAnswer("x" * 5000), NOON)
    assert record.last_error is not None
    assert len(record.last_error.message) == 1024


ACCEPTED = sent(2 * MINUTE, accepted=True)
STILL = Counts(available=2)
GOING = Counts(available=1, deleting=1)


@pytest.mark.parametrize(
    ("record", "counts", "expected"),
    [
        (ACCEPTED, STILL, NOON),
        (sent(2 * MINUTE - FRACTION, accepted=True), STILL, NOON),
        (sent(2 * MINUTE - SECOND, accepted=True), STILL, None),
        (sent(-HOUR, accepted=True), STILL, NOON),
        (ACCEPTED.model_copy(update={"sent_time": None}), STILL, NOON),
        (ACCEPTED, GOING, None),
        (ACCEPTED, None, None),
        (sent(HOUR), STILL, None),
        (ACCEPTED.model_copy(update={"nothing_deleting_since": NOON - HOUR}), STILL, NOON - HOUR),
        (ACCEPTED.model_copy(update={"nothing_deleting_since": NOON}), STILL, NOON),
        (ACCEPTED.model_copy(update={"nothing_deleting_since": NOON + HOUR}), STILL, NOON),
        (sent(MINUTE, accepted=True).model_copy(update={"nothing_deleting_since": NOON + HOUR}), STILL, NOON),
        (ACCEPTED.model_copy(update={"nothing_deleting_since": NOON - HOUR}), GOING, None),
        (ACCEPTED.model_copy(update={"nothing_deleting_since": NOON - HOUR}), None, NOON - HOUR),
    ],
    ids=[
        "first seen",
        "two minutes ago to the dot",
        "too soon to say",
        "clock put back",
        "no sent time",
        "deleting",
        "not seen",
        "not accepted",
        "kept",
        "kept at its own moment",
        "in the future",
        "in the future, just sent",
        "cleared",
        "kept while not seen",
    ],
)
def test_since_when_nothing_is_deleting(record: DeletionRecord, counts: Counts | None, expected: object) -> None:
    noted = record_progress(record, counts, NOON + FRACTION)
    assert noted.nothing_deleting_since == expected
    assert noted.model_copy(update={"nothing_deleting_since": record.nothing_deleting_since}) == record
    assert record_progress(noted, counts, NOON + FRACTION) == noted


def test_a_sent_time_in_the_future_counts_as_when_it_was_first_seen() -> None:
    assert cap_future(NOTHING, NOON) == NOTHING
    assert cap_future(sent(MINUTE), NOON) == sent(MINUTE)
    assert cap_future(sent(timedelta()), NOON) == sent(timedelta())
    capped = cap_future(sent(-HOUR), NOON + FRACTION)
    assert capped == sent(-HOUR).model_copy(update={"sent_time": NOON})


def test_a_record_from_long_before_its_object_is_about_another_one() -> None:
    restored = a_node_pool().created(NOON)
    assert record_of(restored.build()) == NOTHING
    for ago in (timedelta(), MINUTE, HOUR):
        record = sent(ago, accepted=True)
        assert record_of(restored.recording(record).build()) == record, "clocks may differ"
    old = sent(HOUR + SECOND, accepted=True, attempt=3)
    assert record_of(restored.recording(old).build()) == NOTHING
    refused = old.model_copy(update={"sent_time": None})
    assert record_of(restored.recording(refused).build()) == refused
