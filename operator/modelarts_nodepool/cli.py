"""The command line: reads and checks flags and environment variables, and says how to correct them.

Exit codes: 0 success, 1 failure, 2 wrong usage or settings.
"""

import asyncio
import errno
import os
import re
import signal
import sys
from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from importlib.metadata import entry_points, version

import click
from click.shell_completion import ShellComplete
from typing_extensions import override

from modelarts_nodepool.commands import options
from modelarts_nodepool.commands.doctor.command import doctor
from modelarts_nodepool.commands.inventory.command import inventory
from modelarts_nodepool.commands.options import PREFIX
from modelarts_nodepool.commands.why.command import why
from modelarts_nodepool.credentials.providers import login_variables
from modelarts_nodepool.errors import ClusterError, SettingsError
from modelarts_nodepool.logs import set_up_logging
from modelarts_nodepool.modelarts.endpoints import Endpoint
from modelarts_nodepool.settings import (
    DEFAULT_CLOUD_BURST,
    DEFAULT_CLOUD_RATE,
    DEFAULT_HTTP_HOST,
    DEFAULT_HTTP_PORT,
    CloudLimits,
    Settings,
)

# Other packages add commands by entry points of this group. The lab does: lab/pyproject.toml.
PLUGINS = "modelarts_nodepool.commands"
LAB_COMMANDS = ("demo", "simulate")


