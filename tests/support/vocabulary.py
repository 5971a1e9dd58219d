"""Words that no text of the project uses, and what to write instead: house vocabulary and twisted English.

tests/unit/test_vocabulary.py holds docs and shipped texts to it. A pattern is a regular expression for whole words, in
any case.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

INSTEAD = {
    r"as if|lest|amiss|meanwhile": "a plain sentence",
    r"whoever|nobody|somebody": "the user, no one, a person, or the active subject",
    r"of it": "the noun",
    r"told|tells?": "report, say, distinguish",
    r"(?<!thundering )herds?": "thundering herd",
    r"homeless": "object in a force-finalised namespace",
    r"stands? in line": "queue",
    r"ledgers?": "audit entry",
    r"misfits?": "unreadable object",
    r"mirrored|mirrors (?:its|their|the)": "status, written",
    r"sweeps?|sweeping": "resync",
    r"(?<!container )engines?": "controllers",
    r"the looks?|a look|looks of|each look": "poll, fetch",
    r"twins?": "duplicate",
}
_ANY = re.compile("|".join(rf"(\b(?:{pattern})\b)" for pattern in INSTEAD), re.IGNORECASE)
# What commands print and what is generated takes its words from the code.
_PRINTED = re.compile(r"^```console$.*?^```$|^<!-- figures.*?^<!-- end of figures", re.MULTILINE | re.DOTALL)


def offenders(paths: Iterable[Path], root: Path) -> list[str]:
    """`file:line: word → what to write`, for every use of such a word."""
    return [f"{path.relative_to(root)}:{found}" for path in paths for found in _found(path.read_text())]


def _found(text: str) -> Iterator[str]:
    own = _PRINTED.sub(lambda printed: "\n" * printed.group().count("\n"), text)
    remedies = list(INSTEAD.values())
    for number, line in enumerate(own.splitlines(), 1):
        for found in _ANY.finditer(line):
            yield f"{number}: {found.group()} → {remedies[(found.lastindex or 1) - 1]}"
