"""What an account remembers of a DELETE from the moment it is sent until its object is gone."""

from datetime import datetime, timedelta

import pytest

from modelarts_nodepool.api.account import RecentDeletion
from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.decide.deletion.audit_entry import (
    build_sent,
    build_stripped,
    is_recorded_by,
    keep_known,
)
from modelarts_nodepool.decide.deletion.record import accept, fail, write_ahead
from modelarts_nodepool.errors import (
    CloudError,
    Conflict,
    PermissionDenied,
    RefusedByModelArts,
    ServerFailure,
    Throttled,
)
from tests.support.builders import NOON
from tests.unit.decide.situations import HOUR, MINUTE, a_deleted_object, refused, sent

NODE_POOL = a_deleted_object().annotated("modelarts.huaweicloud.com/confirm-delete", "training-a").build()
NEVER, LATER = DeletionRecord(), NOON + timedelta(seconds=7)


def identity() -> Identity:
    found = NODE_POOL.status.identity
    assert found is not None
    return found


def entry_of(record: DeletionRecord) -> RecentDeletion | None:
    return build_sent(NODE_POOL, identity(), record, LATER)


def short(entry: RecentDeletion | None) -> tuple[datetime | None, datetime | None, str, str | None] | None:
    return None if entry is None else (entry.sent_time, entry.finished_time, entry.outcome, entry.request_id)


def test_a_delete_is_on_record_from_its_write_ahead_on() -> None:
    entry = entry_of(write_ahead(NEVER, NOON))
    assert entry is not None
    assert short(entry) == (NOON, None, "Unknown", None)
    assert (entry.uid, entry.namespace, entry.name) == ("uid-of-training-a", "ml", "training-a")
    assert (entry.pool_name, entry.node_pool_name, entry.confirmed) == ("pool-a", "training-a", True)


def test_its_acceptance_is_on_record_with_the_request_id() -> None:
    assert short(entry_of(accept(write_ahead(NEVER, NOON), "request-1", LATER))) == (
        NOON,
        None,
        "Accepted",
        "request-1",
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(RefusedByModelArts("in use", request_id="r"), (None, LATER, "Refused", "r"), id="400"),
        pytest.param(PermissionDenied("no", request_id="r"), (None, LATER, "Refused", "r"), id="403"),
        pytest.param(Conflict("busy", request_id="r"), (NOON, None, "Refused", "r"), id="409 may be in effect"),
        pytest.param(ServerFailure("500", request_id="r"), (NOON, None, "Unknown", "r"), id="500 may be in effect"),
        pytest.param(Throttled("429"), None, id="429 had no effect"),
    ],
)
def test_only_what_may_be_in_effect_keeps_its_time(
    error: CloudError, expected: tuple[datetime | None, datetime | None, str, str | None] | None
) -> None:
    ahead = write_ahead(NEVER, NOON)
    assert short(entry_of(fail(ahead, NEVER, error, LATER))) == expected


@pytest.mark.parametrize("error", [RefusedByModelArts("in use"), Throttled("429")], ids=["refused", "throttled"])
def test_an_earlier_delete_that_may_be_in_effect_goes_on_counting(error: CloudError) -> None:
    earlier = sent(HOUR, accepted=True)
    entry = entry_of(fail(write_ahead(earlier, NOON), earlier, error, LATER))
    assert entry is not None
    assert (entry.sent_time, entry.finished_time, entry.request_id) == (NOON - HOUR, None, "request-1")


def test_nothing_is_on_record_where_nothing_was_sent() -> None:
    assert entry_of(NEVER) is None


def test_an_object_that_was_stripped_keeps_the_time_of_its_delete_and_is_an_orphan() -> None:
    known = entry_of(accept(write_ahead(NEVER, NOON), "request-1", NOON))
    assert short(build_stripped(NODE_POOL, identity(), known, LATER)) == (NOON, LATER, "Orphaned", "request-1")


def test_the_record_of_a_stripped_object_stands_where_the_account_has_no_word() -> None:
    node_pool = a_deleted_object().recording(sent(MINUTE)).build()
    for known in (None, entry_of(refused(MINUTE))):
        assert short(build_stripped(node_pool, identity(), known, LATER)) == (NOON - MINUTE, LATER, "Orphaned", None)


def test_a_stripped_object_without_a_delete_has_no_entry() -> None:
    assert build_stripped(NODE_POOL, identity(), None, LATER) is None
    assert build_stripped(a_deleted_object().recording(refused(MINUTE)).build(), identity(), None, LATER) is None


def test_an_account_knows_of_a_delete_by_its_time() -> None:
    now, before = entry_of(sent(MINUTE)), entry_of(sent(HOUR))
    assert now is not None
    assert before is not None
    refusal = entry_of(refused(MINUTE))
    assert [is_recorded_by(known, now) for known in (now, before, refusal, None)] == [True, False, False, False]
    assert is_recorded_by(now, before)


def test_a_release_that_is_tried_again_says_nothing_new() -> None:
    first = build_stripped(NODE_POOL, identity(), entry_of(sent(MINUTE)), NOON)
    again = build_stripped(NODE_POOL, identity(), entry_of(sent(MINUTE)), LATER)
    assert first is not None
    assert again is not None
    assert keep_known(first, again) == first
    assert keep_known(None, again) == again
    assert keep_known(entry_of(sent(MINUTE)), again) == again, "a DELETE that was sent is no release"
    other = again.model_copy(update={"outcome": "Gone"})
    assert keep_known(first, other) == other


def test_who_confirmed_stays_when_the_confirmation_is_removed_after_the_delete() -> None:
    by = "modelarts.huaweicloud.com/confirmed-by"
    confirmed = a_deleted_object().annotated("modelarts.huaweicloud.com/confirm-delete", "training-a")
    known = build_sent(confirmed.annotated(by, "alice").build(), identity(), sent(MINUTE), LATER)
    unconfirmed = build_sent(a_deleted_object().build(), identity(), sent(MINUTE), LATER)
    assert known is not None
    assert unconfirmed is not None
    assert (known.confirmed, known.confirmed_by) == (True, "alice")
    kept = keep_known(known, unconfirmed)
    assert (kept.confirmed, kept.confirmed_by) == (True, "alice")
    later = unconfirmed.model_copy(update={"sent_time": NOON})
    assert keep_known(known, later) == later, "another DELETE has its own confirmation"
    again = known.model_copy(update={"confirmed_by": "bob"})
    assert keep_known(unconfirmed, again) == again
