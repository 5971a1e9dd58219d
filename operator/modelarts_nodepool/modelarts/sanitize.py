"""Makes text from the cloud fit for conditions, Events and logs. Used wherever a message quotes a response."""

import reprlib
import unicodedata
from collections.abc import Collection

from modelarts_nodepool.logs import masked

# Cc control, Cf format (bidirectional overrides, zero width), Cs lone surrogates (not valid UTF-8), Co private use,
# Cn unassigned, Zl and Zp line and paragraph separators.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that are invisible: fillers, joiners, the empty Braille cell.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_HIDDEN = "[hidden]"
_MIN_SECRET = 4
# Only the beginning is read, so that a huge body costs little.
_MAX_READ = 20_000
# A value of an unexpected kind is shown by its beginning, however large or deep it is.
_SHORT_REPR = reprlib.Repr()
_SHORT_REPR.maxlevel, _SHORT_REPR.maxstring, _SHORT_REPR.maxlong, _SHORT_REPR.maxother = 3, 100, 60, 100


def sanitize(text: str, limit: int = 500, hidden: Collection[str] = ()) -> str:
    """One line without control or direction characters and without `hidden` values, at most `limit` characters long."""
    if not hidden and len(text) <= limit and text.isascii() and text.isprintable() and " " not in text:
        # One plain word, as nearly all of the very many names and flavors are.
        return text
    line = "".join(
        " " if character.isspace() else character
        for character in text[:_MAX_READ]
        if character.isspace() or (character not in _BLANK and unicodedata.category(character) not in _UNWANTED)
    )
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= _MIN_SECRET:
            line = line.replace(secret, _HIDDEN)
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def quote_value(value: object, limit: int = 80) -> str:
    """Any value of a response as Python writes it: ASCII, shortened, without secrets, however deep or large it is."""
    return sanitize(masked(_SHORT_REPR.repr(value)).encode("ascii", "backslashreplace").decode(), limit)
