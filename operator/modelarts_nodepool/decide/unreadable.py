"""The status of an object that this version of the operator cannot read: InvalidObject.

Called by controllers/unreadable.py. There is no decision to send or to release for such an object.
"""

from datetime import datetime

from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType, Said, set_conditions
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.decide import remedies


def decide_unreadable_conditions(found: UnreadableObject, now: datetime) -> tuple[Condition, ...]:
    """All conditions of its status. The lastTransitionTime of readable conditions is kept."""
    words, true, false = _words(found), ConditionStatus.TRUE, ConditionStatus.FALSE
    invalid, blocked = Reason.INVALID_OBJECT, Reason.DELETION_BLOCKED
    if found.metadata.deleted is None:
        said = {
            ConditionType.STALLED: Said(status=true, reason=invalid, message=words),
            ConditionType.READY: Said(status=false, reason=invalid, message=words),
        }
    else:
        said = {
            ConditionType.RECONCILING: Said(status=true, reason=blocked, message=words),
            ConditionType.READY: Said(status=false, reason=blocked, message=words),
            ConditionType.DELETION_BLOCKED: Said(status=true, reason=invalid, message=words),
        }
    return set_conditions(said, found.conditions, found.metadata.generation, now)


def _words(found: UnreadableObject) -> str:
    return (
        f"this version of the operator cannot read the object ({found.problem}), so {_what_is_not_done(found)}; "
        f"compare the versions: modelarts-nodepool doctor; {remedies.show_definition()}; run the version of the "
        f"operator that matches the CRD, or apply the CRDs of this version: {remedies.apply_definitions()}; or correct "
        f"the object{remedies.by_hand(found.metadata, remedies.edit(found))}"
    )


def _what_is_not_done(found: UnreadableObject) -> str:
    if found.metadata.deleted is not None:
        return "it neither deletes the node pool nor releases the object"
    if found.is_protected:
        return "its status is not updated, and its deletion is held"
    return "it has no finalizer: deleting the object would leave its node pool in the cloud"
