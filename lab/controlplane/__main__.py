"""`python -m lab.controlplane`: get the binaries, or run a control plane to play with."""

import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from lab.controlplane import (
    ConsoleNarrator,
    ControlPlane,
    ControlPlaneError,
    ensure_binaries,
)

WATCH_SECONDS = 1.0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A real Kubernetes control plane on this machine, without containers."""


@main.command()
def binaries() -> None:
    """Make sure that the binaries are there, and print where each of them is."""
    found = ensure_binaries(_narrator())
    for path in (found.etcd, found.kube_apiserver, found.kube_controller_manager, found.kubectl):
        click.echo(path)


@main.command()
def up() -> None:
    """Run a control plane until Ctrl-C; print the path of its kubeconfig."""
    narrator = _narrator()
    found = ensure_binaries(narrator)
    with (
        tempfile.TemporaryDirectory(prefix="modelarts-nodepool-") as folder,
        ControlPlane.start(Path(folder) / "control-plane", found, narrator.say) as plane,
    ):
        narrator.say(f"Kubernetes {plane.version} is ready. Ctrl-C ends it. In another terminal:")
        click.echo(f"export KUBECONFIG={plane.kubeconfig}")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                plane.raise_if_ended()
                time.sleep(WATCH_SECONDS)
    narrator.say("Stopped; nothing is left.")


def _narrator() -> ConsoleNarrator:
    return ConsoleNarrator(Console(stderr=True))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # The end of a CI job comes as SIGTERM: leave as tidily as on Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ControlPlaneError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_FAILED)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)
