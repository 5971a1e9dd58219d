"""Asks every guard of the table of deletion about one observation, and says what each answer means. Pure.

The guards do not know that they are asked for an explanation, so a new row of the table appears here by itself. An
observation that records which of its fields are read gives the facts of each guard.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from typing_extensions import override

from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Release, Wait
from modelarts_nodepool.decide.deletion.table import ROWS, Guard, name_useless_override
from modelarts_nodepool.decide.failures import FAILURES
from modelarts_nodepool.decide.observed import DeletionObserved, Fact
from modelarts_nodepool.ports import Moment

_FIELDS = frozenset(field.name for field in fields(DeletionObserved))
# The fields that hold answers of ModelArts or the API server; None before they are asked.
EVIDENCE = frozenset(field.name for field in fields(DeletionObserved) if "Evidence" in str(field.type))


Table = Sequence[tuple[tuple[Reason, ...], Guard]]


class Verdict(StrEnum):
    """What a guard means for the deletion. The first guard that does not pass decides."""

    PASSES = "passes"
    HOLDS = "holds"
    WAITS = "waits"
    RELEASES = "releases"
    ALSO_HOLDS = "would also hold"
    NOT_CHECKED = "not checked"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a field of the observation is not what the operator observes.

    `is_partial`: what the field shows is true, but there may be more.
    """

    why: str
    is_partial: bool = False


Gaps = Mapping[str, Gap]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one guard. `read`: the fields of the observation that it depends on."""

    reasons: tuple[Reason, ...]
    decision: Decision | None
    read: frozenset[str]


@dataclass(frozen=True, slots=True)
class Row:
    """A guard in the explanation. `why` says why it was not checked."""

    answer: Answer
    verdict: Verdict
    why: str = ""

    @property
    def decision(self) -> Hold | Wait | Release | None:
        """What the guard decides, or would decide after an earlier hold; None if that is nothing or not known."""
        decision = self.answer.decision
        is_known = self.verdict not in {Verdict.NOT_CHECKED, Verdict.NOT_REACHED}
        return decision if is_known and isinstance(decision, Hold | Wait | Release) else None

    @property
    def decides(self) -> bool:
        """Whether the operator would act on this guard."""
        return self.verdict in {Verdict.HOLDS, Verdict.WAITS, Verdict.RELEASES}


class _Recorded(DeletionObserved):
    """An observation that records in `read` which of its fields are read."""

    __slots__ = ("read",)
    read: set[str]

    def __new__(cls, **_: Any) -> Self:  # noqa: ANN401 - the fields
        recorded = super().__new__(cls)
        object.__setattr__(recorded, "read", set())
        return recorded

    @override
    def __getattribute__(self, name: str) -> Any:
        if name in _FIELDS:
            object.__getattribute__(self, "read").add(name)
        return object.__getattribute__(self, name)


def ask_guards(observed: DeletionObserved, moment: Moment, table: Table = ROWS) -> list[Answer]:
    """The answer of every guard, from the top of the table to its end."""
    known = {name: getattr(observed, name) for name in _FIELDS}
    answers = []
    for reasons, guard in table:
        recorded = _Recorded(**known)
        decision = guard(recorded, moment)
        if decision is not None:
            decision = name_useless_override(recorded, decision)
        answers.append(Answer(reasons, decision, frozenset(recorded.read)))
    return answers


def judge(observed: DeletionObserved, answers: Iterable[Answer], gaps: Gaps, unread: str) -> list[Row]:
    """What each answer means. `unread` says why facts that a guard asks for could not be read.

    After a hold the other guards are still checked: a person who lifts the hold meets them next. After a release or
    while ModelArts deletes they mean nothing.
    """
    rows: list[Row] = []
    known = dict(gaps)
    is_held = is_over = False
    for answer in answers:
        row = _judge(answer, known, unread, is_held=is_held, is_over=is_over)
        is_held = is_held or row.verdict is Verdict.HOLDS
        is_over = is_over or row.verdict in {Verdict.WAITS, Verdict.RELEASES}
        # What this guard did not get, the guards behind it do not have either.
        known = _missing(observed, row) | known
        rows.append(row)
    return rows


def _missing(observed: DeletionObserved, row: Row) -> dict[str, Gap]:
    """The facts that keep this guard from a decision, or that it holds for because they could not be read."""
    names, decision = row.answer.read & EVIDENCE, row.answer.decision
    if isinstance(decision, Look):
        return {name: Gap(row.why) for name in names if row.why and getattr(observed, name) is None}
    if not isinstance(decision, Hold) or decision.reason not in FAILURES:
        return {}
    found = {name: getattr(observed, name) for name in names}
    return {name: Gap(str(each.failure)) for name, each in found.items() if each is not None and each.failure}


def _judge(answer: Answer, gaps: Gaps, unread: str, *, is_held: bool, is_over: bool) -> Row:
    if is_over:
        return Row(answer, Verdict.NOT_REACHED)
    why = _why_not_checked(answer, gaps, unread)
    if why:
        return Row(answer, Verdict.NOT_CHECKED, why)
    match answer.decision:
        case Hold():
            return Row(answer, Verdict.ALSO_HOLDS if is_held else Verdict.HOLDS)
        case Wait():
            return Row(answer, Verdict.NOT_REACHED if is_held else Verdict.WAITS)
        case Release():
            return Row(answer, Verdict.NOT_REACHED if is_held else Verdict.RELEASES)
        case _:
            return Row(answer, Verdict.PASSES)


def _why_not_checked(answer: Answer, gaps: Gaps, unread: str) -> str:
    for name in sorted(answer.read & gaps.keys()):
        if not gaps[name].is_partial or answer.decision is None:
            return gaps[name].why
    if isinstance(answer.decision, Look):
        return f"{', '.join(sorted(answer.decision.facts))}: {unread}"
    return ""


def next_fetch(answers: Sequence[Answer], gaps: Gaps, given_up: Collection[int]) -> tuple[int, frozenset[Fact]] | None:
    """The first open question: the position of the guard, and the facts that it asks for.

    Not behind a release or a wait: there the operator asks for nothing either.
    """
    for position, answer in enumerate(answers):
        if isinstance(answer.decision, Look) and position not in given_up:
            return position, answer.decision.facts
        is_known = all(gaps[name].is_partial for name in answer.read & gaps.keys())
        if isinstance(answer.decision, Wait | Release) and is_known:
            return None
    return None
