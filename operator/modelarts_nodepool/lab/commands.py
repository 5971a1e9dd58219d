"""The commands of the lab, added to the command line where the lab is installed."""

import click

from modelarts_nodepool.lab.demo.command import demo
from modelarts_nodepool.lab.simulator.command import simulate


def add_commands(group: click.Group) -> None:
    """Add `simulate` and `demo`."""
    group.add_command(simulate)
    group.add_command(demo)
