from datetime import timedelta

import pytest

from modelarts_nodepool.credentials.lifetimes import refresh_at, retry_after, usable_until
from tests.support.builders import NOON

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("lasting", "refreshed", "used"),
    [
        (24 * 60 * MINUTE, 24 * 60 * MINUTE - 40 * MINUTE, 24 * 60 * MINUTE - 5 * SECOND),
        (80 * MINUTE, 40 * MINUTE, 80 * MINUTE - 5 * SECOND),
        (30 * MINUTE, 15 * MINUTE, 30 * MINUTE - 5 * SECOND),
        (60 * SECOND, 30 * SECOND, 55 * SECOND),
        (10 * SECOND, 5 * SECOND, 9 * SECOND),
        (4 * SECOND, 5 * SECOND, 3.6 * SECOND),
    ],
    ids=["a day", "where the SDK's margin is half", "less than the SDK's margin", "a minute", "ten seconds", "a blink"],
)
def test_a_key_is_refreshed_by_half_its_life_and_used_almost_to_its_end(
    lasting: timedelta, refreshed: timedelta, used: timedelta
) -> None:
    assert refresh_at(NOON, NOON + lasting) == NOON + refreshed
    assert usable_until(NOON, NOON + lasting) == NOON + used


def test_failed_refreshes_wait_twice_as_long_each_time_up_to_a_minute() -> None:
    waits = [retry_after(failures).total_seconds() for failures in (1, 2, 3, 4, 5, 6, 7, 1000)]
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
