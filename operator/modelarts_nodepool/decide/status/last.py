"""Row 4 of the status table: the last words stand while the cloud is out of reach for a short time."""

from collections.abc import Iterable

from modelarts_nodepool.api.conditions import Condition, ConditionStatus, ConditionType, Said

# These are said anew each time, or have no place on an object that lives.
_NOT_KEPT = frozenset({ConditionType.PAUSED, ConditionType.DELETION_BLOCKED})
_TROUBLE = frozenset({ConditionType.STALLED, ConditionType.RECONCILING})


def say_as_last(conditions: Iterable[Condition]) -> dict[ConditionType, Said] | None:
    """What was said last, None where nothing was, or nothing that may be said again.

    The second happens where somebody wrote the status by hand: contradictions are not carried on.
    """
    last = {condition.type: condition for condition in conditions if condition.type not in _NOT_KEPT}
    ready = last.get(ConditionType.READY)
    raised = [last[kind] for kind in ConditionType if kind in _TROUBLE and kind in last]
    if ready is None or any(condition.status is not ConditionStatus.TRUE for condition in raised):
        return None
    types = {condition.type for condition in raised}
    fits = {
        ConditionStatus.TRUE: not types,
        ConditionStatus.FALSE: len(types) < len(_TROUBLE),
        ConditionStatus.UNKNOWN: types == {ConditionType.RECONCILING},
    }
    if not fits[ready.status]:
        return None
    return {
        kind: Said(status=condition.status, reason=condition.reason, message=condition.message)
        for kind, condition in last.items()
    }
