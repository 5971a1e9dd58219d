"""The generated part of docs/performance.md: table and plot of the committed results."""

from collections.abc import Mapping
from pathlib import Path

from lab.bench.plot import draw
from lab.bench.results import Result
from lab.bench.table import as_markdown
from lab.harness.ground import CHECKOUT

PAGE = CHECKOUT / "docs" / "performance.md"
PLOT = CHECKOUT / "docs" / "performance.svg"
BEGIN, END = "<!-- figures: written by make bench RECORD=1 -->", "<!-- end of figures -->"


def write_page(results: Mapping[int, Result], page: Path = PAGE, plot: Path = PLOT) -> None:
    """Both files, from these results."""
    page.write_text(fill(page.read_text(encoding="utf-8"), results), encoding="utf-8")
    plot.write_text(draw(results), encoding="utf-8")


def fill(text: str, results: Mapping[int, Result]) -> str:
    """The page with the figures between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{as_markdown(results)}\n\n{machines(results)}\n{END}{after}"


def machines(results: Mapping[int, Result]) -> str:
    """What each size was measured on."""
    words = []
    for size, result in results.items():
        facts, pace = result.machine, result.pace
        words.append(
            f"{size:,} objects: {result.measured}, {facts['cores']} cores ({facts['processor']}), "
            f"Python {facts['python']}, load {facts['loadBefore']} before the run; "
            f"polls every {pace['poll']} s, {pace['active_poll']} s where nodes come or go; "
            f"the cloud {pace['latency'] * 1000:g} ms away, node pools gone {pace['deleting']:g} s after the DELETE.  "
        )
    return "\n".join(words)
