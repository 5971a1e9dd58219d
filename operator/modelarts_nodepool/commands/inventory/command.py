"""`modelarts-nodepool inventory`: flags in, table, JSON or manifests out. cli.py registers it."""

import asyncio
import sys
from dataclasses import dataclass

import click

from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.commands import options
from modelarts_nodepool.commands.progress import Progress
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, SettingsError
from modelarts_nodepool.logs import set_up_logging

_FAILED = 1
_YAML = "yaml"


@click.command(short_help="Hold cloud against cluster; adopt node pools.")
@options.reaching_a_cluster
@options.accounts
@click.option(
    "--pool",
    "pools",
    multiple=True,
    metavar="NAME",
    help="Only this resource pool, by its ID. May be given several times. Default: all of the accounts' workspaces.",
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

    Managed: an object stands for it. Unmanaged: none does. Missing: an object, and no node pool. Duplicate: several
    objects for one. Unknown: it could not be looked at. It changes nothing, in the cluster or in the cloud.

    With -o yaml it prints manifests that adopt what is Unmanaged. Deleting such an object leaves the node pool alone
    until you change its deletionPolicy from Retain to Delete.

    \b
    modelarts-nodepool inventory --pool pool-3f2c -o yaml --namespace ml > adopt.yaml
    kubectl apply --server-side --dry-run=server -f adopt.yaml
    kubectl apply --server-side -f adopt.yaml

    Exit code: 0 everything could be read, 1 something could not, 2 wrong usage.
    """  # noqa: D301 - click reads the backspace
    if output == _YAML and namespace is None:
        raise SettingsError(
            f"-o yaml needs --namespace NAME: where shall the new objects be? See: {remedies.list_namespaces()}"
        )
    if output != _YAML and (namespace is not None or deletion_policy is not None):
        flag = "--namespace" if namespace is not None else "--deletion-policy"
        raise SettingsError(f"{flag} is for the manifests of -o yaml: add that, or leave {flag} out")
    if namespace is not None:
        options.check_namespace("--namespace", namespace)
    # What is wrong is said by the command; a library's warnings would stand in the middle of it.
    set_up_logging("text", "critical")
    policy = DeletionPolicy(deletion_policy or DeletionPolicy.RETAIN)
    sys.exit(asyncio.run(_take(place, accounts, pools, _Shown(output, namespace, policy))))


@dataclass(frozen=True, slots=True)
class _Shown:
    """How: a report, or with a namespace manifests of objects in it, with this policy."""

    output: str
    namespace: str | None
    policy: DeletionPolicy


async def _take(place: options.Place, accounts: tuple[str, ...], pools: tuple[str, ...], shown: _Shown) -> int:
    # Here and not above: it takes a second, which --help and wrong flags should not wait for.
    from modelarts_nodepool.commands.inventory import output  # noqa: PLC0415
    from modelarts_nodepool.commands.inventory.collect import take_inventory  # noqa: PLC0415
    from modelarts_nodepool.commands.session import open_session  # noqa: PLC0415

    try:
        with Progress() as progress:
            progress("opening the way to the cluster")
            async with open_session(place) as session:
                found = await take_inventory(session, accounts, pools, progress)
    except ClusterError as error:
        click.echo(f"modelarts-nodepool: {error}\nWhat is missing: modelarts-nodepool doctor", err=True)
        return _FAILED
    if shown.namespace is not None:
        output.print_manifests(found, shown.namespace, shown.policy)
    else:
        output.print_report(found, shown.output)
    output.print_problems(found)
    return _FAILED if found.problems else 0
