"""`modelarts-nodepool why`: an object in, an explanation out. cli.py registers it."""

import asyncio
import sys

import click

from modelarts_nodepool.api.names import GROUP, NODE_POOL_KIND, NODE_POOL_PLURAL, NODE_POOL_SHORT
from modelarts_nodepool.commands import options
from modelarts_nodepool.commands.terminal import Progress
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, ObjectGone, SettingsError
from modelarts_nodepool.logs import set_up_logging

_FAILED = 1
_SINGULAR = NODE_POOL_KIND.lower()
# As kubectl accepts and prints them.
_KINDS = {NODE_POOL_SHORT, NODE_POOL_PLURAL, _SINGULAR, f"{NODE_POOL_PLURAL}.{GROUP}", f"{_SINGULAR}.{GROUP}"}


@click.command(short_help="Explain what a deletion of one object would do now.")
@options.reaching_a_cluster
@click.argument("name", metavar="[NAMESPACE/]NAME")
@click.option(
    "-n", "--namespace", metavar="NAME", help="The object's namespace. Default: that of the context, as kubectl does."
)
@options.output("text", "json", words="text for people, json for machines.")
def why(place: options.Place, name: str, namespace: str | None, output: str) -> None:
    """Explain what the operator would decide about one object now, guard by guard.

    For an object that is not being deleted, it explains what would happen if you deleted it now: ask before you delete.
    For an object that is being deleted, it explains what the deletion waits for. Nothing is changed: it reads the
    cluster, and asks ModelArts for the same facts as the operator, with the account's credentials.

    \b
    modelarts-nodepool why ml/training-a
    modelarts-nodepool why -n ml training-a -o json

    passes: the guard has no objection. holds: no DELETE is sent, and the message says what ends the hold, with the
    command. would also hold: the next hold after that. waits: ModelArts is deleting the nodes. releases: the object
    goes without a DELETE. not checked: a fact could not be read here. not reached: an earlier guard decides.

    Exit code: 0 explained, also if the deletion is held, 1 the decision is not known here, 2 wrong usage.
    """  # noqa: D301 - click reads the backspace
    given, object_name = _split(name, namespace)
    # The command prints the problems; warnings of libraries would appear in the middle of the output.
    set_up_logging("text", "critical")
    sys.exit(asyncio.run(_explain(place, given, object_name, output)))


def _split(name: str, namespace: str | None) -> tuple[str | None, str]:
    """Namespace and name of NAMESPACE/NAME, NAME, or KIND/NAME as kubectl prints it. Raises errors.SettingsError."""
    first, slash, second = name.rpartition("/")
    if slash and first.lower() in _KINDS:
        first = ""
    if not second or "/" in first:
        raise SettingsError(f"{name[:80]!r} is no object: write NAMESPACE/NAME; see: {remedies.list_all()}")
    if first and namespace and first != namespace:
        raise SettingsError(f"{name[:80]!r} and --namespace {namespace[:80]!r} name different namespaces: omit one")
    found = first or namespace
    if found:
        options.check_namespace("the namespace", found)
    return found or None, second


async def _explain(place: options.Place, namespace: str | None, name: str, output: str) -> int:
    # Imported here: it takes a second, and --help and wrong flags must not wait for it.
    from modelarts_nodepool.commands.session import open_session  # noqa: PLC0415
    from modelarts_nodepool.commands.why import format as formats  # noqa: PLC0415
    from modelarts_nodepool.commands.why.observe import explain  # noqa: PLC0415

    try:
        with Progress() as progress:
            progress("connecting to the cluster")
            async with open_session(place) as session:
                found = await explain(session, namespace or session.default_namespace or "default", name, progress)
    except ObjectGone as error:
        click.echo(f"modelarts-nodepool: {error}", err=True)
        return _FAILED
    except ClusterError as error:
        click.echo(f"modelarts-nodepool: {error}\nTo find the cause: modelarts-nodepool doctor", err=True)
        return _FAILED
    click.echo(formats.to_json(found) if output == "json" else formats.to_text(found))
    return _FAILED if formats.conclude(found).outcome is formats.Outcome.UNKNOWN else 0
