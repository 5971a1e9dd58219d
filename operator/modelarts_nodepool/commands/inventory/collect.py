"""Collects one inventory: lists the cluster, lists ModelArts, compares."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from modelarts_nodepool.commands.inventory.list import list_clouds, list_cluster
from modelarts_nodepool.commands.inventory.matching import match
from modelarts_nodepool.commands.inventory.model import Row, SeenCluster, SeenWorkspace
from modelarts_nodepool.commands.session import Session
from modelarts_nodepool.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Inventory:
    """`problems`: messages about what could not be read."""

    rows: tuple[Row, ...]
    workspaces: tuple[SeenWorkspace, ...]
    cluster: SeenCluster
    problems: tuple[str, ...]


async def take_inventory(
    session: Session, accounts: tuple[str, ...], pools: tuple[str, ...], progress: Callable[[str], None]
) -> Inventory:
    """For these accounts and resource pools; all if empty. Raises errors.SettingsError, ClusterError."""
    problems: list[str] = []
    progress("listing accounts, objects and namespaces")
    cluster = await list_cluster(session, problems)
    _refuse_unknown("--account", "ModelArtsAccount", accounts, cluster.accounts)
    workspaces = await list_clouds(session, cluster.accounts, accounts, pools, progress)
    if all(workspace.resource_pools is not None for workspace in workspaces):
        there = {name for workspace in workspaces for name in workspace.known}
        named = {node_pool.spec.pool_name for node_pool in cluster.node_pools}
        _refuse_unknown("--pool", "resource pool", pools, there | named)
    compared = cluster
    if pools:
        chosen = tuple(node_pool for node_pool in cluster.node_pools if node_pool.spec.pool_name in pools)
        compared = replace(cluster, node_pools=chosen)
    rows = match(workspaces, compared)
    if accounts:
        rows = [row for row in rows if row.accounts]
    for workspace in workspaces:
        unread = [pool.problem for pool in (workspace.resource_pools or {}).values() if pool.problem]
        problems += [workspace.problem] if workspace.problem else unread
    return Inventory(tuple(rows), tuple(workspaces), cluster, tuple(problems))


def _refuse_unknown(flag: str, kind: str, names: tuple[str, ...], known: Collection[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        shown = ", ".join(sorted(known)[:10]) or "none"
        raise SettingsError(f"{flag} {unknown[0][:80]!r}: there is no such {kind}; existing: {shown}")
