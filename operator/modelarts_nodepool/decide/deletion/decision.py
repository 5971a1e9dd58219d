"""The five decisions about a deletion. controllers/deletion/reconciler.py carries them out."""

from dataclasses import dataclass
from datetime import timedelta

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.observed import Fact

# A held object is decided again after this, and at once when the object or its account changes.
HELD = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Release:
    """Remove the finalizer.

    `is_orphan`: the node pool may still exist although its deletion was requested. `heir`: the object that keeps the
    node pool.
    """

    reason: Reason
    message: str
    is_orphan: bool = False
    heir: NodePool | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the object and send nothing, until a person acts or time passes.

    The message ends with the next command. Decide again after `retry_after` at the latest.
    """

    reason: Reason
    message: str
    retry_after: timedelta
    is_transient: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """ModelArts is deleting the node pool. Decide again after the next poll."""

    reason: Reason
    message: str
    retry_after: timedelta
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Facts are missing or too old: fetch them, then decide again."""

    facts: frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Send:
    """Every guard was passed: write ahead, then send one DELETE."""


Decision = Release | Hold | Wait | Look | Send
