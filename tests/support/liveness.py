"""Which processes live: for tests that show that nothing is left behind."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.limits import HANGING_SECONDS

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.4


def is_alive(pid: int) -> bool:
    """Whether a process has this pid; a zombie that nobody has collected yet is dead."""
    status = Path(f"/proc/{pid}/stat")
    if status.parent.parent.joinpath("self").exists():
        try:
            return status.read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pids_naming(text: str) -> list[int]:
    """The processes whose command line holds this text. Sees nothing where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = entry.joinpath("cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in command and is_alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def eventually(condition: Callable[[], bool], seconds: float = HANGING_SECONDS) -> bool:
    """Whether the condition became true in time."""
    deadline = time.monotonic() + seconds
    pauses = growing_pauses()
    while not condition() and time.monotonic() < deadline:
        time.sleep(next(pauses))
    return condition()


def growing_pauses() -> Iterator[float]:
    """Seconds between two looks: what comes soon is seen soon, and what takes long does not cost a request each time.

    Dozens of tests wait at the same time on two cores.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.3, LONGEST_PAUSE_SECONDS)
