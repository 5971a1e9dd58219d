"""What a person reads: one line every few seconds, and each violation with the timeline of its object."""

import time
from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lab.harness.simulator import DELETE_NODE_POOL
from lab.storm.evidence import Evidence, Violation
from lab.storm.world import Plan, Verb

MOST_LINES = 60
MOST_TOLD = 12


class Reporter:
    """Prints to one console, on a terminal in colours."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def say(self, words: str, style: str = "") -> None:
        """One line, with the seconds since the beginning."""
        stamp = f"{time.monotonic() - self._began:5.0f} s  "
        self._console.print(Text.assemble((stamp, "dim"), (words, style)), soft_wrap=True, highlight=False)

    def plain(self, words: str, style: str = "") -> None:
        """A line without the time."""
        self._console.print(Text(words, style), soft_wrap=True, highlight=False)

    def violations(self, violations: Sequence[Violation], evidence: Evidence) -> None:
        """Each object's violations and what happened to it."""
        by_title: defaultdict[str, list[Violation]] = defaultdict(list)
        for violation in violations:
            by_title[violation.title].append(violation)
        for number, (title, found) in enumerate(by_title.items()):
            self.plain("")
            for violation in found:
                self.plain(f"✗ {title}: {violation.rule}: {violation.words}", "bold red")
            if number < MOST_TOLD:
                for line in timeline(title, evidence)[-MOST_LINES:]:
                    self.plain(f"    {line}", "dim")


def plan_words(plan: Plan) -> str:
    """What a seed means, in one line."""
    cases = [planned.case for planned in plan.objects]
    counts = ", ".join(f"{cases.count(case)} {case}" for case in dict.fromkeys(cases))
    verbs = [happening.verb for happening in plan.happenings]
    happenings = ", ".join(
        f"{verbs.count(verb)} of {verb}"
        for verb in (Verb.FAULT, Verb.RESTART_API, Verb.KILL, Verb.TERMINATE, Verb.FREEZE, Verb.ROTATE)
        if verb in verbs
    )
    return f"{counts}; {happenings}; {plan.operators} operator(s)"


def timeline(title: str, evidence: Evidence) -> list[str]:
    """Everything on record about one object, in order of time."""
    planned = next((one for one in evidence.plan.objects if one.title == title), None)
    lines = [(entry.time, f"storm: {entry.text}") for entry in evidence.journal.about(title)]
    if planned is not None:
        lines += [(write.received, write.words) for write in evidence.writes if write.title == title]
        lines += [(call.time, f"[{call.number}] {call.words}") for call in evidence.deletes(planned)]
    for part in (
        "kube-apiserver",
        *(f"operator-{number}" for number in (1, 2)),
        planned.account.name if planned else "",
    ):
        lines += [(entry.time, f"{part}: {entry.text}") for entry in evidence.journal.about(part)]
    began = evidence.journal.began
    return [f"{moment - began:8.2f} s  {words}" for moment, words in sorted(lines)]


def figures(evidence: Evidence) -> str:
    """The storm in numbers."""
    deletes = [call for call in evidence.calls if call.operation == DELETE_NODE_POOL]
    accepted = sum(call.effect == "accepted" for call in deletes)
    gone = sum(planned.title not in evidence.last.objects for planned in evidence.plan.objects)
    return f"{gone} objects gone, {len(deletes)} DELETEs of which {accepted} took effect, {len(evidence.writes)} writes"
