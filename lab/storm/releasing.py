"""Judges the finalizer: no object may go while its node pool lives. Pure, and by two records that are not ours.

The API server's audit log says when the finalizer left, the cloud's log when the node pool can have gone at the
earliest. Node pools that stay by Retain or hand-over are judged by ending.py.
"""

from collections.abc import Iterator

from lab.storm.cases import EXPECTED, Case, Ending
from lab.storm.evidence import Evidence, Violation
from lab.storm.ground import ObjectPlan

RULE = "no object gone while its node pool lives"
ENDINGS = frozenset({Ending.GONE, Ending.GONE_OR_HELD, Ending.LET_GO})


def judge_releasing(evidence: Evidence) -> list[Violation]:
    """Every object that went too early, or without its entry in the account's recentDeletions."""
    return [*_too_early(evidence), *_not_entered(evidence)]


def _too_early(evidence: Evidence) -> Iterator[Violation]:
    for planned in _gone(evidence):
        released = evidence.released_at(planned)
        if released is None or _is_handed_over(evidence, planned, released):
            continue
        earliest = earliest_gone(evidence, planned)
        if planned.place in evidence.last.cloud:
            yield Violation(RULE, planned.title, f"node pool {'/'.join(planned.place)} is still there")
        elif earliest is None:
            yield Violation(RULE, planned.title, "the finalizer left and no DELETE ever took effect")
        elif released < earliest:
            words = f"the finalizer left {earliest - released:.2f} s before the node pool can have gone"
            yield Violation(RULE, planned.title, words)


def _gone(evidence: Evidence) -> Iterator[ObjectPlan]:
    for planned in evidence.plan.objects:
        is_gone = planned.title not in evidence.last.objects or EXPECTED[planned.case].ending is Ending.LET_GO
        if is_gone and EXPECTED[planned.case].ending in ENDINGS:
            yield planned


def _is_handed_over(evidence: Evidence, planned: ObjectPlan, released: float) -> bool:
    """Of twins that are both deleted one goes without waiting: the other one deletes the node pool."""
    if planned.case is not Case.TWIN:
        return False
    others = [
        evidence.released_at(other)
        for other in evidence.plan.objects
        if other.place == planned.place and other.title != planned.title
    ]
    return any(other is None or other > released for other in others)


def earliest_gone(evidence: Evidence, planned: ObjectPlan) -> float | None:
    """Before this moment the node pool was certainly there; None where nothing ever took it away."""
    timings = evidence.plan.timings
    takes = timings["acceptDelaySeconds"] + timings["deleteSeconds"]
    times = [call.time + takes for call in evidence.accepted(planned)]
    if planned.title in evidence.journal.vanished:
        times.append(evidence.journal.vanished[planned.title])
    return min(times, default=None)


def _not_entered(evidence: Evidence) -> Iterator[Violation]:
    for planned in _gone(evidence):
        if not evidence.accepted(planned) or planned.title in evidence.last.objects:
            continue
        account = evidence.last.accounts.get(planned.account.name, {})
        entries = account.get("status", {}).get("recentDeletions", [])
        if evidence.journal.uids[planned.title] not in {entry["uid"] for entry in entries if entry.get("finishedTime")}:
            words = f"it is not in status.recentDeletions of account {planned.account.name}"
            yield Violation("every release is on record", planned.title, words)
