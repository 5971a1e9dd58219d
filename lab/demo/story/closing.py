"""The last chapter: what became of each object, what the cloud was asked, what the operator wrote."""

from collections import Counter
from collections.abc import Iterable, Mapping

from lab.controlplane import AuditEvent
from lab.demo.objects import Seen, count_words
from lab.demo.samples import BUSY, DELETED, NODES, RETAINED, YEARLY
from lab.demo.stage import Stage
from lab.harness.failures import LabError
from lab.harness.operator import OPERATOR_USER
from lab.harness.simulator import DELETE_NODE_POOL, VALID, Call
from modelarts_nodepool.api.names import NODE_POOL_PLURAL

CONFLICT = 409
WHAT_WAS_DONE = {
    DELETED: "kubectl delete",
    RETAINED: "kubectl delete (Retain)",
    YEARLY: "kubectl delete",
    BUSY: "kubectl delete",
}


async def count_everything(stage: Stage) -> None:
    """Show the three tables and check that they add up."""
    screen = stage.screen
    screen.step("What happened, counted from outside the operator")
    calls = await stage.cloud.calls()
    objects, cloud = await stage.seen(), await stage.cloud_counts()
    writes = tuple(stage.plane.audit().by_user(OPERATOR_USER).writes())
    screen.columns(
        ("OBJECT", "WHAT WAS DONE", "THE OBJECT NOW", "ITS NODE POOL NOW", "DELETES SENT", "API WRITES"),
        [_fate(name, objects, cloud, calls, writes) for name in NODES],
    )
    screen.gap()
    screen.columns(("CLOUD CALLS", "COUNT", "ANSWERS"), count_calls(calls))
    screen.gap()
    screen.columns(("API WRITES BY THE OPERATOR", "COUNT", "ANSWERS"), count_writes(writes))
    if set(objects) != set(NODES) - {DELETED, RETAINED, BUSY} or set(cloud) != set(NODES) - {DELETED, BUSY}:
        raise LabError(f"Left are the objects {sorted(objects)} and the node pools {sorted(cloud)}: unexpected.")
    deletes = [call.node_pool for call in calls if call.operation == DELETE_NODE_POOL]
    if deletes != [DELETED, BUSY] or any(call.signature != VALID for call in calls):
        raise LabError(f"Two DELETEs and only valid signatures were to be seen. DELETEs: {deletes}")
    changing = sum(call.effect != "none" for call in calls)
    screen.verified(f"{len(calls)} cloud calls, all with a valid signature; {changing} of them changed something")
    lease = sum(write.resource == "leases" for write in writes)
    refused = sum(write.code >= CONFLICT for write in writes)
    screen.verified(f"{len(writes)} API writes by the audit log of the API server, {refused or 'none'} of them refused")
    screen.note(f"{lease} of them hold the leadership (a Lease, renewed all the time); the rest is about the objects")


def _fate(
    name: str,
    objects: Mapping[str, Seen],
    cloud: Mapping[str, Mapping[str, int]],
    calls: Iterable[Call],
    writes: Iterable[AuditEvent],
) -> tuple[str, ...]:
    deletes = sum(call.operation == DELETE_NODE_POOL and call.node_pool == name for call in calls)
    own = sum(write.resource == NODE_POOL_PLURAL and write.name == name for write in writes)
    nodes = count_words(cloud[name]) if name in cloud else "gone"
    return (name, WHAT_WAS_DONE.get(name, "nothing"), _state(objects.get(name)), nodes, str(deletes), str(own))


def _state(seen: Seen | None) -> str:
    if seen is None:
        return "gone"
    blocked = seen.condition("DeletionBlocked")[1]
    if blocked:
        return f"held: {blocked}"
    return seen.condition("Ready")[1]


def count_calls(calls: Iterable[Call]) -> list[tuple[str, ...]]:
    """Rows of cloud calls by operation, the most frequent first."""
    return _rows((call.operation, call.status) for call in calls)


def count_writes(writes: Iterable[AuditEvent]) -> list[tuple[str, ...]]:
    """Rows of API writes by verb, resource and subresource, the most frequent first."""
    return _rows((_label(write), write.code) for write in writes)


def _label(write: AuditEvent) -> str:
    resource = f"{write.resource}/{write.subresource}" if write.subresource else write.resource
    return f"{write.verb} {resource}"


def _rows(answered: Iterable[tuple[str, int]]) -> list[tuple[str, ...]]:
    counts = Counter(answered)
    totals: Counter[str] = Counter()
    for (label, _), count in counts.items():
        totals[label] += count
    return [
        (label, str(total), ", ".join(f"{code} ×{counts[label, code]}" for code in _codes(counts, label)))  # noqa: RUF001
        for label, total in totals.most_common()
    ]


def _codes(counts: Mapping[tuple[str, int], int], label: str) -> list[int]:
    return sorted(code for own, code in counts if own == label)
