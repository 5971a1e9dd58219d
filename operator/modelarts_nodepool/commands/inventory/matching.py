"""Compares node pools in the cloud with objects in the cluster. Pure.

An object refers to its pinned identity, or else to the identity by account and spec. The workspace does not count, as
in a DELETE. What could not be listed is Unknown, never Missing and never Unmanaged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from modelarts_nodepool.api.account import Grant
from modelarts_nodepool.api.names import LONGEST_NODE_POOL_NAME, is_valid_node_pool_name
from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.cache.objects import identity_of
from modelarts_nodepool.commands.inventory.model import (
    Held,
    Row,
    SeenCluster,
    SeenPool,
    SeenWorkspace,
    State,
    Workspace,
    workspace_of,
)
from modelarts_nodepool.decide.deletion.status import shown_hold

_ANY = "*"


def granting(
    accounts: Iterable[Account], namespace: str, labels: Mapping[str, str], resource_pool: str
) -> list[Account]:
    """The accounts that grant the resource pool to the namespace."""
    return [
        account
        for account in accounts
        if any(grant.allows(namespace, dict(labels), resource_pool) for grant in account.spec.grants)
    ]


def is_granted(node_pool: NodePool, account: Account, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the object's account grants it its resource pool."""
    namespace = node_pool.metadata.namespace
    return bool(granting([account], namespace, namespaces.get(namespace, {}), node_pool.spec.pool_name))


def in_words(accounts: Iterable[Account], resource_pool: str) -> list[str]:
    """The namespaces to which the resource pool is granted: names, `*`, or labels such as `team=ml`."""
    found = {
        word
        for account in accounts
        for grant in account.spec.grants
        if {_ANY, resource_pool} & set(grant.resource_pools)
        for word in _namespaces(grant)
    }
    return sorted(found)


def _namespaces(grant: Grant) -> Iterable[str]:
    if grant.namespace_selector is not None:
        labels = grant.namespace_selector.match_labels
        return [",".join(f"{key}={value}" for key, value in sorted(labels.items()))]
    return grant.namespaces or ()


Place = tuple[str, ...]
Objects = Mapping[Place, tuple[Identity, tuple[NodePool, ...]]]


def match(workspaces: Iterable[SeenWorkspace], cluster: SeenCluster) -> list[Row]:
    """A row for each node pool in the cloud and each object without one, in a stable order."""
    seen = list(workspaces)
    objects = _by_place(cluster)
    rows = [row for each in seen for row in _in_cloud(each, objects, cluster)]
    found = {row.identity.place for row in rows if row.identity}
    for place, (identity, of) in objects.items():
        if place not in found:
            rows += _not_in_cloud(identity, of, seen, cluster)
    rows += [_without_account(node_pool) for node_pool in cluster.node_pools if _identity(node_pool, cluster) is None]
    return sorted((replace(row, held=_held(row, cluster.time)) for row in rows), key=_order)


def _held(row: Row, now: datetime) -> Held | None:
    """By the object that has been held longest."""
    holds = [hold for node_pool in row.objects if (hold := shown_hold(node_pool)) is not None]
    if not holds:
        return None
    first = min(holds, key=lambda hold: hold.since)
    return Held(first.reason, first.since, max((now - first.since).total_seconds(), 0.0) / 3600, _nodes(row))


def _nodes(row: Row) -> int | None:
    """How many nodes exist: by the LIST, or by the status of the objects if the LIST does not say."""
    if row.cloud is not None and row.cloud.counts is not None:
        return row.cloud.counts.total
    if row.state is State.MISSING:
        return 0
    counts = (node_pool.status.counts for node_pool in row.objects)
    return next((known.total for known in counts if known is not None), None)


def _by_place(cluster: SeenCluster) -> Objects:
    found: dict[Place, tuple[Identity, tuple[NodePool, ...]]] = {}
    for node_pool in cluster.node_pools:
        identity = _identity(node_pool, cluster)
        if identity is not None:
            first, others = found.get(identity.place, (identity, ()))
            found[identity.place] = (first, (*others, node_pool))
    return found


def _identity(node_pool: NodePool, cluster: SeenCluster) -> Identity | None:
    account = cluster.accounts.get(node_pool.spec.account_ref.name)
    if node_pool.status.identity is not None:
        return node_pool.status.identity
    return identity_of(account.spec, node_pool) if account is not None else None


