"""What can be planned for one object, and how it has to end, by the table of deletion. Pure.

Drawn by draw_objects.py, judged by ending.py and sending.py.
"""

import re
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
    TWIN = "twin"
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
    row: int | None = None


def _held(reason: Reason, row: int, *, may_send: bool = False) -> Expectation:
    return Expectation(Ending.HELD, frozenset({reason}), may_send, row)


EXPECTED: dict[Case, Expectation] = {
    Case.LIVING: Expectation(Ending.LIVES),
    Case.PLAIN: Expectation(Ending.GONE, may_send=True),
    Case.RETAINED: Expectation(Ending.RELEASED, row=1),
    Case.RETAINED_LATER: Expectation(Ending.RELEASED, may_send=True, row=1),
    Case.PREPAID: _held(Reason.YEARLY_MONTHLY_BILLING, 15),
    Case.LOCKED: _held(Reason.NODE_LOCKED, 15),
    Case.IN_USE: _held(Reason.REFUSED_BY_MODELARTS, 9, may_send=True),
    Case.TWIN: Expectation(Ending.GONE, may_send=True, row=5),
    Case.HANDED_OVER: Expectation(Ending.RELEASED, row=5),
    Case.HEIR: Expectation(Ending.LIVES, row=5),
    Case.UNCONFIRMED: _held(Reason.CONFIRMATION_REQUIRED, 14),
    Case.PAUSED: _held(Reason.PAUSED, 10),
    Case.UNPAUSED: Expectation(Ending.GONE, may_send=True, row=10),
    Case.FOREIGN: Expectation(Ending.GONE, may_send=True, row=11),
    Case.OVERRIDDEN: Expectation(Ending.LET_GO, may_send=True, row=11),
    Case.VANISHED: Expectation(Ending.GONE, may_send=True),
    Case.DOOMED: _held(Reason.NAMESPACE_TERMINATING, 13),
    Case.DOOMED_CONFIRMED: Expectation(Ending.GONE, may_send=True, row=13),
    # Where the cloud refused it once, row 9 says so before row 16 gets its turn.
    Case.LAST: Expectation(
        Ending.GONE_OR_HELD,
        frozenset({Reason.LAST_NODE_POOL, Reason.REFUSED_BY_MODELARTS}),
        may_send=True,
        row=16,
    ),
}


def rows_of(names: Iterable[str]) -> frozenset[int]:
    """The numbers in the names of rows, as decide/deletion/table.py has them: "4, 6, 7" are three."""
    return frozenset(int(number) for name in names for number in re.findall(r"\d+", name))


def is_possible(case: Case, rows: Collection[int]) -> bool:
    """Whether the operator has the row that the case is about."""
    row = EXPECTED[case].row
    return row is None or row in rows
