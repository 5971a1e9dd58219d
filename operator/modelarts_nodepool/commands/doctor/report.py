"""The findings as a table for people or as JSON for machines. Pure."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

import click

from modelarts_nodepool.commands.doctor.check import Finding, Line, Result

_COLOURS = {Result.OK: "green", Result.WARNING: "yellow", Result.FAILED: "red", Result.NOT_CHECKED: "yellow"}
_HEADING = ("CHECK", "RESULT", "FOUND")
_GAP = 3
_NARROWEST = 40


def to_text(lines: Sequence[Line], width: int | None, note: str) -> str:
    """A row for each check, with its remedy below. Messages wrap at `width`; commands do not, so they can be pasted."""
    first = max(len(_HEADING[0]), *(len(line.title) for line in lines)) + _GAP
    second = max(len(_HEADING[1]), *(len(line.finding.result) for line in lines)) + _GAP
    rows = [f"{_HEADING[0]:<{first}}{_HEADING[1]:<{second}}{_HEADING[2]}"]
    for line in lines:
        result = line.finding.result
        head = f"{line.title:<{first}}{click.style(result, fg=_COLOURS[result])}{' ' * (second - len(result))}"
        for part in _found(line.finding, None if width is None else max(width - first - second, _NARROWEST)):
            rows.append(f"{head}{part}")
            head = " " * (first + second)
    return "\n".join([*rows, "", _summary(lines), *([note] if note else [])])


def to_json(lines: Sequence[Line], about: dict[str, str]) -> str:
    """One object: `about`, the checks in order, and the number of each result."""
    checks = [
        {
            "account": line.about or None,
            "check": line.check,
            "result": line.finding.result,
            "message": line.finding.words,
            "remedy": line.finding.remedy or None,
            "seconds": round(line.took.total_seconds(), 3),
        }
        for line in lines
    ]
    return json.dumps({**about, "checks": checks, "results": _count(lines)}, indent=2, ensure_ascii=False)


def has_failed(lines: Sequence[Line]) -> bool:
    """Whether a check failed."""
    return any(line.finding.result is Result.FAILED for line in lines)


def _found(finding: Finding, width: int | None) -> Iterator[str]:
    yield from textwrap.wrap(finding.words, width, break_long_words=False) if width else [finding.words]
    if finding.remedy:
        yield f"→ {finding.remedy}"


def _summary(lines: Sequence[Line]) -> str:
    counts = [f"{count} {result}" for result, count in _count(lines).items() if count]
    return f"{len(lines)} checks: {', '.join(counts)}."


def _count(lines: Sequence[Line]) -> dict[str, int]:
    counts = Counter(line.finding.result for line in lines)
    return {result: counts[result] for result in Result}
