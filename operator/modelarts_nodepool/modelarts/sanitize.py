"""Text from the cloud made fit for conditions, events and logs. Used by everything that quotes an answer."""

import reprlib
import unicodedata
from collections.abc import Collection

from modelarts_nodepool.logs import masked

# Cc control, Cf format (with bidirectional overrides and what has no width), Cs lone surrogates (not valid UTF-8),
# Co private use, Cn unassigned, Zl and Zp line and paragraph separators.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that show as nothing: fillers, joiners, the empty Braille cell.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_HIDDEN = "[hidden]"
_SHORTEST_SECRET = 4
# A text is looked at up to here, so that a huge body costs little.
_READ_AT_MOST = 20_000
# Of a value that is not what was expected only the beginning is shown, however large or deep it is.
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxlong, _BRIEF.maxother = 3, 100, 60, 100


def plain_words(text: str, limit: int = 500, hidden: Collection[str] = ()) -> str:
    """One line without control or direction characters, at most `limit` long, with secrets blotted out."""
    if not hidden and len(text) <= limit and text.isascii() and text.isprintable() and " " not in text:
        # One plain word, as nearly all names and flavors are: nothing to do, and there are very many of them.
        return text
    line = "".join(
        " " if character.isspace() else character
        for character in text[:_READ_AT_MOST]
        if character.isspace() or (character not in _BLANK and unicodedata.category(character) not in _UNWANTED)
    )
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            line = line.replace(secret, _HIDDEN)
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def brief(value: object, limit: int = 80) -> str:
    """Any value out of an answer as Python writes it: ASCII, cut short, without secrets, however deep or huge."""
    return plain_words(masked(_BRIEF.repr(value)).encode("ascii", "backslashreplace").decode(), limit)
