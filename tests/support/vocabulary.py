"""Words that no text and no code of the project uses, and what to write instead: house vocabulary, twisted English.

tests/unit/test_vocabulary.py holds code, docs and shipped texts to it. A pattern is a regular expression for whole
words, in any case. In code `_` separates words: unreadable_twin is a twin.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

INSTEAD = {
    r"as if|lest|amiss|meanwhile": "a plain sentence",
    r"whoever|nobody|somebody": "the user, no one, a person, or the active subject",
    r"of it": "the noun",
    r"told|tells?": "report, say, distinguish",
    r"(?<!thundering )herds?": "thundering herd",
    r"homeless": "object in a force-finalised namespace",
    r"stands? in line": "queue",
    r"stands? for (?:the|this|one|a) (?:same )?node pool": "duplicate",
    r"ledgers?": "audit entry",
    r"misfits?": "unreadable object",
    r"mirrored|mirrors (?:its|their|the)": "status, written",
    # But the option --sweep-interval and the metric sweep_repairs_total keep their names.
    r"sweeps?(?![_-](?:interval|repairs))|sweeping": "resync",
    r"(?<!container )engines?": "controllers",
    r"the looks?|a look|looks of|each look": "poll, fetch",
    r"twins?": "duplicate",
    r"knock(?:s|ing)?": "probe",
    r"(?:let|lets|letting) (?:it|the object|an object) go": "remove the finalizer",
    r"tried again by itself|goes on by itself": "what the operator does, and when",
}
# Docs may count the rows of a table, and point out one of several.
ONLY_IN_CODE = {r"one that": "the noun", r"rows? [0-9]+[ab]?": "the reason of the row"}
# What commands print and what is generated takes its words from the code.
_PRINTED = re.compile(r"^```console$.*?^```$|^<!-- figures.*?^<!-- end of figures", re.MULTILINE | re.DOTALL)


def offenders(paths: Iterable[Path], root: Path) -> list[str]:
    """`file:line: word → what to write`, for every use of such a word."""
    return [f"{path.relative_to(root)}:{found}" for path in paths for found in _found(path)]


def _found(path: Path) -> Iterator[str]:
    is_code = path.suffix == ".py"
    words, text = (INSTEAD | ONLY_IN_CODE if is_code else INSTEAD), path.read_text()
    own = text if is_code else _PRINTED.sub(lambda printed: "\n" * printed.group().count("\n"), text)
    pattern, remedies = _pattern(words, r"(?<![A-Za-z])" if is_code else r"\b"), list(words.values())
    for number, line in enumerate(own.splitlines(), 1):
        for found in pattern.finditer(line):
            yield f"{number}: {found.group()} → {remedies[(found.lastindex or 1) - 1]}"


def _pattern(words: Mapping[str, str], boundary: str) -> re.Pattern[str]:
    end = boundary.replace("<", "")
    return re.compile("|".join(rf"({boundary}(?:{pattern}){end})" for pattern in words), re.IGNORECASE)
