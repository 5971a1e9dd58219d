"""How the demo looks: headings, commands, verbatim output, what was verified, waits.

The story calls it and never prints by itself. A terminal gets colours and a spinner with seconds; anything else
gets plain lines. A recording gets the same lines as a terminal, without the spinner.
"""

import re
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

WIDTH = 118  # the widest line that kubectl prints here, and its indent
INDENT = "  "
QUIET_SECONDS = 10.0
# For a console that has no other characters.
ASCII = str.maketrans("─✓✗·…←×", "-+x-.<x")  # noqa: RUF001


class Screen:
    """Writes to one console that a person watches and, where it is recorded, to a second one."""

    def __init__(self, console: Console, recording: Console | None = None, *, is_live: bool) -> None:
        """`is_live`: whether a spinner can be drawn and wiped away again."""
        self.console = console
        self._consoles = [console] if recording is None else [console, recording]
        self._is_live = is_live
        self._number = 0
        self.part = ""  # the heading that we are below
        self._is_paragraph_over = False

    def title(self, text: str) -> None:
        """The first line of all."""
        self._line(Text(text, "bold"))

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self._number += 1
        self.heading(f"{self._number}  {title}")

    def heading(self, title: str) -> None:
        """Begin a part."""
        self.part = title
        self.gap()
        for console in self._consoles:
            rule = "─" * max(3, min(console.width, WIDTH) - len(title) - 4)
            _print(console, Text.assemble(("─ ", "cyan"), (title, "bold cyan"), (f" {rule}", "cyan")))

    def say(self, text: str) -> None:
        """A sentence that explains."""
        self._begin_paragraph()
        self._paragraph(INDENT, "", text, "italic")

    def command(self, *words: str) -> None:
        """A command line, as it is run; the words are quoted for a shell already."""
        self._begin_paragraph()
        prompt = "$ "
        for line in fold_command(words, WIDTH - len(INDENT) - len(prompt), INDENT):
            self._line(Text.assemble(INDENT, (prompt, "bold yellow"), (line, "bold")))
            prompt = "  "

    def cloud(self, call: str, body: str) -> None:
        """Something that is done to the simulated cloud behind everybody's back."""
        self._begin_paragraph()
        self._line(Text.assemble(INDENT, ("cloud ← ", "bold magenta"), (call, "magenta")))
        self._line(Text(f"{INDENT}{INDENT}{body}", "magenta"))

    def output(self, text: str) -> None:
        """What a program printed, as it is: no line is wrapped or cut."""
        for line in text.rstrip("\n").splitlines():
            self._line(Text(f"{INDENT}{line}".rstrip()))

    def message(self, text: str) -> None:
        """A condition's message, as it is but for line breaks: clause by clause, commands apart."""
        for part in split_message(text.rstrip("\n")):
            if part.startswith("kubectl "):
                self._paragraph(INDENT * 3, "", part, "bold")
            else:
                self._paragraph(INDENT, "", part, "")

    def verified(self, text: str) -> None:
        """A fact that was checked just now."""
        self._paragraph(f"{INDENT}✓ ", "bold green", text, "green")
        self._is_paragraph_over = True

    def note(self, text: str) -> None:
        """A fact that is told beside the story."""
        self._paragraph(f"{INDENT}· ", "", text, "dim")
        self._is_paragraph_over = True

    def failed(self, text: str) -> None:
        """What did not happen. The first line stands out; the rest may hold logs and is kept as it is."""
        first, _, rest = text.partition("\n")
        self.gap()
        self._paragraph("✗ ", "bold red", first, "bold red")
        self.output(rest)

    def columns(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table in the manner of kubectl."""
        head, *lines = align([header, *rows])
        self._line(Text(f"{INDENT}{head}", "dim"))
        for line in lines:
            self._line(Text(f"{INDENT}{line}"))

    def gap(self) -> None:
        """An empty line."""
        self._is_paragraph_over = False
        self._line(Text())

    def tell(self, text: str) -> None:
        """A line for the person alone, on no recording."""
        _print(self.console, Text(f"{INDENT}… {text}", "dim"))

    @contextmanager
    def waiting(self, title: str, *, is_long: bool = False) -> Iterator[None]:
        """Show that time passes while the block runs; `patience` is for those who see no spinner."""
        if not self._is_live:
            if is_long:
                self.tell(title)
            yield
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", style="dim", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            progress.add_task(title, total=None)
            yield

    def patience(self) -> "Patience":
        """Tells now and then that a wait goes on, where no spinner does."""
        return Patience(self, is_needed=not self._is_live)

    def _begin_paragraph(self) -> None:
        """An empty line between what was verified and what is done next."""
        if self._is_paragraph_over:
            self.gap()

    def _paragraph(self, prefix: str, prefix_style: str, text: str, style: str) -> None:
        for console in self._consoles:
            width = max(40, min(console.width, WIDTH)) - len(prefix)
            begin = prefix
            for line in fold_prose(text, width):
                _print(console, Text.assemble((begin, prefix_style), (line, style)))
                begin = " " * len(prefix)

    def _line(self, text: Text) -> None:
        for console in self._consoles:
            _print(console, text)


class Patience:
    """Reminds of a long wait every ten seconds."""

    def __init__(self, screen: Screen, *, is_needed: bool) -> None:
        self._screen = screen
        self._is_needed = is_needed
        self._began = self._told = time.monotonic()

    def remind(self, title: str) -> None:
        """Say that the wait goes on, if it was not said lately."""
        now = time.monotonic()
        if self._is_needed and now - self._told >= QUIET_SECONDS:
            self._told = now
            self._screen.tell(f"{title} ({now - self._began:.0f} s)")


def _print(console: Console, text: Text) -> None:
    if not console.encoding.startswith("utf"):
        text = Text(text.plain.translate(ASCII), text.style, spans=text.spans)
    if console.record:
        # A picture has an edge: what is longer goes on in the next line.
        console.print(text, overflow="fold", highlight=False)
    else:
        # A terminal folds lines by itself, and a log has no edge.
        console.print(text, soft_wrap=True, highlight=False)


CONTINUATION = " \\"
COLUMN_GAP = "   "
_BEFORE_COMMAND = re.compile(r"(?<=: )(?=kubectl )|(?<=; )")


def fold_command(words: Sequence[str], width: int, indent: str) -> list[str]:
    """A command line in lines that a shell reads as one; `words` are quoted already and are never broken."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) + len(CONTINUATION) <= width:
            lines[-1] += f" {word}"
        else:
            lines[-1] += CONTINUATION
            lines.append(f"{indent}{word}")
    return lines


def fold_prose(text: str, width: int) -> list[str]:
    """A sentence in lines; no word is broken."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def split_message(message: str) -> list[str]:
    """A condition's message clause by clause, the commands in it apart; joined again it is what it was."""
    return _BEFORE_COMMAND.split(message)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as kubectl aligns them."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        COLUMN_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
