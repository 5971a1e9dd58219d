"""How slow work is told to a person: one live line on a terminal, a plain line now and then elsewhere.

The rest of this package calls a `Narrator`; the demo and the command line choose which. Nothing here decides.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

PLAIN_INTERVAL_SECONDS = 15.0


class Step:
    """The state of one slow step; the worker writes it, the narrator reads it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.done = 0
        self.total: int | None = None
        self.detail = ""
        self._began = time.monotonic()

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._began

    def plain(self) -> str:
        """The step as one line of plain text."""
        share = f" {100 * self.done // self.total}%" if self.total else ""
        detail = f", {self.detail}" if self.detail else ""
        return f"{self.title}:{share}{detail} ({clock(self.elapsed_seconds)})"


class Narrator(Protocol):
    """Whoever tells the person what happens."""

    def say(self, text: str) -> None:
        """Tell one finished fact."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Tell how a slow step goes on, until the block ends."""
        yield Step(title)


class SilentNarrator:
    """Tells nothing."""

    def say(self, text: str) -> None:
        """Drop the text."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Count, and show nothing."""
        yield Step(title)


class ConsoleNarrator:
    """Tells it on a rich console: live on a terminal, every 15 s a line otherwise."""

    def __init__(self, console: Console, plain_interval_seconds: float = PLAIN_INTERVAL_SECONDS) -> None:
        self._console = console
        self._plain_interval_seconds = plain_interval_seconds

    def say(self, text: str) -> None:
        """Print the text as it is: no markup, no wrapping."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show the step while the block runs."""
        step = Step(title)
        with self._live(step) if self._console.is_terminal else self._plain(step):
            yield step

    @contextmanager
    def _live(self, step: Step) -> Iterator[None]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", markup=False, style="dim"),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(step.title, total=None, detail="")
            with _repeated(
                0.2, lambda: progress.update(task, completed=step.done, total=step.total, detail=step.detail)
            ):
                yield

    @contextmanager
    def _plain(self, step: Step) -> Iterator[None]:
        self.say(f"{step.title} …")
        with _repeated(self._plain_interval_seconds, lambda: self.say(step.plain())):
            yield


def clock(seconds: float) -> str:
    """Minutes and seconds, as people write them."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


@contextmanager
def _repeated(interval_seconds: float, show: "_Show") -> Iterator[None]:
    """Call `show` at an interval from a thread of its own: the worker may be silent for minutes."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(interval_seconds):
            show()

    thread = threading.Thread(target=repeat, name="narration", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Show(Protocol):
    def __call__(self) -> None: ...
