"""What can be planned for one object, and how it has to end, by the table of deletion. Pure.

Drawn by draw_objects.py, judged by judges.py and judges.py.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from modelarts_nodepool.api.reasons import Reason


class Ending(StrEnum):
    """How an object stands when everything has settled."""

    LIVES = "lives"  # there, mirrored
    GONE = "gone"  # object and node pool
    RELEASED = "released"  # the object gone, the node pool there
    HELD = "held"  # both there, with a reason
    GONE_OR_HELD = "gone or held"  # which of several it is depends on the moment
    LET_GO = "let go"  # our finalizer and the node pool gone, the object there for somebody else's finalizer


class Case(StrEnum):
    """What happens to an object. The value is the beginning of its name."""

    LIVING = "living"
    PLAIN = "plain"
    RETAINED = "retained"
    RETAINED_LATER = "retained-later"
    PREPAID = "prepaid"
    LOCKED = "locked"
    IN_USE = "in-use"
    TWIN = "duplicate"
    HANDED_OVER = "handed-over"
    HEIR = "heir"
    UNCONFIRMED = "unconfirmed"
    PAUSED = "paused"
    UNPAUSED = "unpaused"
    FOREIGN = "foreign"
    OVERRIDDEN = "overridden"
    VANISHED = "vanished"
    DOOMED = "doomed"
    DOOMED_CONFIRMED = "doomed-confirmed"
    LAST = "last"


@dataclass(frozen=True)
class Expectation:
    """How a case ends, the reasons it may be held for, whether a DELETE may be sent, the row that it needs."""

    ending: Ending
    reasons: frozenset[Reason] = frozenset()
    may_send: bool = False
    row: Reason | None = None


def _held(reason: Reason, *, may_send: bool = False) -> Expectation:
    return Expectation(Ending.HELD, frozenset({reason}), may_send, reason)


EXPECTED: dict[Case, Expectation] = {
    Case.LIVING: Expectation(Ending.LIVES),
    Case.PLAIN: Expectation(Ending.GONE, may_send=True),
    Case.RETAINED: Expectation(Ending.RELEASED, row=Reason.RETAINED),
    Case.RETAINED_LATER: Expectation(Ending.RELEASED, may_send=True, row=Reason.RETAINED),
    Case.PREPAID: _held(Reason.YEARLY_MONTHLY_BILLING),
    Case.LOCKED: _held(Reason.NODE_LOCKED),
    Case.IN_USE: _held(Reason.REFUSED_BY_MODELARTS, may_send=True),
    Case.TWIN: Expectation(Ending.GONE, may_send=True, row=Reason.HANDED_OVER),
    Case.HANDED_OVER: Expectation(Ending.RELEASED, row=Reason.HANDED_OVER),
    Case.HEIR: Expectation(Ending.LIVES, row=Reason.HANDED_OVER),
    Case.UNCONFIRMED: _held(Reason.CONFIRMATION_REQUIRED),
    Case.PAUSED: _held(Reason.PAUSED),
    Case.UNPAUSED: Expectation(Ending.GONE, may_send=True, row=Reason.PAUSED),
    Case.FOREIGN: Expectation(Ending.GONE, may_send=True, row=Reason.OTHER_FINALIZERS),
    Case.OVERRIDDEN: Expectation(Ending.LET_GO, may_send=True, row=Reason.OTHER_FINALIZERS),
    Case.VANISHED: Expectation(Ending.GONE, may_send=True),
    Case.DOOMED: _held(Reason.NAMESPACE_TERMINATING),
    Case.DOOMED_CONFIRMED: Expectation(Ending.GONE, may_send=True, row=Reason.NAMESPACE_TERMINATING),
    # Where the cloud refused it once, RefusedByModelArts comes before LastNodePool.
    Case.LAST: Expectation(
        Ending.GONE_OR_HELD,
        frozenset({Reason.LAST_NODE_POOL, Reason.REFUSED_BY_MODELARTS}),
        may_send=True,
        row=Reason.LAST_NODE_POOL,
    ),
}


def rows_of(rows: Iterable[Iterable[Reason]]) -> frozenset[Reason]:
    """All reasons that the rows of decide/deletion/table.py may give."""
    return frozenset(reason for reasons in rows for reason in reasons)


def is_possible(case: Case, rows: Collection[Reason]) -> bool:
    """Whether the operator has the row that the case is about."""
    row = EXPECTED[case].row
    return row is None or row in rows
