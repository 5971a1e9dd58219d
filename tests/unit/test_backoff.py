from datetime import timedelta

import pytest

from modelarts_nodepool.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (1_000_000, 60)]
)
def test_a_wait_doubles_with_each_failure_up_to_the_longest(failures: int, seconds: int) -> None:
    backoff = Backoff(first=timedelta(seconds=1), longest=timedelta(minutes=1))
    assert backoff.after(failures) == timedelta(seconds=seconds)
