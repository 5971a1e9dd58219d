"""Counts passes over objects, releases and calls to the cloud.

Used by controllers/node_pool.py, controllers/deletion/reconciler.py and, for calls, by the client that app.py builds.
It swallows nothing.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum

from modelarts_nodepool import metrics
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.modelarts.client import CallReport

logger = logging.getLogger(__name__)


class Result(StrEnum):
    """How a pass ended; the label `result`."""

    DONE = "done"
    CONFLICT = "conflict"  # the object had changed meanwhile: decided again
    UNAVAILABLE = "unavailable"  # the API server did not take a write: tried again
    FAILED = "failed"  # nobody foresaw it: see the log


@contextmanager
def counted() -> Iterator[None]:
    """Count what happens inside as one pass; one that is cancelled counts for nothing."""
    begun = time.perf_counter()
    try:
        yield
    except (ObjectChanged, ObjectGone):
        _count(Result.CONFLICT, begun)
        raise
    except ClusterError:
        _count(Result.UNAVAILABLE, begun)
        raise
    except Exception:
        _count(Result.FAILED, begun)
        raise
    else:
        _count(Result.DONE, begun)


def count_release(observed: DeletionObserved, release: Release, now: datetime) -> None:
    """Our finalizer left an object."""
    metrics.DELETIONS.labels(release.reason.value).inc()
    if release.is_orphan:
        metrics.ORPHANS.inc()
    deleted = observed.node_pool.metadata.deleted
    if deleted is not None and observed.record.sent_time is not None:
        metrics.DELETION_SECONDS.observe(max((now - deleted).total_seconds(), 0.0))


def count_call(report: CallReport) -> None:
    """A call to ModelArts has ended, well or not."""
    metrics.CLOUD_REQUESTS.labels(report.operation, report.outcome).inc()
    metrics.CLOUD_REQUEST_SECONDS.labels(report.operation).observe(report.duration.total_seconds())
    logger.debug(
        "%s: %s",
        report.operation,
        report.outcome,
        extra={
            "resourcePool": report.resource_pool,
            "nodePool": report.node_pool,
            "requestId": report.request_id,
            "durationSeconds": round(report.duration.total_seconds(), 3),
        },
    )


def _count(result: Result, begun: float) -> None:
    metrics.RECONCILES.labels(result.value).inc()
    metrics.RECONCILE_SECONDS.observe(time.perf_counter() - begun)
