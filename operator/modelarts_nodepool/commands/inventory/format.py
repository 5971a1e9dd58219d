"""The inventory as a table for people or as JSON for machines. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from modelarts_nodepool.api.meta import to_timestamp
from modelarts_nodepool.commands.inventory.matching import in_words
from modelarts_nodepool.commands.inventory.model import Held, Row, SeenWorkspace, State
from modelarts_nodepool.commands.terminal import to_nodes, to_table
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import Billing, CloudNodePool, CloudResourcePool

_HEADING = ("ACCOUNT", "POOL", "NODEPOOL", "STATE", "OBJECT", "NODES", "FLAVOR", "BILLING")
_WIDE = ("ASKED FOR", "POOL PHASE", "GRANTED TO", "POLICY", "HELD SINCE", "NODE-HOURS")


def to_text(rows: Sequence[Row], workspaces: Sequence[SeenWorkspace], *, wide: bool) -> str:
    """A row for each node pool, then notes, totals, and the next command."""
    cells = [*(_cells(row, wide) for row in rows), *_pools_without_rows(workspaces, wide)]
    heading = _HEADING + _WIDE if wide else _HEADING
    table = [*to_table(heading, sorted(cells, key=lambda line: tuple(line[:3]))), ""] if cells else []
    notes = [
        f"{clean(row.node_pool_name)} of {clean(row.pool_name)}: {note}"
        for row in rows
        for note in (*row.notes, *_held_in_words(row.held))
    ]
    return "\n".join([*table, *notes, _summary(rows, workspaces), *_held_in_all(rows), *_next_step(rows)])


def to_json(rows: Iterable[Row], workspaces: Iterable[SeenWorkspace], problems: Sequence[str]) -> str:
    """One object: node pools, resource pools, the number of each state, and what could not be read."""
    found = list(rows)
    counts = Counter(row.state for row in found)
    document = {
        "nodePools": [_row(row) for row in found],
        "resourcePools": [pool for workspace in workspaces for pool in _pools(workspace)],
        "states": {state: counts[state] for state in State},
        "problems": list(problems),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _cells(row: Row, wide: bool) -> tuple[str, ...]:  # noqa: FBT001 - of a table
    first = (
        ",".join(account.metadata.name for account in row.accounts),
        clean(row.pool_name),
        clean(row.node_pool_name),
        row.state.value,
        ",".join(node_pool.title for node_pool in row.objects),
        nodes_of(row.cloud),
        row.cloud.shape.flavor if row.cloud else "",
        billing_of(row.resource_pool),
    )
    if not wide:
        return first
    return (
        *first,
        str(row.cloud.shape.count) if row.cloud else "",
        row.resource_pool.phase if row.resource_pool else "",
        " ".join(in_words(row.accounts, row.pool_name)) or "no namespace",
        ",".join(node_pool.spec.deletion_policy for node_pool in row.objects),
        to_timestamp(row.held.since) if row.held else "",
        _hours(row.held.node_hours) if row.held else "",
    )


def _pools_without_rows(workspaces: Iterable[SeenWorkspace], wide: bool) -> Iterator[tuple[str, ...]]:  # noqa: FBT001
    """Resource pools without node pools, or whose node pools could not be listed."""
    for workspace in workspaces:
        for pool in (workspace.resource_pools or {}).values():
            if pool.node_pools:
                continue
            name = clean(pool.resource_pool.name)
            accounts = ",".join(account.metadata.name for account in workspace.accounts)
            state = "Empty" if pool.node_pools is not None else State.UNKNOWN.value
            line = (accounts, name, "", state, "", "", "", billing_of(pool.resource_pool))
            granted = " ".join(in_words(workspace.accounts, name)) or "no namespace"
            yield (*line, "", pool.resource_pool.phase, granted, "", "", "") if wide else line


def _summary(rows: Sequence[Row], workspaces: Iterable[SeenWorkspace]) -> str:
    counts = Counter(row.state for row in rows)
    pools = sum(len(workspace.resource_pools or {}) for workspace in workspaces)
    states = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    return f"Resource pools: {pools}. Node pools: {states or 'none'}."


def _held_in_words(held: Held | None) -> Iterator[str]:
    if held is not None:
        nodes = "unknown" if held.nodes is None else held.nodes
        yield (
            f"its deletion is held since {to_timestamp(held.since)} ({held.reason}); nodes: {nodes}, "
            f"node-hours so far: {_hours(held.node_hours)}"
        )


def _held_in_all(rows: Iterable[Row]) -> Iterator[str]:
    held = [row.held for row in rows if row.held is not None]
    if held:
        nodes, hours = sum(each.nodes or 0 for each in held), sum(each.node_hours or 0.0 for each in held)
        yield f"Held deletions: {len(held)}. Their nodes: {nodes}. Node-hours so far: {_hours(hours)}."


def _hours(node_hours: float | None) -> str:
    return "unknown" if node_hours is None else f"{node_hours:.1f}"


def _next_step(rows: Iterable[Row]) -> Iterator[str]:
    if any(row.state is State.UNMANAGED and not row.obstacle for row in rows):
        yield "To adopt Unmanaged node pools; with deletionPolicy Retain, no object can delete its node pool:"
        yield "  modelarts-nodepool inventory -o yaml --namespace NAMESPACE | kubectl apply --server-side -f -"


def _row(row: Row) -> dict[str, Any]:
    counts, shape = (row.cloud.counts, row.cloud.shape) if row.cloud else (None, None)
    return {
        "state": row.state,
        "accounts": [account.metadata.name for account in row.accounts],
        "region": row.identity.region if row.identity else None,
        "projectId": row.identity.project_id if row.identity else None,
        "workspace": row.identity.workspace if row.identity else None,
        "poolName": clean(row.pool_name),
        "nodePoolName": clean(row.node_pool_name),
        "objects": [
            {
                "namespace": node_pool.metadata.namespace,
                "name": node_pool.metadata.name,
                "account": node_pool.spec.account_ref.name,
                "deletionPolicy": node_pool.spec.deletion_policy,
                "deleting": node_pool.metadata.deleted is not None,
            }
            for node_pool in row.objects
        ],
        "counts": counts.to_wire() if counts else None,
        "flavor": shape.flavor if shape else None,
        "count": shape.count if shape else None,
        "maxCount": shape.max_count if shape else None,
        "billing": billing_of(row.resource_pool) or None,
        "grantedTo": in_words(row.accounts, row.pool_name),
        "held": {
            "reason": row.held.reason,
            "since": to_timestamp(row.held.since),
            "nodes": row.held.nodes,
            "nodeHours": None if row.held.node_hours is None else round(row.held.node_hours, 2),
        }
        if row.held
        else None,
        "notes": list(row.notes),
        "obstacle": row.obstacle or None,
    }


def _pools(workspace: SeenWorkspace) -> Iterator[dict[str, Any]]:
    for pool in (workspace.resource_pools or {}).values():
        yield {
            "accounts": [account.metadata.name for account in workspace.accounts],
            "region": workspace.workspace.region,
            "projectId": workspace.workspace.project_id,
            "workspace": workspace.workspace.workspace,
            "poolName": clean(pool.resource_pool.name),
            "billing": billing_of(pool.resource_pool),
            "phase": pool.resource_pool.phase,
            "nodePools": len(pool.node_pools) if pool.node_pools is not None else None,
            "grantedTo": in_words(workspace.accounts, pool.resource_pool.name),
            "problem": pool.problem or None,
        }


_BILLING = {
    Billing.PAY_PER_USE: "pay-per-use",
    Billing.YEARLY_MONTHLY: "yearly/monthly",
    Billing.UNKNOWN: "unknown",
}


def nodes_of(cloud: CloudNodePool | None) -> str:
    """The nodes by state: `3 available, 1 abnormal`."""
    if cloud is None:
        return ""
    return to_nodes(cloud.counts) if cloud.counts else "unreadable"


def billing_of(resource_pool: CloudResourcePool | None) -> str:
    """The billing of the resource pool; single nodes may have another billing."""
    return _BILLING[resource_pool.billing] if resource_pool is not None else ""
