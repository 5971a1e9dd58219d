"""Stand-ins for the outer edges of the control plane's binaries: the narrator and the ways to get them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.controlplane.cache import Cache
from lab.controlplane.failures import DownloadError
from lab.controlplane.narration import Narrator, Step


class Listener:
    """A narrator that remembers what was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def say(self, text: str) -> None:
        self.told.append(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        self.told.append(title)
        yield Step(title)


class Bringing:
    """A way that brings what is asked for, as far as it has it."""

    def __init__(self, has: Sequence[str], mark: str) -> None:
        self._has = has
        self._mark = mark
        self.asked: list[list[str]] = []

    def obtain(self, names: Sequence[str], cache: Cache, narrator: Narrator) -> None:
        self.asked.append(list(names))
        narrator.say(self._mark)
        for name in names:
            if name not in self._has:
                raise DownloadError(f"no {name} in {self._mark}")
            with cache.partial() as partial:
                cache.install(name, a_program(partial / name, self._mark))


def a_program(path: Path, says: str) -> Path:
    """An executable that prints a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    path.chmod(0o755)
    return path


def a_kubectl(path: Path, version: str) -> Path:
    """A kubectl that only knows its version."""
    return a_program(path, f'{{"clientVersion": {{"gitVersion": "{version}"}}}}')
