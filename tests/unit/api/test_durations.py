"""Durations are read and written as Kubernetes users write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.api.meta import from_text, to_text


@given(st.integers(min_value=0, max_value=99_999 * 3600))
def test_a_written_duration_reads_back_as_itself(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert from_text(to_text(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("60s", 60), ("1m30s", 90), ("1h", 3600), ("1h30m5s", 5405), ("168h", 604_800), ("007s", 7)],
)
def test_usual_spellings_are_read(text: str, seconds: int) -> None:
    assert from_text(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (60, "1m"), (90, "1m30s"), (3600, "1h"), (3605, "1h5s"), (86_400, "24h")]
)
def test_the_shortest_spelling_is_written(seconds: int, text: str) -> None:
    assert to_text(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    "text",
    ["", "10", "s", "-1s", "1.5h", "1d", "1 m", "1m ", "1m\n", "100ms", "1H", "999999s", "1s1s1s1s", "\u0661s"],
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 30s, 5m or 1h"):
        from_text(text)


def test_what_is_no_text_is_left_to_the_model() -> None:
    assert from_text(5) == 5
