"""Runs the commands that the demo shows, and hands back what they printed, standard error included.

Each runs behind the keeper that also guards the servers: when the demo is killed, no kubectl outlives it.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.controlplane.child import KEEPER
from lab.harness.failures import LabError


@dataclass(frozen=True)
class Printed:
    """What a command printed, in the order in which a terminal would show it, and its exit code."""

    text: str
    code: int


async def run_command(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Printed:
    """Run it in the folder until it ends. Cancelled, it is killed first."""
    keeper = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(KEEPER),
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    )
    try:
        return await _read(keeper, command[0])
    finally:
        await _end(keeper)


async def _read(keeper: Process, name: str) -> Printed:
    assert keeper.stdout is not None  # noqa: S101 - stdout=PIPE
    assert keeper.stderr is not None  # noqa: S101 - stderr=PIPE
    first = (await keeper.stdout.readline()).decode().strip()
    if not first.startswith("pid "):
        raise LabError(f"{name} could not be started: {first.removeprefix('error ') or 'its keeper ended'}.")
    # The keeper joins both outputs of the command on its standard error.
    text = await keeper.stderr.read()
    return Printed(text.decode(errors="replace"), await keeper.wait())


async def _end(keeper: Process) -> None:
    """Closing the pipe makes the keeper kill the command."""
    if keeper.returncode is not None:
        return
    assert keeper.stdin is not None  # noqa: S101 - stdin=PIPE
    with contextlib.suppress(OSError):
        keeper.stdin.close()
    await asyncio.shield(keeper.wait())
