"""Objects that went without a release: the finalizer was removed by hand, or the object never had it.

Nothing can be held any more, so it is reported: by a log line, and by an Event on the account, which outlives the
object.
"""

import logging

from modelarts_nodepool import metrics
from modelarts_nodepool.api.node_pool import DeletionPolicy, Identity
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache, Duplicates
from modelarts_nodepool.controllers.audit import AuditTrail
from modelarts_nodepool.decide.deletion.audit_entry import build_stripped
from modelarts_nodepool.kube.events import EventRecorder, EventType
from modelarts_nodepool.ports import Clock

logger = logging.getLogger(__name__)


class Orphans:
    """Reports node pools that no object refers to any more."""

    def __init__(
        self,
        cache: Cache,
        duplicates: Duplicates,
        in_flight: InFlight,
        trail: AuditTrail,
        recorder: EventRecorder,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._duplicates = duplicates
        self._in_flight = in_flight
        self._trail = trail
        self._recorder = recorder
        self._clock = clock

    def report(self, node_pool: NodePool) -> None:
        """An object is gone; `node_pool` is its last version. Does nothing after a release."""
        self._finish_entry(node_pool)
        how = self._find_cause(node_pool)
        if how is None:
            return
        words = (
            f"{node_pool.title} is gone {how}: node pool {node_pool.node_pool_name} of resource pool "
            f"{node_pool.spec.pool_name} may live on and cost money; look at it in the ModelArts console, or create "
            "the object again and delete it"
        )
        metrics.ORPHANS.inc()
        logger.warning(words, extra={"audit": "leak", **node_pool.log_fields})
        account = self._cache.accounts.get(node_pool.spec.account_ref.name)
        if account is not None:
            self._recorder.record(account, EventType.WARNING, Reason.ORPHANED, words)

    def _finish_entry(self, node_pool: NodePool) -> None:
        """The finalizer was removed by hand after a DELETE: complete its entry, which still counts for the budget."""
        account = self._cache.accounts.get(node_pool.spec.account_ref.name)
        identity, uid = self._identity(node_pool), node_pool.metadata.uid
        if account is None or identity is None or node_pool.metadata.deleted is None:
            return
        if not node_pool.is_protected or self._in_flight.is_releasing(uid):
            return
        entry = build_stripped(node_pool, identity, self._trail.find(account, uid), self._clock.now())
        if entry is not None:
            self._trail.add(account.metadata.name, entry)

    def _find_cause(self, node_pool: NodePool) -> str | None:
        uid = node_pool.metadata.uid
        if node_pool.spec.deletion_policy is DeletionPolicy.RETAIN or uid in self._cache.retain_seen:
            return None
        identity = self._identity(node_pool)
        if identity is not None and self._duplicates.of(node_pool, identity).granted:
            return None
        if node_pool.is_protected:
            is_ours = self._in_flight.is_releasing(uid)
            return None if is_ours else "although its finalizer was not removed by this operator"
        # Without a deletionTimestamp it had no finalizer at all; with one and without our finalizer, we released it.
        return "before it was protected" if node_pool.metadata.deleted is None else None

    def _identity(self, node_pool: NodePool) -> Identity | None:
        view = self._duplicates.account_view(node_pool)
        return node_pool.status.identity or (view.identity if view else None)
