"""Ready and NodesHealthy: from the counts, or as last written while ModelArts cannot be reached. Pure."""

from collections.abc import Iterable

from modelarts_nodepool.api.conditions import Condition, ConditionStatus, ConditionType, Said
from modelarts_nodepool.api.node_pool import Counts, NodePoolShape
from modelarts_nodepool.api.reasons import Reason

# Paused is set anew each time; DeletionBlocked belongs to a deletion.
_NOT_KEPT = frozenset({ConditionType.PAUSED, ConditionType.DELETION_BLOCKED})
_NEGATIVE = frozenset({ConditionType.STALLED, ConditionType.RECONCILING})


def say_ready(name: str, counts: Counts, shape: NodePoolShape) -> dict[ConditionType, Said]:
    """Ready, with Reconciling beside it while nodes come or go and none is available."""
    # Never less than the nodes that exist: "1 of 0 nodes" would be wrong.
    total = max(shape.count, counts.total)
    if counts.available > 0:
        words = f"{counts.available} of {total} nodes of node pool {name} are available"
        return {ConditionType.READY: _said(ConditionStatus.TRUE, Reason.NODES_AVAILABLE, words)}
    if shape.count == 0 and counts.total == 0:
        words = f"node pool {name} exists and has no nodes, as requested"
        return {ConditionType.READY: _said(ConditionStatus.TRUE, Reason.NODE_POOL_EMPTY, words)}
    if counts.creating > 0:
        words = f"{counts.creating} of {total} nodes of node pool {name} are being created, none is available"
        return _in_progress(Reason.NODES_CREATING, words)
    if counts.deleting > 0:
        words = f"{counts.deleting} nodes of node pool {name} are being deleted in the cloud, none is available"
        return _in_progress(Reason.NODES_DELETING, words)
    words = f"none of the {total} nodes of node pool {name} is available; check it in the ModelArts console"
    return {ConditionType.READY: _said(ConditionStatus.FALSE, Reason.NO_NODES_AVAILABLE, words)}


def say_healthy(name: str, counts: Counts, shape: NodePoolShape) -> Said:
    """NodesHealthy: Argo CD reads it, kstatus does not, so one abnormal node in a hundred fails no sync."""
    if counts.abnormal > 0:
        abnormal = f"{counts.abnormal} of {counts.total} nodes of node pool {name} are abnormal"
        words = f"{abnormal}; check them in the ModelArts console"
        return _said(ConditionStatus.FALSE, Reason.NODES_ABNORMAL, words)
    if counts.total < shape.count and counts.creating == 0 and counts.deleting == 0:
        words = f"node pool {name} has {counts.total} of {shape.count} nodes and none is being created"
        return _said(ConditionStatus.FALSE, Reason.NODES_MISSING, words)
    return _said(ConditionStatus.TRUE, Reason.ALL_NODES_HEALTHY, f"no node of node pool {name} is abnormal or missing")


def say_as_last(conditions: Iterable[Condition]) -> dict[ConditionType, Said] | None:
    """The last conditions; None if there are none, or if they contradict each other.

    They can contradict each other after a manual change of the status.
    """
    last = {condition.type: condition for condition in conditions if condition.type not in _NOT_KEPT}
    ready = last.get(ConditionType.READY)
    raised = [last[kind] for kind in ConditionType if kind in _NEGATIVE and kind in last]
    if ready is None or any(condition.status is not ConditionStatus.TRUE for condition in raised):
        return None
    types = {condition.type for condition in raised}
    fits = {
        ConditionStatus.TRUE: not types,
        ConditionStatus.FALSE: len(types) < len(_NEGATIVE),
        ConditionStatus.UNKNOWN: types == {ConditionType.RECONCILING},
    }
    if not fits[ready.status]:
        return None
    return {
        kind: Said(status=condition.status, reason=condition.reason, message=condition.message)
        for kind, condition in last.items()
    }


def _in_progress(reason: Reason, words: str) -> dict[ConditionType, Said]:
    return {
        ConditionType.RECONCILING: _said(ConditionStatus.TRUE, reason, words),
        ConditionType.READY: _said(ConditionStatus.FALSE, reason, words),
    }


def _said(status: ConditionStatus, reason: Reason, message: str) -> Said:
    return Said(status=status, reason=reason, message=message)
