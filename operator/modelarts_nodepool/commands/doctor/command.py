"""`modelarts-nodepool doctor`: flags in, report out. cli.py registers it."""

import asyncio
import shutil
import sys
from importlib.metadata import version

import click

from modelarts_nodepool.commands import options
from modelarts_nodepool.commands.terminal import Progress
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.logs import set_up_logging
from modelarts_nodepool.settings import DISTRIBUTION

_OPERATOR = "modelarts-nodepool-operator"
_SELF = "self"
_FAILED = 1


def _service_account(value: str | None) -> str | tuple[str, str] | None:
    if value is None or value == _SELF:
        return value
    namespace, slash, name = value.partition("/")
    if not slash or not name or "/" in name:
        raise SettingsError(
            f"--service-account is {value[:80]!r}; write NAMESPACE/NAME, for example {_OPERATOR}/{_OPERATOR}, or "
            f"{_SELF} for your own permissions"
        )
    return options.check_namespace("--service-account", namespace), name


@click.command(short_help="Check what the operator needs, with remedies.")
@options.reaching_a_cluster
@options.accounts
@click.option(
    "--service-account",
    metavar="NAMESPACE/NAME|self",
    callback=options.checked(_service_account),
    help=f"Whose permissions to check. Default: those of {_OPERATOR} in --operator-namespace, which requires the "
    "right to create subjectaccessreviews. self: your own, for an operator that runs outside of the cluster as you.",
)
@options.output("table", "json", words="table for people, json for machines.")
def doctor(
    place: options.Place, accounts: tuple[str, ...], service_account: str | tuple[str, str] | None, output: str
) -> None:
    """Check everything that the operator needs, and print a remedy for each problem.

    It checks the API server, CRDs, permissions and the Lease; for each account, it checks credentials, endpoint, clock,
    log-in, project, resource pools and node pools. It changes nothing in the cluster or in ModelArts. It uses a
    rejected key only once.

    Exit code: 0 no check failed, 1 a check failed, 2 wrong usage. Clock, network and certificates are those of the
    machine where it runs. To check what the operator sees, run it in the operator's Pod:

    \b
    kubectl -n modelarts-nodepool-operator exec deploy/modelarts-nodepool-operator -- \\
      modelarts-nodepool doctor
    """  # noqa: D301 - click reads the backspace
    # The report contains the problems; warnings of libraries would appear between its lines.
    set_up_logging("text", "critical")
    sys.exit(asyncio.run(_examine(place, accounts, service_account, output)))


def whose_permissions(
    given: str | tuple[str, str] | None, namespace: str, *, is_in_pod: bool
) -> tuple[str, str] | None:
    """The ServiceAccount whose permissions to check; None for the caller. Pure."""
    if isinstance(given, tuple):
        return given
    # In the operator's Pod, the operator is the caller, under any installation name.
    return None if given == _SELF or is_in_pod else (namespace, _OPERATOR)


async def _examine(
    place: options.Place, accounts: tuple[str, ...], given: str | tuple[str, str] | None, output: str
) -> int:
    # Imported here: it takes a second, and --help and wrong flags must not wait for it.
    from modelarts_nodepool.commands.doctor import report  # noqa: PLC0415
    from modelarts_nodepool.commands.doctor.runner import examine  # noqa: PLC0415
    from modelarts_nodepool.commands.session import open_session  # noqa: PLC0415

    with Progress() as progress:
        progress("connecting to the cluster")
        async with open_session(place) as session:
            whose = whose_permissions(given, place.operator_namespace, is_in_pod=session.is_in_pod)
            lines = await examine(session, whose, accounts, progress)
    if output == "json":
        about = {"version": version(DISTRIBUTION), "server": session.server, "source": session.source}
        click.echo(report.to_json(lines, about))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(report.to_text(lines, width, "" if session.is_in_pod else _hint(place.operator_namespace)))
    return _FAILED if report.has_failed(lines) else 0


def _hint(namespace: str) -> str:
    return (
        "Clock, network and certificates are those of this machine. To check what the operator sees: "
        f"{remedies.run_in_pod(namespace)}"
    )
