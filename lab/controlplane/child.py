"""One process: started behind its keeper, watched, stopped, and gone when we are.

The control plane's servers, the simulator and the operator are children. Only processes started here are ever
signalled.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.controlplane.failures import PortTakenError, ServerStoppedError

KEEPER = Path(__file__).with_name("keeper.py")
LAST_LINES = 8
LOOK_SECONDS = 0.002
PORT_TAKEN = "address already in use"


class Child:
    """A running server. Its output goes to `log`; `pid` is the server's own, not the keeper's.

    It works in `folder`; `environment` is instead of ours.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(KEEPER), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=descriptor,
                cwd=folder,
                env=environment,
                # Ctrl-C in the terminal must reach us alone: we stop the servers in their order.
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self.pid = self._read_pid()

    def _read_pid(self) -> int:
        assert self._keeper.stdout is not None  # noqa: S101 - stdout=PIPE
        try:
            word, _, rest = self._keeper.stdout.readline().decode().strip().partition(" ")
        except BaseException:
            self.kill()
            raise
        if word != "pid":
            self.kill()
            raise ServerStoppedError(f"{self.name} could not be started: {rest or 'its keeper ended'}.")
        return int(rest)

    def is_running(self) -> bool:
        """Whether the server is alive."""
        return self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 and the signal's number where a signal has ended it."""
        return self._keeper.poll()

    def wait(self, seconds: float) -> int | None:
        """The exit code, as soon as there is one; None where it still runs after so long."""
        deadline = time.monotonic() + seconds
        while (code := self.exit_code) is None and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """To the server itself, if it runs."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def raise_if_ended(self) -> None:
        """Raise with the server's last words when it is not alive."""
        code = self.exit_code
        if code is None:
            return
        last = last_lines(self.log)
        error = PortTakenError if PORT_TAKEN in last else ServerStoppedError
        raise error(f"{self.name} ended with exit code {code}. The end of {self.log}:\n{last}")

    def stop(self, grace_seconds: float) -> None:
        """Ask the server to end, wait, then kill it. Safe to call again."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                self._keeper.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """End the server at once: its keeper kills it when the pipe between us is closed."""
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._keeper.wait(5)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """The end of a log file, indented for a message."""
    with contextlib.suppress(OSError), log.open(errors="replace") as lines:
        return "\n".join(f"  {line.rstrip()[:400]}" for line in deque(lines, maxlen=count))
    return "  (no log)"