class Commands(click.Group):
    """The commands of the operator, and those of the packages that are installed beside it.

    A plug-in is loaded when its command is called or listed. It cannot replace a command of the operator.
    """

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names that --help shows."""
        return sorted({*super().list_commands(ctx), *entry_points(group=PLUGINS).names})

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The operator's own command, else the plug-in's."""
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        for plugin in entry_points(group=PLUGINS, name=cmd_name):
            command: click.Command = plugin.load()
            return command
        if cmd_name in LAB_COMMANDS:
            raise click.UsageError(
                f"`{cmd_name}` is a command of the lab, which is not installed here. "
                "Clone the repository and run `make setup` there."
            )
        return None

    @override
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names the demo where it is installed."""
        if entry_points(group=PLUGINS, name="demo"):
            self.epilog = "Without a cluster, everything at once on this machine: modelarts-nodepool demo"
        super().format_epilog(ctx, formatter)


_CONTEXT = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": PREFIX, "max_content_width": 100}


@click.group(cls=Commands, context_settings=_CONTEXT)
@click.version_option(version("modelarts-nodepool-operator"), prog_name="modelarts-nodepool")
def cli() -> None:
    """Delete ModelArts node pools safely from Kubernetes, and see their nodes in status.

    \b
    Run the operator in the cluster of kubectl:             modelarts-nodepool run
    Check the configuration, before and after installing:   modelarts-nodepool doctor
    Ask what a deletion would do, before you delete:        modelarts-nodepool why NAMESPACE/NAME
    List the node pools in the cloud, and adopt them:       modelarts-nodepool inventory
    """  # noqa: D301 - click reads the backspace


cli.add_command(doctor)
cli.add_command(inventory)
cli.add_command(why)


@cli.command(short_help="Run the operator until SIGTERM or Ctrl-C.")
@options.operator_namespace
@options.endpoints
@options.ca_bundle
@options.sts_endpoint
@options.metadata_endpoint
@options.kubeconfig
@options.setting(
    "--http-host",
    default=DEFAULT_HTTP_HOST,
    show_default=True,
    help="The address of /livez, /readyz and /metrics. :: means all addresses, IPv6 and IPv4; 0.0.0.0 means IPv4 only.",
)
@options.setting(
    "--http-port",
    default=DEFAULT_HTTP_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port of /livez, /readyz and /metrics; 0 means any free port, see the log.",
)
@options.setting(
    "--leader-election/--no-leader-election",
    default=True,
    show_default=True,
    help="Work only while holding the Lease in the operator's namespace, so that only one replica works at a time.",
)
@options.setting(
    "--cloud-rate",
    default=DEFAULT_CLOUD_RATE,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="The average number of requests per second to ModelArts with one access key. Deletions precede polls.",
)
@options.setting(
    "--cloud-burst",
    default=DEFAULT_CLOUD_BURST,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="The number of requests at once. A quarter of the smaller of burst and rate is reserved for deletions.",
)
@options.setting(
    "--log-format",
    default="json",
    show_default=True,
    type=click.Choice(["json", "text"]),
    help="The format of log lines: json for machines, text for people.",
)
@options.setting(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The lowest level that is logged. debug logs each request to the cloud.",
)
@options.watch_timeout
@options.sweep_interval
def run(
    *,
    operator_namespace: str,
    endpoints: Mapping[str, Endpoint],
    ca_bundle: str | None,
    sts_endpoint: str | None,
    metadata_endpoint: str | None,
    kubeconfig: str | None,
    http_host: str,
    http_port: int,
    leader_election: bool,
    cloud_rate: int,
    cloud_burst: int,
    log_format: str,
    log_level: str,
    watch_timeout: timedelta,
    sweep_interval: timedelta,
) -> None:
    """Run the operator until SIGTERM or Ctrl-C.

    The operator watches ModelArtsNodePool and ModelArtsAccount objects in all namespaces. It writes node counts to
    status, and deletes the node pool of a deleted object whose deletionPolicy is Delete.
    """
    set_up_logging(log_format, log_level)
    settings = Settings(
        operator_namespace=operator_namespace,
        endpoints={region: endpoint.url for region, endpoint in endpoints.items()},
        ca_bundle=ca_bundle,
        sts_endpoint=sts_endpoint,
        metadata_endpoint=metadata_endpoint,
        kubeconfig=kubeconfig,
        http_host=http_host,
        http_port=http_port,
        leader_election=leader_election,
        cloud_limits=CloudLimits(cloud_rate, cloud_burst),
        watch_timeout=watch_timeout,
        sweep_interval=sweep_interval,
        login_environment=login_variables(os.environ),
    )
    _serve(settings)


def _serve(settings: Settings) -> None:
    # Until the operator handles the signal itself: there is nothing to end yet.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # The import takes a second: --help and an early Ctrl-C should not wait for it.
    from modelarts_nodepool import app  # noqa: PLC0415

    asyncio.run(app.run(settings))


@cli.command("uninstall-check", short_help="Check whether the operator may be uninstalled.")
@options.kubeconfig
@click.option(
    "--restore",
    metavar="COMMAND",
    help="The command to restore the release, shown if the check fails. Set by the Helm chart.",
)
def uninstall_check(kubeconfig: str | None, restore: str | None) -> None:
    """Check whether the operator may be uninstalled; exit code 1 while objects need it.

    The operator protects each object with a finalizer, which only the operator removes. The Helm chart runs this check
    before it uninstalls anything. The check changes nothing.
    """
    from modelarts_nodepool.commands import uninstall_check as check  # noqa: PLC0415 - see run

    try:
        held = asyncio.run(check.find_held_objects(kubeconfig))
    except ClusterError as error:
        words = f"The check failed: objects may need the operator. {error}"
        raise click.ClickException(check.with_cure(words, restore)) from error
    if held:
        raise click.ClickException(check.with_cure(check.explain(held), restore))
    click.echo("No object has a finalizer of the operator. It may be uninstalled.")


# The same commands as a plugin of kubectl, which runs `kubectl-modelarts` for `kubectl modelarts`.

_PLUGIN = "kubectl modelarts"
# Not behind ` -- `: there a command runs in the operator's Pod, which has no kubectl.
_OWN_NAME = re.compile(r"(-- (?:\\\s+)?)?\bmodelarts-nodepool (?=doctor|inventory|uninstall-check|why)")


@click.group(context_settings=_CONTEXT)
@click.version_option(version("modelarts-nodepool-operator"), prog_name=_PLUGIN)
def kubectl_modelarts() -> None:
    """Explain deletions of ModelArts node pools, and check the operator.

    \b
    Ask what a deletion would do, before you delete:        kubectl modelarts why NAMESPACE/NAME
    List the node pools in the cloud, and adopt them:       kubectl modelarts inventory
    Check the configuration, before and after installing:   kubectl modelarts doctor
    """  # noqa: D301 - click reads the backspace


def _as_plugin(command: click.Command) -> click.Command:
    """The command with a help text that names it as kubectl does."""

    def rename(text: str | None) -> str | None:
        return text and _OWN_NAME.sub(lambda found: found[0] if found[1] else f"{_PLUGIN} ", text)

    renamed = copy(command)
    renamed.help, renamed.params = rename(command.help), [copy(param) for param in command.params]
    for param in renamed.params:
        if isinstance(param, click.Option):
            param.help = rename(param.help)
    return renamed


for _command in (doctor, inventory, uninstall_check, why):
    kubectl_modelarts.add_command(_as_plugin(_command))


def main() -> None:
    """Entry point of the console script `modelarts-nodepool`."""
    _run_group(cli, "modelarts-nodepool")


def kubectl_main() -> None:
    """Entry point of the console script `kubectl-modelarts`."""
    _run_group(kubectl_modelarts, _PLUGIN)


def kubectl_complete() -> None:
    """Entry point of `kubectl_complete-modelarts`: kubectl's own completion calls it with the words of the line.

    It prints a value and its description on a line each, and last a directive: 4 means no names of files.
    """
    *words, incomplete = sys.argv[1:] or [""]
    completion = ShellComplete(kubectl_modelarts, {}, _PLUGIN, "")
    for item in completion.get_completions(words, incomplete):
        click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(":4")


def _run_group(group: click.Group, name: str) -> None:
    try:
        group.main(prog_name=name, standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SettingsError as error:
        click.echo(f"modelarts-nodepool: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        # click handles a closed pipe. A full disk, the other way to lose the output, is no bug of the program.
        if error.errno != errno.ENOSPC:
            raise
        click.echo(f"modelarts-nodepool: the output is not complete: {error.strerror}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
