"""The folder in the user's cache where the binaries of one pin stand, and the lock around filling it.

A binary that is there is whole: it is written under another name, on the same disk, and renamed.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from lab.controlplane.narration import Narrator

PARTIAL = ".partial-"


def cache_root(environment: Mapping[str, str]) -> Path:
    """The folder of all our pins: MODELARTS_NODEPOOL_CACHE, else XDG_CACHE_HOME, else ~/.cache."""
    chosen = environment.get("MODELARTS_NODEPOOL_CACHE") or environment.get("XDG_CACHE_HOME")
    base = Path(chosen).expanduser().absolute() if chosen else Path.home() / ".cache"
    return base / "modelarts-nodepool-operator" / "controlplane"


class Cache:
    """The binaries of one pin, below `root/key`."""

    def __init__(self, root: Path, key: str) -> None:
        self.root = root
        self.folder = root / key
        self._lock = root / f"{key}.lock"
        self._owner = root / f"{key}.owner"

    def find(self, name: str) -> Path | None:
        """The binary, if it is there."""
        path = self.folder / name
        return path if path.is_file() and os.access(path, os.X_OK) else None

    def install(self, name: str, source: Path) -> Path:
        """Take a finished file in, at once or not at all; call it with the lock held."""
        source.chmod(0o755)
        with source.open("rb") as written:
            os.fsync(written.fileno())
        return source.replace(self.folder / name)

    @contextmanager
    def locked(self, narrator: Narrator) -> Iterator[None]:
        """Hold the lock of this pin; say for whom we wait when somebody else does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            with narrator.step(f"Waiting for {self._whoever()}, which prepares the same binaries"):
                lock.acquire()
        try:
            since = datetime.now(UTC).strftime("%H:%M:%S UTC")
            self._owner.write_text(f"process {os.getpid()} (since {since})")
            self._sweep()
            yield
        finally:
            self._owner.unlink(missing_ok=True)
            lock.release()

    @contextmanager
    def partial(self) -> Iterator[Path]:
        """A folder for unfinished work; it is gone afterwards, however the block ends."""
        folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _whoever(self) -> str:
        with contextlib.suppress(OSError):
            return self._owner.read_text() or "another process"
        return "another process"

    def _sweep(self) -> None:
        """Remove what a killed run left: with the lock held nobody else is at work."""
        for left in self.folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)
