"""What people are told of a deletion once it is done or held: audit trail, counters and Events.

Called by controllers/deletion/reconciler.py after the write that it tells of.
"""

from modelarts_nodepool.api.conditions import ConditionType, find_condition
from modelarts_nodepool.api.node_pool import NodePoolStatus
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.controllers import audit
from modelarts_nodepool.controllers.counting import count_release
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.decide.deletion.decision import Hold, Release
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.kube.events import EventType


def tell_release(tools: Tools, observed: DeletionObserved, release: Release) -> None:
    """Our finalizer left the object; an heir is told as well."""
    node_pool = observed.node_pool
    audit.log_release(node_pool, observed.identity, observed.record, release)
    count_release(observed, release, tools.clock.now())
    kind = EventType.WARNING if release.is_orphan else EventType.NORMAL
    reason = "NodePoolGone" if release.reason is Reason.GONE else release.reason.value
    tools.recorder.record(node_pool, kind, reason, release.message)
    if release.heir is not None:
        words = f"{node_pool.title} was deleted and handed node pool {node_pool.node_pool_name} over to this object"
        tools.recorder.record(release.heir, EventType.NORMAL, release.reason.value, words)


def tell_blocked(tools: Tools, before: NodePool, after: NodePoolStatus) -> None:
    """One Event when a deletion is held, or held for another reason than before."""
    old = find_condition(before.status.conditions, ConditionType.DELETION_BLOCKED)
    new = find_condition(after.conditions, ConditionType.DELETION_BLOCKED)
    if new is not None and (old is None or old.reason != new.reason):
        tools.recorder.record(before, EventType.WARNING, "DeletionBlocked", f"{new.reason}: {new.message}")


def tell_held(tools: Tools, node_pool: NodePool, hold: Hold) -> None:
    """One Event for a hold that the status may not be able to show; none where it shows it already."""
    shown = find_condition(node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
    if shown is None or shown.reason != hold.reason:
        words = f"{hold.reason}: {hold.message}"
        tools.recorder.record(node_pool, EventType.WARNING, Reason.DELETION_BLOCKED, words)
