"""Results as text: for the terminal with the last committed ones beside them, and for docs/performance.md."""

from collections.abc import Mapping, Sequence

from lab.bench.figures import FIGURES, GROWTH_BAR, TEN_THOUSAND, THOUSAND, Figure, growth
from lab.bench.results import Result
from lab.bench.scale import Scale

GROWTH_TITLES = {
    "create_cpu_seconds": "CPU until all are mirrored",
    "mirrored_seconds": "time until all are mirrored",
    "gone_seconds": "time until all are gone",
    "memory_above_base_mib": "memory above the base",
}
_HUNDRED = 100


def number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return "-"
    if value == 0 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= _HUNDRED else f"{value:.3g}"


def of_run(result: Result, before: Result | None) -> str:
    """One run for the terminal: figure, value, bar, what the committed results say."""
    rows = [("", "measured", "bar", "last committed", "")]
    for figure in FIGURES:
        value, bar = result.figures[figure.key], figure.bar(result.scale)
        was = before.figures.get(figure.key) if before else None
        rows.append(
            (
                _title(figure),
                number(value),
                "" if bar is None else f"≤ {number(bar)}",
                number(was),
                _mark(figure, value, bar),
            )
        )
    return f"{result.objects:,} objects, {result.scale.resource_pools} resource pools\n" + _aligned(rows)


def _mark(figure: Figure, value: float, bar: float | None) -> str:
    if bar is None or value <= bar:
        return ""
    return "NOT WITHIN THE BUDGET" if figure.is_asserted else "beyond the bar"


def of_growth(results: Mapping[int, Result]) -> str:
    """What ten times the objects cost; empty where one of the two sizes is missing."""
    if THOUSAND not in results or TEN_THOUSAND not in results:
        return ""
    factors = growth(results[THOUSAND].figures, results[TEN_THOUSAND].figures)
    rows = [("1,000 → 10,000 objects", "factor", "bar", "", "")]
    rows += [
        (
            GROWTH_TITLES[key],
            number(value),
            f"≤ {number(GROWTH_BAR)}",
            "",
            "" if value <= GROWTH_BAR else "beyond the bar",
        )
        for key, value in factors.items()
    ]
    return _aligned(rows)


def as_markdown(results: Mapping[int, Result]) -> str:
    """All sizes side by side, each with its bar."""
    sizes = list(results)
    lines = [
        "| figure | " + " | ".join(f"{size:,}" for size in sizes) + " | bar 1,000 / 10,000 |",
        "|---|" + "---:|" * (len(sizes) + 1),
    ]
    for figure in FIGURES:
        values = [number(results[size].figures.get(figure.key)) for size in sizes]
        lines.append(f"| {_title(figure)} | {' | '.join(values)} | {_bars(figure)} |")
    if THOUSAND in results and TEN_THOUSAND in results:
        factors = growth(results[THOUSAND].figures, results[TEN_THOUSAND].figures)
        empty = "| " * (len(sizes) - 1)
        for key, value in factors.items():
            lines.append(
                f"| ten times the objects: {GROWTH_TITLES[key]} {empty}| {number(value)} times | ≤ {GROWTH_BAR:g} |"
            )
    return "\n".join(lines)


def _bars(figure: Figure) -> str:
    bars = [figure.bar(Scale(size)) for size in (THOUSAND, TEN_THOUSAND)]
    known = [number(bar) for bar in bars if bar is not None]
    if not known:
        return ""
    return f"≤ {known[0]}" if len(set(known)) == 1 else f"≤ {' / '.join(known)}"


def _title(figure: Figure) -> str:
    return f"{figure.title}, {figure.unit}" if figure.unit else figure.title


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *others = (
            cell.ljust(width) if column in {0, len(widths) - 1} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)
