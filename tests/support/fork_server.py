"""Runs our command in forks of a process that has imported it: a start costs milliseconds instead of half a second.

Most of the CPU of a command that a test runs is its imports. A fork is a process of its own with its own environment,
folder, output and exit code; from there on it is `python -m modelarts_nodepool`.

`python -m tests.support.fork_server FD` is the server. It has one thread, and ends with the process that started it.
"""

import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

REPOSITORY = Path(__file__).parents[2]
PROGRAM = "modelarts_nodepool"
# What the commands import when they are called.
IMPORTED = (
    *("cli", "app", "commands.session", "commands.doctor.report", "commands.doctor.runner"),
    *("commands.inventory.collect", "commands.inventory.output", "commands.why.format", "commands.why.observe"),
    "commands.uninstall_check",
)


class ForkServer:
    """The client. Threads may call `run` at the same time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this file
                [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C in the terminal is for pytest, whose end is the server's.
                start_new_session=True,
            )

    def run(
        self, args: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end; raise `TimeoutExpired` where it does not end."""
        ours, theirs = socket.socketpair()
        with TemporaryFile() as out, TemporaryFile() as err, ours, ours.makefile("rb") as answers:
            with theirs:
                socket.send_fds(self._requests, [b"+"], [theirs.fileno(), out.fileno(), err.fileno()])
            request = {"args": args, "environment": dict(environment), "folder": str(Path.cwd())}
            ours.sendall(json.dumps(request).encode() + b"\n")
            ours.settimeout(seconds)
            pid = int(answers.readline())
            try:
                code = int(answers.readline())
            except TimeoutError as error:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([PROGRAM, *args], seconds, _text(out), _text(err)) from error
            return subprocess.CompletedProcess([PROGRAM, *args], code, _text(out), _text(err))

    def stop(self) -> None:
        """End the server."""
        self._requests.close()
        self._process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def serve(requests: socket.socket) -> list[str]:
    """Fork for each request; exit when the client is gone. Return the arguments in a fork that is to run a command."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing asks how the forks end
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1, 3)
        if not message:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            return answer(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def answer(connection: int, out: int, err: int) -> list[str]:
    """Fork again: the parent sends process id and exit code of its child; the child returns to run the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=connection) as client:
        with client.makefile("rb") as lines:
            request = json.loads(lines.readline())
        if pid := os.fork():
            with contextlib.suppress(OSError):  # the client has given up
                client.sendall(b"%d\n" % pid)
                _, status = os.waitpid(pid, 0)
                client.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    return list(request["args"])


if __name__ == "__main__":
    for module in IMPORTED:
        import_module(f"{PROGRAM}.{module}")
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        arguments = serve(inherited)
    sys.argv[1:] = arguments
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)
