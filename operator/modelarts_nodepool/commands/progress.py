"""One line on standard error that says what is being done, on a terminal only, and gone when it is done."""

import sys
from types import TracebackType
from typing import Self, TextIO

_CLEAR = "\r\033[K"
_WIDEST = 78


class Progress:
    """`with Progress() as progress: progress("asking …")`. In a pipe or a log file it says nothing."""

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
        # Also on Ctrl-C: what comes next begins on an empty line.
        self("")
