"""Collects one inventory: lists the cluster and ModelArts, and compares them.

One list_pools per workspace, one list_node_pools per resource pool.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import ValidationError

from modelarts_nodepool.api.objects import Account, Namespace, NodePool
from modelarts_nodepool.commands.inventory.matching import match
from modelarts_nodepool.commands.inventory.model import (
    Row,
    SeenCluster,
    SeenPool,
    SeenWorkspace,
    Workspace,
    workspace_of,
)
from modelarts_nodepool.commands.options import refuse_unknown
from modelarts_nodepool.commands.session import Session
from modelarts_nodepool.errors import CloudError, CredentialsUnavailable, InvalidName
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import CloudResourcePool

T = TypeVar("T")

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Inventory:
    """`problems`: messages about what could not be read."""

    rows: tuple[Row, ...]
    workspaces: tuple[SeenWorkspace, ...]
    cluster: SeenCluster
    problems: tuple[str, ...]


async def collect_inventory(
    session: Session, accounts: tuple[str, ...], pools: tuple[str, ...], progress: Callable[[str], None]
) -> Inventory:
    """For these accounts and resource pools; all if empty. Raises errors.SettingsError, ClusterError."""
    problems: list[str] = []
    progress("listing accounts, objects and namespaces")
    cluster = await _list_cluster(session, problems)
    refuse_unknown("--account", "ModelArtsAccount", accounts, cluster.accounts)
    workspaces = await _list_clouds(session, cluster.accounts, accounts, pools, progress)
    if all(workspace.resource_pools is not None for workspace in workspaces):
        there = {name for workspace in workspaces for name in workspace.known}
        named = {node_pool.spec.pool_name for node_pool in cluster.node_pools}
        refuse_unknown("--pool", "resource pool", pools, there | named)
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


async def _list_cluster(session: Session, problems: list[str]) -> SeenCluster:
    """Three LISTs. An object that does not match the schema is a problem. Raises errors.ClusterError."""

    def upsert_account(body: Mapping[str, Any]) -> Account | None:
        return _parse(Account.from_body, "ModelArtsAccount", body, problems)

    def upsert_node_pool(body: Mapping[str, Any]) -> NodePool | None:
        return _parse(NodePool.from_body, "ModelArtsNodePool", body, problems)

    accounts = await session.cluster.list_as(paths.ACCOUNTS, upsert_account)
    node_pools = await session.cluster.list_as(paths.NODE_POOLS, upsert_node_pool)
    namespaces = await session.cluster.list_as(paths.NAMESPACES, Namespace.from_body)
    return SeenCluster(
        node_pools=tuple(node_pool for node_pool in node_pools if node_pool),
        accounts={account.metadata.name: account for account in accounts if account},
        namespaces={namespace.name: namespace.labels for namespace in namespaces},
        time=session.clock.now(),
    )


def _parse(read: Callable[[Mapping[str, Any]], T], kind: str, body: Mapping[str, Any], problems: list[str]) -> T | None:
    try:
        return read(body)
    except ValidationError:
        metadata = body["metadata"]
        name = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
        problems.append(f"{kind} {name} does not match the schema and is left out; see: modelarts-nodepool doctor")
        return None


async def _list_clouds(
    session: Session,
    accounts: Mapping[str, Account],
    chosen: Collection[str],
    pools: Collection[str],
    progress: Callable[[str], None],
) -> list[SeenWorkspace]:
    """Each workspace of the chosen accounts, with its chosen resource pools. An empty choice means all."""
    places: defaultdict[Workspace, list[Account]] = defaultdict(list)
    for account in sorted(accounts.values(), key=lambda each: (each.metadata.name not in chosen, each.metadata.name)):
        places[workspace_of(account)].append(account)
    return [
        await _list_workspace(session, place, tuple(named), chosen, pools, progress)
        for place, named in sorted(places.items(), key=lambda item: item[1][0].metadata.name)
        if not chosen or named[0].metadata.name in chosen
    ]


async def _list_workspace(
    session: Session,
    place: Workspace,
    accounts: tuple[Account, ...],
    chosen: Collection[str],
    pools: Collection[str],
    progress: Callable[[str], None],
) -> SeenWorkspace:
    """Uses the first of the chosen accounts whose credentials work."""
    problems = []
    for account in accounts:
        if chosen and account.metadata.name not in chosen:
            continue
        progress(f"account {account.metadata.name}: listing resource pools")
        try:
            found = await session.log_in(account, lambda cloud: cloud.list_pools(place.workspace))
        except (CloudError, CredentialsUnavailable, InvalidName) as error:
            problems.append(f"account {account.metadata.name}: {error.reason}: {clean(str(error))}")
            continue
        wanted = [pool for name, pool in sorted(found.items()) if not pools or name in pools]
        seen = await _list_node_pools(session, account, wanted, progress)
        return SeenWorkspace(place, accounts, {pool.resource_pool.name: pool for pool in seen}, known=tuple(found))
    return SeenWorkspace(place, accounts, None, "; ".join(problems))


async def _list_node_pools(
    session: Session, account: Account, pools: Iterable[CloudResourcePool], progress: Callable[[str], None]
) -> list[SeenPool]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def see(pool: CloudResourcePool) -> SeenPool:
        async with limit:
            progress(f"account {account.metadata.name}: listing node pools of {pool.name}")
            try:
                listing = await session.ask(account, lambda cloud: cloud.list_node_pools(pool.name))
            except (CloudError, CredentialsUnavailable, InvalidName) as error:
                return SeenPool(pool, None, f"resource pool {clean(pool.name)}: {error.reason}: {clean(str(error))}")
            return SeenPool(pool, listing.node_pools)

    return list(await asyncio.gather(*map(see, pools)))
