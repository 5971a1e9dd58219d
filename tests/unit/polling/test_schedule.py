"""The time of the next poll, by the results of the last ones and by jitter."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.errors import (
    CircuitOpen,
    CredentialsRejected,
    CredentialsUnavailable,
    NoAnswer,
    ServerFailure,
    Throttled,
)
from modelarts_nodepool.polling import MAX_BACKOFF, Schedule

EVERY = timedelta(seconds=60)


def a_schedule(chance: float = 1.0) -> Schedule:
    return Schedule(lambda: chance)


def pause_after(schedule: Schedule, failure: Failure | None, interval: timedelta = EVERY) -> timedelta:
    schedule.record(failure)
    schedule.draw()
    return schedule.pause(interval)


def settled(chance: float = 1.0) -> Schedule:
    schedule = a_schedule(chance)
    pause_after(schedule, None)
    return schedule


def test_one_that_begins_alone_looks_at_once_and_a_hundred_within_two_seconds() -> None:
    assert a_schedule().first(1) == timedelta()
    assert a_schedule().first(100) == timedelta(seconds=1.98)
    assert a_schedule(0.0).first(100) == timedelta()


def test_those_that_begin_together_come_apart_once_and_keep_their_interval_then() -> None:
    schedule = a_schedule(0.25)
    assert [pause_after(schedule, None).total_seconds() for _ in range(4)] == [15, 60, 60, 60]


def test_failed_first_look_does_not_keep_them_together() -> None:
    schedule = a_schedule(0.25)
    pause_after(schedule, NoAnswer("reset"))
    assert [pause_after(schedule, None).total_seconds() for _ in range(2)] == [15, 60]


def test_failures_in_a_row_lengthen_the_interval_up_to_five_minutes_more() -> None:
    schedule = settled()
    more = [(pause_after(schedule, ServerFailure("503")) - EVERY).total_seconds() for _ in range(12)]
    assert more == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert timedelta(seconds=300) == MAX_BACKOFF
    assert pause_after(schedule, None) == EVERY
    assert pause_after(schedule, ServerFailure("503")) == EVERY + timedelta(seconds=1)


@pytest.mark.parametrize("failure", [CredentialsRejected("401"), CredentialsUnavailable("no Secret")], ids=repr)
def test_what_a_person_mends_is_looked_for_at_each_interval(failure: Failure) -> None:
    schedule = settled()
    assert [pause_after(schedule, failure) for _ in range(5)] == [EVERY] * 5


@pytest.mark.parametrize(
    ("interval", "asked", "chance", "expected"),
    [(60, 10, 0, 60), (60, 10, 0.5, 90), (60, 300, 0, 300), (60, 300, 1, 360), (1, 30, 1, 31), (3600, 30, 1, 3660)],
)
def test_throttled_waits_as_long_as_it_was_told_and_not_with_the_others(
    interval: int, asked: int, chance: float, expected: int
) -> None:
    failure = Throttled("429", retry_after=timedelta(seconds=asked))
    assert pause_after(settled(chance), failure, timedelta(seconds=interval)).total_seconds() == expected


def test_time_that_a_503_asks_for_is_honoured_too() -> None:
    failure = ServerFailure("503", retry_after=timedelta(minutes=3))
    assert pause_after(settled(0.0), failure) == timedelta(minutes=3)
    assert pause_after(settled(0.0), failure, timedelta(hours=1)) == timedelta(hours=1)


def test_who_was_held_back_comes_again_soon_after_the_next_probe_whatever_the_interval() -> None:
    failure = CircuitOpen("down", retry_after=timedelta(seconds=10))
    assert pause_after(settled(0.0), failure) == timedelta(seconds=10)
    assert pause_after(settled(), failure) == timedelta(seconds=70)
    assert pause_after(settled(), failure, timedelta(hours=1)) == timedelta(seconds=70)
    assert pause_after(settled(), failure, timedelta(seconds=1)) == timedelta(seconds=11)


def test_being_held_back_is_no_failure_more() -> None:
    schedule = settled()
    for _ in range(20):
        pause_after(schedule, CircuitOpen("down", retry_after=timedelta(seconds=10)))
    assert pause_after(schedule, NoAnswer("reset")) == EVERY + timedelta(seconds=1)


@given(
    st.lists(
        st.sampled_from([None, NoAnswer("reset"), ServerFailure("503"), Throttled("429"), CredentialsRejected("")])
    ),
    st.floats(0, 1),
    st.integers(1, 3600),
)
def test_no_look_that_reached_the_cloud_is_followed_before_the_interval_but_for_the_first(
    failures: list[Failure | None], chance: float, seconds: int
) -> None:
    schedule, interval = settled(chance), timedelta(seconds=seconds)
    for failure in failures:
        assert interval <= pause_after(schedule, failure, interval) <= 2 * interval + MAX_BACKOFF
