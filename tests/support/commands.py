"""Our own command as a person types it: a process, its output and its exit code."""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import cache

from tests.support.fork_server import ForkServer
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually

Done = subprocess.CompletedProcess[str]


def command_line(*args: str) -> list[str]:
    return [sys.executable, "-m", "modelarts_nodepool", *args]


def clean_environment(**more: str) -> dict[str, str]:
    """Nothing of ours and no cluster of the person who runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MODELARTS", "KUBE"))}
    return kept | more


_starting = threading.Lock()


@cache
def _started() -> ForkServer:
    server = ForkServer(clean_environment())
    atexit.register(server.stop)
    return server


def fork_server() -> ForkServer:
    """One for all tests of this process."""
    with _starting:
        return _started()


def run(*args: str, **environment: str) -> Done:
    """Quickly: the process is a fork of one that has imported the command. `run_anew` starts an interpreter."""
    return fork_server().run(args, clean_environment(**environment), HANGING_SECONDS)


def run_anew(*args: str, **environment: str) -> Done:
    return subprocess.run(  # noqa: S603 - ours
        command_line(*args),
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGING_SECONDS,
        env=clean_environment(**environment),
    )


def interrupted(*args: str, when: Callable[[], bool]) -> tuple[Done, float]:
    """Ctrl-C as soon as something is so; what came of it and how long that took."""
    # A test run in the background of a shell ignores SIGINT, and so would everything that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(  # noqa: S603 - ours
        command_line(*args),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    signal.signal(signal.SIGINT, before)
    with process:
        assert eventually(when), "it never came so far"
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, words = process.communicate(timeout=HANGING_SECONDS)
    return Done(process.args, process.returncode, out, words), time.monotonic() - begun
