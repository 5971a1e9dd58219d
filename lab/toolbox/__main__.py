"""`python -m lab.toolbox`: get the programs that the tests of deploy/ need, and say where.

`make test` calls it first, so that a build that takes minutes is seen.
"""

import sys

import click
from rich.console import Console

from lab.controlplane import ConsoleNarrator, ControlPlaneError
from lab.toolbox import ensure_helm, ensure_prometheus


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Make sure that helm, promtool and prometheus are there, and print where each of them is."""
    narrator = ConsoleNarrator(Console(stderr=True))
    try:
        click.echo(ensure_helm(narrator))
        prometheus = ensure_prometheus(narrator)
    except ControlPlaneError as error:
        raise click.ClickException(str(error)) from error
    click.echo(prometheus.promtool)
    click.echo(prometheus.server)


if __name__ == "__main__":
    sys.exit(main())
