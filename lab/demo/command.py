"""`modelarts-nodepool demo`: options, consoles, exit codes. An entry point in lab/pyproject.toml."""

import asyncio
import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from lab.controlplane import ConsoleNarrator, ControlPlaneError, ensure_binaries
from lab.demo.recording import make_recording_console, write_svg
from lab.demo.run import perform
from lab.demo.screen import WIDTH, Screen
from lab.harness.failures import LabError
from lab.harness.interrupts import signals_interrupt
from lab.harness.workspace import find_shipped, reach_loopback_directly

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


@click.command(short_help="Show it all on this machine, within a minute.")
@click.option(
    "--keep", is_flag=True, help="Leave everything running at the end, print how to use it, and stop on Ctrl-C."
)
@click.option(
    "--record",
    metavar="FILE.svg",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write what is shown as a picture, too.",
)
def demo(*, keep: bool, record: Path | None) -> None:
    """Show everything at once on this machine, in about a minute.

    A real Kubernetes API server, a simulated ModelArts that verifies signatures, and the operator run as processes
    on loopback. kubectl applies an account and five node pools; a node breaks; a node pool is deleted and proven
    gone; a yearly/monthly one is held, and one with a running job until the job ends; a Retain object goes without a
    cloud call. Every claim is checked, and the exit code is 1 if one does not hold.

    Nothing is left behind, and no kube context of yours is touched. Missing binaries are downloaded or built
    once and cached, which can take ten minutes; KUBEBUILDER_ASSETS names a folder that has them. Ctrl-C ends
    it cleanly at any moment.

    \b
    Play with it afterwards:   modelarts-nodepool demo --keep
    """  # noqa: D301 - click reads the backspace
    if record is not None and not record.absolute().parent.is_dir():
        raise click.UsageError(f"--record {record}: there is no folder {record.absolute().parent}; make it first")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    recording = make_recording_console() if record is not None else None
    screen = Screen(_console(), recording, is_live=sys.stdout.isatty() and os.environ.get("TERM") != "dumb")
    with signals_interrupt():
        code = _run(screen, keep=keep)
    if code == 0 and recording is not None and record is not None:
        write_svg(recording, record)
        screen.tell(f"written: {record}")
    sys.exit(code)


def _run(screen: Screen, *, keep: bool) -> int:
    """Tell it, and give the exit code."""
    began = time.monotonic()
    try:
        shipped = find_shipped()
        screen.title("modelarts-nodepool demo")
        screen.say("A real Kubernetes API server, a simulated ModelArts and the operator, on this machine.")
        screen.heading("Setting up")
        binaries = ensure_binaries(ConsoleNarrator(screen.console))
        reach_loopback_directly()
        if not asyncio.run(perform(screen, binaries, shipped, keep=keep)):
            return EXIT_FAILED
    except (LabError, ControlPlaneError) as error:
        screen.failed(str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        screen.tell("interrupted; nothing was running yet")
        return EXIT_INTERRUPTED
    except asyncio.CancelledError:
        screen.tell("interrupted")
        return EXIT_INTERRUPTED
    if not keep:
        screen.gap()
        screen.say(
            f"Everything happened as described, in {time.monotonic() - began:.0f} s. "
            "Play with it: make demo ARGS=--keep"
        )
        screen.say("Install it on a cluster: README.md. What every reason means: docs/operations/troubleshooting.md.")
    return 0


def _console() -> Console:
    if sys.stdout.isatty():
        return Console(highlight=False)
    # Lines of a log are not folded at 80 columns.
    return Console(highlight=False, width=WIDTH)
