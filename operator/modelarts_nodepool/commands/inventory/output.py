"""Prints results on standard output and all else on standard error, so that a pipe gets only manifests or JSON."""

import click

from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.commands.inventory.collect import Inventory
from modelarts_nodepool.commands.inventory.format import to_json, to_text
from modelarts_nodepool.commands.inventory.manifests import adopt, to_yaml
from modelarts_nodepool.decide import remedies


def print_inventory(found: Inventory, output: str, namespace: str | None, policy: DeletionPolicy) -> None:
    """A report, or, with a namespace, manifests with this policy; then what could not be read."""
    if namespace is not None:
        _print_manifests(found, namespace, policy)
    else:
        _print_report(found, output)
    for words in found.problems:
        _say(words)


def _print_report(found: Inventory, output: str) -> None:
    """table, wide or json."""
    if output == "json":
        click.echo(to_json(found.rows, found.workspaces, found.problems))
        return
    if not found.cluster.accounts:
        click.echo(
            "There is no ModelArtsAccount, so there is nothing to compare; see: modelarts-nodepool doctor", err=True
        )
    click.echo(to_text(found.rows, found.workspaces, wide=output == "wide"))


def _print_manifests(found: Inventory, namespace: str, policy: DeletionPolicy) -> None:
    """One document for each Unmanaged node pool."""
    adoption = adopt(found.rows, found.cluster, namespace, policy)
    # Also as comments in the manifests, because people keep those.
    left_out = [*adoption.left_out, *found.problems]
    if not adoption.manifests:
        others = "" if left_out else ": every node pool that could be seen has an object"
        click.echo(f"# Nothing to adopt{others}.")
    click.echo(to_yaml(adoption.manifests, left_out), nl=False)
    for words in adoption.left_out:
        _say(f"left out: {words}")
    for words in sorted({manifest.grant_needed for manifest in adoption.manifests} - {""}):
        account = found.cluster.accounts[words.split()[1]].metadata
        _say(f"not granted yet: {words}{remedies.by_hand(account, remedies.edit_account(account.name))}")
    if adoption.manifests and namespace not in found.cluster.namespaces:
        _say(f"namespace {namespace} does not exist yet: {remedies.create_namespace(namespace)}")
    if adoption.manifests and policy is DeletionPolicy.DELETE:
        _say("deletionPolicy is Delete: deleting one of these objects permanently deletes its node pool in the cloud")


def _say(words: str) -> None:
    click.echo(f"modelarts-nodepool: {words}", err=True)
