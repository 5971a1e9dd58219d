"""A small program between us and one server: when we are gone, even by SIGKILL, it ends the server.

`child.py` starts it by its path, with nothing but the standard library: `keeper.py <command> [argument…]`.
It prints the server's pid, then waits for one of three things:
- the server ends: it ends with the same exit code;
- SIGTERM: it passes the signal on;
- its standard input is closed, which is what the kernel does when our process dies: it kills the server.
It must stay single-threaded: the kernel sends the parent-death signal when the *thread* that forked ends.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    """Run the command until it ends or our standard input does."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this program has one thread
        )
    except OSError as error:
        print(f"error {command[0]}: {error.strerror}", flush=True)
        return 127
    print(f"pid {server.pid}", flush=True)
    while server.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno(), wake_read], [], [])
        if sys.stdin.fileno() in readable:
            server.kill()
            server.wait()
        elif signal.SIGTERM in os.read(wake_read, 64):
            server.terminate()
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _die_with_parent() -> None:
    """Ask Linux to kill the server should this keeper itself be killed; elsewhere there is no such thing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
