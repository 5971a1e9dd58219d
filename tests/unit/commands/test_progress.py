"""Progress is for terminals alone, and leaves nothing on them."""

import io

from typing_extensions import override

from modelarts_nodepool.commands.terminal import Progress


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_each_word_replaces_the_last_and_the_line_is_empty_in_the_end() -> None:
    terminal = Terminal()
    with Progress(terminal) as progress:
        progress("one")
        progress("x" * 200)
    parts = terminal.getvalue().split("\r\x1b[K")
    assert parts == ["", "one", "x" * 77 + "…", ""]


def test_a_pipe_gets_nothing() -> None:
    pipe = io.StringIO()
    with Progress(pipe) as progress:
        progress("one")
    assert pipe.getvalue() == ""
