"""The five things that can be decided about a deletion. Carried out by controllers/deletion/reconciler.py."""

from dataclasses import dataclass
from datetime import timedelta

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.observed import Fact


@dataclass(frozen=True, slots=True)
class Release:
    """Let the object go.

    `is_orphan`: the node pool may live on although its deletion was asked for. `heir`: the object that goes on
    with the node pool.
    """

    reason: Reason
    message: str
    is_orphan: bool = False
    heir: NodePool | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the object and send nothing; somebody has to act, or time has to pass.

    The message ends with the exact next command. Decide again after `retry_after` at the latest.
    """

    reason: Reason
    message: str
    retry_after: timedelta
    is_transient: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """The cloud is deleting. Decide again at the next look at it."""

    reason: Reason
    message: str
    retry_after: timedelta
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Facts are missing or old: get them, then decide again."""

    facts: frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Send:
    """Every guard was passed: write ahead, then send one DELETE."""


Decision = Release | Hold | Wait | Look | Send
