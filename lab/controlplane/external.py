"""Runs one slow foreign command line by line, with a log, and leaves no process behind when it is interrupted."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 3.0


def run_streaming(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    on_line: Callable[[str], None],
) -> int:
    """Run it, hand every line of its output on, append it to the log, and give the exit code.

    It gets a process group of its own, so that Ctrl-C reaches us alone and we end all of it, compilers included.
    """
    with log.open("a") as record:
        record.write(f"$ {' '.join(command)}\n")
        with subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as child:
            assert child.stdout is not None  # noqa: S101 - stdout=PIPE
            try:
                for line in child.stdout:
                    record.write(line)
                    on_line(line.rstrip("\n"))
                return child.wait()
            except BaseException:
                _end_group(child)
                raise


def _end_group(child: subprocess.Popen[str]) -> None:
    """End the whole process group; it is ours as long as its leader has not been waited for."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
