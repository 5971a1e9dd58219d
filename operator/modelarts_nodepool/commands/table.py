"""Tables as kubectl prints them: a heading in capitals, columns padded, three spaces between. Pure."""

from collections.abc import Sequence

_GAP = "   "


def to_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; the last column is not padded. An empty cell shows as a hyphen."""
    table = [list(heading), *([cell or "-" for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    return [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
