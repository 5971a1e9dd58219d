"""Table and plot of docs/performance.md are those of the committed results."""

import xml.etree.ElementTree as ET

from lab.bench import page, results, table
from lab.bench.figures import FIGURES
from lab.bench.results import Result

COMMITTED = results.read(results.COMMITTED)


def a_result(objects: int) -> Result:
    figures = {figure.key: float(objects) / 10 for figure in FIGURES}
    pace = {"poll": 60, "active_poll": 2, "latency": 0.02, "deleting": 2.0}
    machine = {"cores": 2, "processor": "a processor", "python": "3.11.7", "loadBefore": 0.1}
    return Result(objects, figures, pace, machine, "2026-01-01")


def test_the_page_shows_the_committed_results() -> None:
    text = page.PAGE.read_text()
    assert COMMITTED, "lab/bench/results holds no results"
    assert page.fill(text, COMMITTED) == text, "make bench RECORD=1 writes the table; it is not edited"
    assert page.PLOT.read_text() == page.draw(COMMITTED)


def test_filling_keeps_what_stands_around_the_figures() -> None:
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    filled = page.fill(text, {100: a_result(100)})
    assert filled.startswith("before\n")
    assert filled.endswith(f"{page.END}\nafter\n")
    assert "old" not in filled
    assert page.fill(filled, {100: a_result(100)}) == filled


def test_the_plot_is_one_panel_a_chart_with_a_point_for_each_size() -> None:
    drawn = ET.fromstring(page.draw({size: a_result(size) for size in (100, 1_000, 10_000)}))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    panels = drawn.findall(f"{space}g")
    assert len(panels) == len(page.CHARTS)
    assert [len(panel.findall(f"{space}circle")) for panel in panels] == [3] * len(page.CHARTS)


def test_a_single_size_can_be_drawn() -> None:
    assert "<circle" in page.draw({100: a_result(100)})


def test_a_run_is_shown_with_its_bars_and_the_committed_figures() -> None:
    now, before = a_result(1_000), a_result(1_000)
    shown = table.of_run(now, before)
    assert "NOT WITHIN THE BUDGET" in shown
    assert "beyond the bar" in shown
    assert "≤ 300" not in shown, "that is the bar of 10,000 objects"
