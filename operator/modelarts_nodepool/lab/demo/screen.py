"""How the demo looks: headings, commands, verbatim output, what was verified, waits.

The story calls it and never prints by itself. A terminal gets colours and a spinner with seconds; anything else
gets plain lines. A recording gets the same lines as a terminal, without the spinner.
"""

import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

WIDTH = 114  # the widest line that kubectl prints here, and its indent
INDENT = "  "
QUIET_SECONDS = 10.0
COLUMN_GAP = "   "


class Screen:
    """Writes to one console that a person watches and, where it is recorded, to a second one."""

    def __init__(self, console: Console, recording: Console | None = None, *, is_live: bool) -> None:
        """`is_live`: whether a spinner can be drawn and wiped away again."""
        self.console = console
        self._consoles = [console] if recording is None else [console, recording]
        self._is_live = is_live
        self._number = 0

    def title(self, text: str) -> None:
        """The first line of all."""
        self._line(Text(text, "bold"))

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self._number += 1
        self.heading(f"{self._number}. {title}")

    def heading(self, title: str) -> None:
        """Begin a part."""
        self._line(Text())
        for console in self._consoles:
            rule = "─" * max(3, min(console.width, WIDTH) - len(title) - 4)
            _print(console, Text.assemble(("─ ", "cyan"), (title, "bold cyan"), (f" {rule}", "cyan")))

    def say(self, text: str) -> None:
        """A sentence that explains."""
        self._paragraph("", "", text, "italic")

    def command(self, text: str) -> None:
        """A command line, as it is run."""
        self._line(Text.assemble(INDENT, ("$ ", "bold yellow"), (text, "bold")))

    def cloud(self, text: str) -> None:
        """Something that is done to the simulated cloud behind everybody's back."""
        self._line(Text.assemble(INDENT, ("cloud ← ", "bold magenta"), (text, "magenta")))

    def output(self, text: str) -> None:
        """What a program printed, as it is: no line is wrapped or cut."""
        for line in text.rstrip("\n").splitlines():
            self._line(Text(f"{INDENT}{line}".rstrip()))

    def wrapped_output(self, text: str) -> None:
        """The same for long sentences: words are kept, lines are broken between them."""
        for line in text.rstrip("\n").splitlines():
            self._paragraph(INDENT, "", line, "")

    def verified(self, text: str) -> None:
        """A fact that was checked just now."""
        self._paragraph(f"{INDENT}✓ ", "bold green", text, "green")

    def note(self, text: str) -> None:
        """A fact that is told beside the story."""
        self._paragraph(f"{INDENT}· ", "", text, "dim")

    def failed(self, text: str) -> None:
        """What did not happen. The first line stands out; the rest may hold logs and is kept as it is."""
        first, _, rest = text.partition("\n")
        self._line(Text())
        self._paragraph("✗ ", "bold red", first, "bold red")
        self.output(rest)

    def columns(self, header: Sequence[str], rows: Sequence[Sequence[str]], style: str = "") -> None:
        """A table in the manner of kubectl."""
        widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
        for row, row_style in ((header, "dim"), *((row, style) for row in rows)):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self._line(Text(f"{INDENT}{COLUMN_GAP.join(cells)}".rstrip(), row_style))

    def gap(self) -> None:
        """An empty line."""
        self._line(Text())

    @contextmanager
    def waiting(self, title: str) -> Iterator[None]:
        """Show that time passes while the block runs; `patience` is for those who see no spinner."""
        if not self._is_live:
            yield
            return
        columns = (
            TextColumn(INDENT.rstrip(" ")),
            SpinnerColumn(),
            TextColumn("{task.description}", style="dim", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            progress.add_task(title, total=None)
            yield

    def patience(self) -> "Patience":
        """Tells now and then that a wait goes on, where no spinner does."""
        return Patience(self)

    def remind(self, text: str) -> None:
        """A line about a long wait; a terminal has the spinner, a recording needs none."""
        if not self._is_live:
            self.tell(text)

    def tell(self, text: str) -> None:
        """A line for the person alone, on no recording."""
        _print(self.console, Text(f"{INDENT}… {text}", "dim"))

    def _paragraph(self, prefix: str, prefix_style: str, text: str, style: str) -> None:
        for console in self._consoles:
            width = max(40, min(console.width, WIDTH)) - len(prefix)
            lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
            for index, line in enumerate(lines):
                begin = prefix if index == 0 else " " * len(prefix)
                _print(console, Text.assemble((begin, prefix_style), (line, style)))

    def _line(self, text: Text) -> None:
        for console in self._consoles:
            _print(console, text)


class Patience:
    """Reminds of a long wait every ten seconds."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._began = self._told = time.monotonic()

    def remind(self, title: str) -> None:
        """Say that the wait goes on, if it was not said lately."""
        now = time.monotonic()
        if now - self._told >= QUIET_SECONDS:
            self._told = now
            self._screen.remind(f"{title} ({now - self._began:.0f} s)")


def _print(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True, highlight=False)
