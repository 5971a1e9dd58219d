"""The audit trail in the log: one structured record per DELETE and one per release.

Who (object, uid), what (the identity in the cloud), the cloud's request id, confirmed or not, the outcome.
"""

import logging

from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.errors import CloudError
from modelarts_nodepool.ports import Accepted

logger = logging.getLogger("modelarts_nodepool.audit")


def log_delete(
    node_pool: NodePool, identity: Identity, record: DeletionRecord, answer: Accepted | CloudError | None
) -> None:
    """One DELETE was sent, or nearly: with what came of it. None: nobody waited for the answer."""
    outcome = "Unknown" if answer is None else "Accepted" if isinstance(answer, Accepted) else answer.reason
    logger.info(
        "DELETE of node pool %s: %s",
        identity.node_pool_name,
        outcome,
        extra={
            "audit": "delete",
            **_who(node_pool),
            "identity": identity.to_wire(),
            "requestId": None if answer is None else answer.request_id,
            "attempt": record.attempt,
            "outcome": outcome,
            "confirmed": node_pool.confirmation == identity.node_pool_name,
        },
    )


def log_release(node_pool: NodePool, identity: Identity | None, record: DeletionRecord, release: Release) -> None:
    """The finalizer left the object: why."""
    logger.info(
        "released %s: %s",
        node_pool.title,
        release.reason,
        extra={
            "audit": "release",
            **_who(node_pool),
            "identity": identity.to_wire() if identity else None,
            "requestId": record.request_id,
            "sentTime": record.sent_time.isoformat() if record.sent_time else None,
            "outcome": release.reason.value,
            "orphan": release.is_orphan,
        },
    )


def _who(node_pool: NodePool) -> dict[str, object]:
    return {"object": node_pool.title, "uid": node_pool.metadata.uid}