def _in_cloud(seen: SeenWorkspace, objects: Objects, cluster: SeenCluster) -> Iterable[Row]:
    for pool in (seen.resource_pools or {}).values():
        for node_pool in (pool.node_pools or {}).values():
            identity = _named(seen.workspace, pool.resource_pool.name, node_pool.name)
            _, of = objects.get(identity.place, (identity, ()))
            obstacle = _obstacle(node_pool.name)
            yield Row(
                state=(State.UNMANAGED, State.MANAGED)[len(of)] if len(of) < 2 else State.DUPLICATE,  # noqa: PLR2004
                identity=identity,
                pool_name=identity.pool_name,
                node_pool_name=identity.node_pool_name,
                accounts=seen.accounts,
                objects=of,
                cloud=node_pool,
                resource_pool=pool.resource_pool,
                notes=(*filter(None, [obstacle]), *_remarks(of, cluster, node_pool.problem)),
                obstacle=obstacle,
            )


def _obstacle(name: str) -> str:
    """Why no object can refer to a node pool of this name. It is shown because it costs money."""
    if is_valid_node_pool_name(name):
        return ""
    return (
        "no object can refer to it, because its name is not safe in the URL of a request: a name has at most "
        f"{LONGEST_NODE_POOL_NAME} letters, digits, dots, underscores and hyphens, a letter or digit first and last; "
        "manage it in the ModelArts console"
    )


def _not_in_cloud(
    identity: Identity, of: tuple[NodePool, ...], seen: Iterable[SeenWorkspace], cluster: SeenCluster
) -> Iterable[Row]:
    place = Workspace(identity.region, identity.project_id, identity.workspace)
    here = next((each for each in seen if each.workspace == place), None)
    if here is None:
        # Of an account that was not chosen, or pinned to a project that no account names any more.
        if any(workspace_of(account) == place for account in cluster.accounts.values()):
            return
        state, note = State.UNKNOWN, f"no account names project {identity.project_id} in {identity.region}"
        pool = None
    else:
        pool = (here.resource_pools or {}).get(identity.pool_name)
        state, note = _absence(here, pool, identity.pool_name)
    yield Row(
        state=state,
        identity=identity,
        pool_name=identity.pool_name,
        node_pool_name=identity.node_pool_name,
        accounts=here.accounts if here else (),
        objects=of,
        resource_pool=pool.resource_pool if pool else None,
        notes=(note, *_remarks(of, cluster, None)),
    )


def _absence(here: SeenWorkspace, pool: SeenPool | None, name: str) -> tuple[State, str]:
    if here.resource_pools is None:
        return State.UNKNOWN, "the resource pools could not be listed"
    if pool is None:
        return State.MISSING, f"there is no resource pool {name} in workspace {here.workspace.workspace}"
    if pool.node_pools is None:
        return State.UNKNOWN, f"the node pools of {name} could not be listed"
    return State.MISSING, f"{name} has no such node pool"


def _without_account(node_pool: NodePool) -> Row:
    name = node_pool.spec.account_ref.name
    return Row(
        state=State.UNKNOWN,
        identity=None,
        pool_name=node_pool.spec.pool_name,
        node_pool_name=node_pool.node_pool_name,
        objects=(node_pool,),
        notes=(f"there is no ModelArtsAccount {name}",),
    )


def _remarks(of: Iterable[NodePool], cluster: SeenCluster, problem: str | None) -> Iterable[str]:
    if problem:
        yield f"its counts cannot be read: {problem}"
    for node_pool in of:
        account = cluster.accounts.get(node_pool.spec.account_ref.name)
        if node_pool.metadata.deleted is not None:
            yield f"{node_pool.title} is being deleted"
        if account is None:
            yield f"{node_pool.title} names account {node_pool.spec.account_ref.name}, which does not exist"
        elif not is_granted(node_pool, account, cluster.namespaces):
            yield (
                f"account {account.metadata.name} does not grant {node_pool.spec.pool_name} to namespace "
                f"{node_pool.metadata.namespace}: the operator ignores {node_pool.title}"
            )


def _named(workspace: Workspace, pool_name: str, node_pool_name: str) -> Identity:
    return Identity(
        region=workspace.region,
        project_id=workspace.project_id,
        workspace=workspace.workspace,
        pool_name=pool_name,
        node_pool_name=node_pool_name,
    )


def _order(row: Row) -> tuple[str, ...]:
    first = row.accounts[0].metadata.name if row.accounts else ""
    return (first, row.pool_name, row.node_pool_name, *(node_pool.title for node_pool in row.objects))
