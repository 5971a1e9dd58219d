"""Breaking long lines without breaking what they say. Pure; screen.py prints the result."""

import re
import textwrap
from collections.abc import Sequence

CONTINUATION = " \\"
COLUMN_GAP = "   "
_BEFORE_COMMAND = re.compile(r"(?<=: )(?=kubectl )|(?<=; )")


def fold_command(words: Sequence[str], width: int, indent: str) -> list[str]:
    """A command line in lines that a shell reads as one; `words` are quoted already and are never broken."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) + len(CONTINUATION) <= width:
            lines[-1] += f" {word}"
        else:
            lines[-1] += CONTINUATION
            lines.append(f"{indent}{word}")
    return lines


def fold_prose(text: str, width: int) -> list[str]:
    """A sentence in lines; no word is broken."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def split_message(message: str) -> list[str]:
    """A condition's message clause by clause, the commands in it apart; joined again it is what it was."""
    return _BEFORE_COMMAND.split(message)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as kubectl aligns them."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        COLUMN_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
