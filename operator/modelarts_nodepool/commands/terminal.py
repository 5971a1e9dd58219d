"""What the commands print for people: tables as kubectl prints them, counts, ages, and one line of progress."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from modelarts_nodepool.api.node_pool import Counts

_CLEAR = "\r\033[K"
_WIDEST = 78


class Progress:
    """`with Progress() as progress: progress("asking …")`. In a pipe or a log file it prints nothing."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Standard error unless another stream is given."""
        self._stream = stream or sys.stderr
        self._is_shown = self._stream.isatty()

    def __call__(self, words: str) -> None:
        """Replace the line."""
        if self._is_shown:
            shown = words if len(words) <= _WIDEST else f"{words[: _WIDEST - 1]}…"
            self._stream.write(f"{_CLEAR}{shown}")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Also on Ctrl-C: the next output begins on an empty line.
        self("")


_GAP = "   "
_MINUTE, _HOUR = 60, 3600


def to_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; the last column is not padded. An empty cell shows as a hyphen."""
    table = [list(heading), *([cell or "-" for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    return [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def to_nodes(counts: Counts) -> str:
    """The nodes by state: `3 available, 1 abnormal`."""
    states = ("available", "creating", "abnormal", "deleting")
    return ", ".join(f"{count} {state}" for state in states if (count := getattr(counts, state))) or "no nodes"


def to_age(seconds: float) -> str:
    """In the largest unit of which there are two, whole; one hour is `1 h`."""
    whole = max(round(seconds), 0)
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    return f"{whole // _HOUR} h" if whole >= 2 * _HOUR or whole == _HOUR else f"{whole // _MINUTE} min"
