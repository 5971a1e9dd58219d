"""Counts passes over objects and releases.

Used by engine/mirror.py and engine/deletion.py. It swallows nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum

from modelarts_nodepool import metrics
from modelarts_nodepool.decide.decision import Release
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone


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


def _count(result: Result, begun: float) -> None:
    metrics.RECONCILES.labels(result.value).inc()
    metrics.RECONCILE_SECONDS.observe(time.perf_counter() - begun)
