"""The generated part of docs/performance.md: table and plot of the committed results. Pure but for `write_page`.

The plot is four small charts of all sizes as one SVG; no library is worth this.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bench.figures import BY_KEY
from lab.bench.results import Result
from lab.bench.scale import Scale
from lab.bench.table import as_markdown
from lab.harness.workspace import CHECKOUT

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


WIDTH, HEIGHT, MARGIN, GAP = 380, 220, 52, 16
COLUMNS = 2
INK, LINE, BAR = "#444", "#1f6feb", "#d1242f"
_STYLE = "text{font:12px sans-serif;fill:#444} .title{font-weight:bold}"


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure over the number of objects, both axes logarithmic, with the bars as crosses."""

    key: str
    title: str


CHARTS = (
    Chart("mirrored_seconds", "until all are mirrored, s"),
    Chart("gone_seconds", "delete all → all gone, s"),
    Chart("delete_call_p99_ms", "kubectl delete → DELETE, p99, ms"),
    Chart("memory_peak_mib", "memory, peak, MiB"),
)


def draw(results: Mapping[int, Result]) -> str:
    """The whole picture."""
    rows = math.ceil(len(CHARTS) / COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP), rows * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>Figures by number of objects</title><style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for position, chart in enumerate(CHARTS):
        x, y = position % COLUMNS * (WIDTH + GAP), position // COLUMNS * (HEIGHT + GAP)
        parts.append(f'<g transform="translate({x},{y})">{"".join(_panel(chart, results))}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(chart: Chart, results: Mapping[int, Result]) -> list[str]:
    points = [(size, result.figures[chart.key]) for size, result in results.items()]
    bars = [(size, bar) for size in results if (bar := BY_KEY[chart.key].bar(Scale(size))) is not None]
    xs = [math.log10(size) for size in results]
    ys = [math.log10(max(value, 0.1)) for _, value in (*points, *bars)]
    left, right = math.floor(min(xs)), max(math.ceil(max(xs)), math.floor(min(xs)) + 1)
    low, high = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 1)

    def at(size: float, value: float) -> tuple[float, float]:
        across = (math.log10(size) - left) / (right - left)
        up = (math.log10(max(value, 0.1)) - low) / (high - low)
        return MARGIN + across * (WIDTH - MARGIN - GAP), HEIGHT - MARGIN / 2 - up * (HEIGHT - MARGIN - GAP)

    where = [at(*point) for point in points]
    drawn = [
        f'<text class="title" x="{MARGIN}" y="16">{chart.title}</text>',
        *_grid(range(left, right + 1), range(low, high + 1), at),
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
    drawn.append(f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="2"/>')
    for (x, y), (_, value) in zip(where, points, strict=True):
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{LINE}"/>')
        drawn.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{value:.3g}</text>')
    drawn += [_cross(*at(*bar)) for bar in bars]
    return drawn


def _grid(
    decades: Sequence[int], levels: Sequence[int], at: Callable[[float, float], tuple[float, float]]
) -> list[str]:
    drawn = []
    for decade in decades:
        x, y = at(10.0**decade, 10.0 ** levels[0])
        drawn.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{10**decade:,}</text>')
    for level in levels:
        x, y = at(10.0 ** decades[0], 10.0**level)
        end, _ = at(10.0 ** decades[-1], 10.0**level)
        drawn.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        drawn.append(f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{10.0**level:,g}</text>')
    return drawn


def _cross(x: float, y: float) -> str:
    return f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0-8l-8 8" stroke="{BAR}" stroke-width="2"/>'
