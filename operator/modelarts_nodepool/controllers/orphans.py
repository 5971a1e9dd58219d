"""Notices objects that went without us: a finalizer stripped by hand, an object gone before it was protected.

Called by the controller for each object that is gone. Nothing can be held back any more, so somebody is told: a log
line, and an Event on the account, which outlives the object.
"""

import logging

from modelarts_nodepool import metrics
from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.controllers.tools import Tools, log_fields
from modelarts_nodepool.decide.deletion.audit_entry import build_stripped
from modelarts_nodepool.kube.events import EventType

logger = logging.getLogger(__name__)


def report_leak(tools: Tools, node_pool: NodePool) -> None:
    """Tell of an object whose node pool nobody stands for now. `node_pool` is its last version that was seen."""
    _finish_entry(tools, node_pool)
    how = _find_leak(tools, node_pool)
    if how is None:
        return
    words = (
        f"{node_pool.title} is gone {how}: node pool {node_pool.node_pool_name} of resource pool "
        f"{node_pool.spec.pool_name} may live on and cost money; look at it in the ModelArts console, or create the "
        "object again and delete it"
    )
    metrics.ORPHANS.inc()
    logger.warning(words, extra={"audit": "leak", **log_fields(node_pool)})
    account = tools.registry.accounts.get(node_pool.spec.account_ref.name)
    if account is not None:
        tools.recorder.record(account, EventType.WARNING, Reason.ORPHANED, words)


def _finish_entry(tools: Tools, node_pool: NodePool) -> None:
    """The DELETE of an object whose finalizer was stripped has its end in the audit trail, and goes on counting."""
    account, view = tools.registry.accounts.get(node_pool.spec.account_ref.name), tools.account_view(node_pool)
    identity = node_pool.status.identity or (view.identity if view else None)
    uid = node_pool.metadata.uid
    if account is None or identity is None or node_pool.metadata.deleted is None:
        return
    if not node_pool.is_protected or tools.ongoing.is_releasing(uid):
        return
    entry = build_stripped(node_pool, identity, tools.entries.find(account, uid), tools.clock.now())
    if entry is not None:
        tools.entries.enter(account.metadata.name, entry)


def _find_leak(tools: Tools, node_pool: NodePool) -> str | None:
    uid = node_pool.metadata.uid
    if node_pool.spec.deletion_policy is DeletionPolicy.RETAIN or uid in tools.registry.retain_seen:
        return None
    view = tools.account_view(node_pool)
    identity = node_pool.status.identity or (view.identity if view else None)
    if identity is not None and tools.duplicates(node_pool, identity):
        return None
    if node_pool.is_protected:
        return None if tools.ongoing.is_releasing(uid) else "although its finalizer was not removed by this operator"
    # Without a deletionTimestamp it had no finalizer at all; with one and without ours, we released it.
    return "before it was protected" if node_pool.metadata.deleted is None else None
