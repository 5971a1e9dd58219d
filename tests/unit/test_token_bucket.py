"""The arithmetic of the rate limit, on times that are arguments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.token_bucket import RECOVERS_IN_SECONDS, SLOWEST_PART, TokenBucket


def taken(bucket: TokenBucket, now: float, *, keep_reserve: bool = False, at_most: int = 10_000) -> int:
    """How many tokens can be had at that moment."""
    count = 0
    while count < at_most and bucket.acquire(now, keep_reserve=keep_reserve) == 0:
        count += 1
    return count


def test_burst_is_there_at_once_and_then_the_rate() -> None:
    bucket = TokenBucket(10, 50, now=0)
    assert taken(bucket, 0) == 50
    assert taken(bucket, 1) == 10
    assert taken(bucket, 3.5) == 25
    assert taken(bucket, 1000) == 50


def test_who_is_refused_is_told_when_there_will_be_a_token() -> None:
    bucket = TokenBucket(4, 2, now=0)
    assert taken(bucket, 0) == 2
    wait = bucket.acquire(0, keep_reserve=False)
    assert wait == pytest.approx(0.25)
    assert bucket.acquire(wait, keep_reserve=False) == 0


def test_polls_leave_a_quarter_to_the_others() -> None:
    bucket = TokenBucket(100, 40, now=0)
    assert taken(bucket, 0, keep_reserve=True) == 30
    assert taken(bucket, 0) == 10


def test_smallest_bucket_lets_polls_through() -> None:
    bucket = TokenBucket(1, 1, now=0)
    assert taken(bucket, 0, keep_reserve=True) == 1
    assert taken(bucket, 1, keep_reserve=True) == 1


def test_slowed_bucket_lets_polls_through_before_its_burst_is_full_again() -> None:
    bucket = TokenBucket(64, 1000, now=0)
    for second in range(10):
        bucket.slow_down(second * 2)
    taken(bucket, 18)
    assert taken(bucket, 20, keep_reserve=True) >= 2


def test_token_given_back_is_there_again_and_makes_no_more_than_the_burst() -> None:
    bucket = TokenBucket(1, 3, now=0)
    assert taken(bucket, 0) == 3
    bucket.put_back()
    assert taken(bucket, 0) == 1
    bucket.put_back()
    for _ in range(9):
        bucket.put_back()
    assert taken(bucket, 0) == 3


def test_rate_is_halved_by_a_429_once_a_second_and_comes_back() -> None:
    bucket = TokenBucket(64, 64, now=0)
    taken(bucket, 0)
    for _ in range(5):
        bucket.slow_down(0)
    assert taken(bucket, 1) == 32
    assert taken(bucket, 1 + RECOVERS_IN_SECONDS) == 64
    assert taken(bucket, 2 + RECOVERS_IN_SECONDS) == 64


def test_rate_never_falls_to_nothing() -> None:
    bucket = TokenBucket(64, 64, now=0)
    for second in range(100):
        bucket.slow_down(second * 1.0)
    taken(bucket, 99)
    assert taken(bucket, 100) >= 64 // SLOWEST_PART


def test_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(10, 5, now=100)
    assert taken(bucket, 100) == 5
    assert taken(bucket, 50) == 0
    assert taken(bucket, 50.5) <= 5


@given(
    st.floats(0.1, 100),
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.booleans()), max_size=60),
)
def test_never_more_than_the_burst_and_the_rate_since(
    rate: float, burst: int, steps: list[tuple[float, bool, bool]]
) -> None:
    bucket, now, count = TokenBucket(rate, burst, 0), 0.0, 0
    for span, is_poll, is_429 in steps:
        now += span
        if is_429:
            bucket.slow_down(now)
        count += taken(bucket, now, keep_reserve=is_poll, at_most=20)
        assert count <= burst + rate * now + 0.01
