"""`modelarts-nodepool inventory`: flags in, table, JSON or manifests out. cli.py registers it."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from modelarts_nodepool.api.names import is_valid_resource_pool_name
from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.commands import options
from modelarts_nodepool.commands.terminal import Progress
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, SettingsError
from modelarts_nodepool.logs import set_up_logging

if TYPE_CHECKING:
    from modelarts_nodepool.commands.inventory.collect import Inventory

_FAILED = 1
_YAML = "yaml"


def _check_pools(names: tuple[str, ...]) -> tuple[str, ...]:
    invalid = next((name for name in names if not is_valid_resource_pool_name(name)), None)
    if invalid is not None:
        raise SettingsError(
            f"--pool is {invalid[:80]!r}, which is not a valid resource pool ID; see: modelarts-nodepool inventory"
        )
    return names


@click.command(short_help="Compare node pools in the cloud with objects in the cluster.")
@options.reaching_a_cluster
@options.accounts
@click.option(
    "--pool",
    "pools",
    multiple=True,
    metavar="NAME",
    callback=options.checked(_check_pools),
    help="Only this resource pool, by its ID. Repeatable. Default: all of the accounts' workspaces.",
)
@options.output(
    "table", "wide", "json", _YAML, words="table and wide for people, json for machines, yaml for kubectl apply."
)
@click.option("-n", "--namespace", metavar="NAME", help="With -o yaml: the namespace of the new objects. Required.")
@click.option(
    "--deletion-policy",
    type=click.Choice([policy.value for policy in DeletionPolicy]),
    help="With -o yaml: what deleting the new objects does to the node pools.  [default: Retain]",
)
def inventory(
    place: options.Place,
    accounts: tuple[str, ...],
    pools: tuple[str, ...],
    output: str,
    namespace: str | None,
    deletion_policy: str | None,
) -> None:
    """Compare the node pools in the cloud with the objects in the cluster.

    Managed: an object refers to the node pool. Unmanaged: no object does. Missing: an object without a node pool.
    Duplicate: several objects for one node pool. Unknown: it could not be checked. Nothing is changed in the cluster or
    in ModelArts.

    With -o yaml it prints manifests that adopt Unmanaged node pools. Deleting such an object keeps the node pool until
    you change its deletionPolicy from Retain to Delete.

    \b
    modelarts-nodepool inventory --pool pool-3f2c -o yaml --namespace ml > adopt.yaml
    kubectl apply --server-side --dry-run=server -f adopt.yaml
    kubectl apply --server-side -f adopt.yaml

    Exit code: 0 everything could be read, 1 a part could not be read, 2 wrong usage.
    """  # noqa: D301 - click reads the backspace
    _check_flags(output, namespace, deletion_policy)
    # The command prints the problems; warnings of libraries would appear in the middle of the output.
    set_up_logging("text", "critical")
    try:
        found = asyncio.run(_collect(place, accounts, pools))
    except ClusterError as error:
        click.echo(f"modelarts-nodepool: {error}\nTo find the cause: modelarts-nodepool doctor", err=True)
        sys.exit(_FAILED)
    # Imported here: it takes a second, and --help and wrong flags must not wait for it.
    from modelarts_nodepool.commands.inventory.output import print_inventory  # noqa: PLC0415

    print_inventory(found, output, namespace, DeletionPolicy(deletion_policy or DeletionPolicy.RETAIN))
    sys.exit(_FAILED if found.problems else 0)


def _check_flags(output: str, namespace: str | None, deletion_policy: str | None) -> None:
    if output == _YAML and namespace is None:
        raise SettingsError(
            f"-o yaml requires --namespace NAME, the namespace of the new objects; see: {remedies.list_namespaces()}"
        )
    if output != _YAML and (namespace is not None or deletion_policy is not None):
        flag = "--namespace" if namespace is not None else "--deletion-policy"
        raise SettingsError(f"{flag} requires -o yaml: add -o yaml, or omit {flag}")
    if namespace is not None:
        options.check_namespace("--namespace", namespace)


async def _collect(place: options.Place, accounts: tuple[str, ...], pools: tuple[str, ...]) -> "Inventory":
    from modelarts_nodepool.commands.inventory.collect import collect_inventory  # noqa: PLC0415 - see above
    from modelarts_nodepool.commands.session import open_session  # noqa: PLC0415 - see above

    with Progress() as progress:
        progress("connecting to the cluster")
        async with open_session(place) as session:
            return await collect_inventory(session, accounts, pools, progress)
