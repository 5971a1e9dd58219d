"""Conditions keep the order that kstatus needs and move their time only with their status."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.api.meta import (
    Condition,
    ConditionStatus,
    ConditionType,
    Said,
    find_condition,
    set_conditions,
)
from modelarts_nodepool.api.node_pool import NodePoolStatus

NOON = datetime(2026, 1, 2, 12, 0, 0, 987_654, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
READY = ConditionType.READY


def said_of_any_type(message: st.SearchStrategy[str]) -> st.SearchStrategy[dict[ConditionType, Said]]:
    statuses = st.sampled_from(ConditionStatus)
    return st.dictionaries(
        st.sampled_from(ConditionType), st.builds(Said, status=statuses, reason=st.just("Why"), message=message)
    )


said_anything = said_of_any_type(st.text(max_size=20))


def said(status: ConditionStatus, reason: str = "Why", message: str = "what") -> Said:
    return Said(status=status, reason=reason, message=message)


def test_a_new_condition_carries_the_time_in_whole_seconds_and_the_generation() -> None:
    (ready,) = set_conditions({READY: said(ConditionStatus.TRUE)}, (), generation=7, now=NOON)
    assert ready.last_transition_time == NOON.replace(microsecond=0)
    assert ready.observed_generation == 7


def test_the_time_stays_while_the_status_stays() -> None:
    before = set_conditions({READY: said(ConditionStatus.FALSE, "A")}, (), generation=1, now=NOON)
    (ready,) = set_conditions({READY: said(ConditionStatus.FALSE, "B", "new")}, before, generation=2, now=LATER)
    assert ready.last_transition_time == before[0].last_transition_time
    assert (ready.reason, ready.message, ready.observed_generation) == ("B", "new", 2)


def test_the_time_moves_when_the_status_moves() -> None:
    before = set_conditions({READY: said(ConditionStatus.FALSE)}, (), generation=1, now=NOON)
    (ready,) = set_conditions({READY: said(ConditionStatus.UNKNOWN)}, before, generation=1, now=LATER)
    assert ready.last_transition_time == LATER.replace(microsecond=0)


def test_what_is_no_longer_said_is_removed() -> None:
    before = set_conditions({ConditionType.STALLED: said(ConditionStatus.TRUE)}, (), generation=1, now=NOON)
    assert set_conditions({}, before, generation=1, now=LATER) == ()


def test_a_condition_that_comes_back_starts_a_new_time() -> None:
    stalled = {ConditionType.STALLED: said(ConditionStatus.TRUE)}
    first = set_conditions(stalled, (), generation=1, now=NOON)
    gone = set_conditions({}, first, generation=1, now=NOON)
    (again,) = set_conditions(stalled, gone, generation=1, now=LATER)
    assert again.last_transition_time == LATER.replace(microsecond=0)


@given(said_of_any_type(st.just("what")), said_of_any_type(st.just("what")))
def test_conditions_are_always_in_the_order_of_their_types(
    first: dict[ConditionType, Said], second: dict[ConditionType, Said]
) -> None:
    before = set_conditions(first, (), generation=1, now=NOON)
    after = set_conditions(second, reversed(before), generation=2, now=LATER)
    order = list(ConditionType)
    assert [condition.type for condition in after] == sorted(second, key=order.index)


@given(said_anything)
def test_conditions_read_back_from_the_wire_are_the_same(things: dict[ConditionType, Said]) -> None:
    status = NodePoolStatus(conditions=set_conditions(things, (), generation=1, now=NOON))
    assert NodePoolStatus.model_validate(status.to_wire()) == status


def test_a_condition_is_found_by_its_type() -> None:
    conditions = set_conditions({READY: said(ConditionStatus.TRUE)}, (), generation=1, now=NOON)
    assert find_condition(conditions, READY) == conditions[0]
    assert find_condition(conditions, ConditionType.PAUSED) is None


def test_a_condition_type_of_a_newer_version_does_not_make_the_object_unreadable() -> None:
    (ready,) = set_conditions({READY: said(ConditionStatus.TRUE)}, (), generation=1, now=NOON)
    newer = ready.to_wire() | {"type": "FromTheFuture"}
    assert NodePoolStatus.model_validate({"conditions": [newer, ready.to_wire()]}).conditions == (ready,)


def test_a_condition_keeps_to_the_wire_format_of_kubernetes() -> None:
    (ready,) = set_conditions({READY: said(ConditionStatus.TRUE)}, (), generation=1, now=NOON)
    assert ready.to_wire() == {
        "type": "Ready",
        "status": "True",
        "reason": "Why",
        "message": "what",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-02T12:00:00Z",
    }
    assert Condition.model_validate(ready.to_wire()) == ready
