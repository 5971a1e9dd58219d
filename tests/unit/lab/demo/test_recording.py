import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.text import Text

from lab.demo.recording import CELL_WIDTH, make_recording_console, to_svg, write_svg

SVG = "{http://www.w3.org/2000/svg}"
XML = "http://www.w3.org/2000/svg"


def recorded(*lines: str) -> str:
    console = make_recording_console()
    for line in lines:
        console.print(Text(line))
    return to_svg(console)


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own text


def test_it_stands_alone() -> None:
    svg = recorded("text")
    assert set(re.findall(r"https?://[^\s\"<)]+", svg)) == {XML}
    assert "@font-face" not in svg
    assert "<script" not in svg
    assert all(target.startswith("url(#demo-") for target in re.findall(r"url\([^)]*\)", svg))


def test_it_is_well_formed_and_holds_the_text() -> None:
    root = parsed(recorded('$ kubectl get -o "<json>" & more'))
    texts = "".join(node.text or "" for node in root.iter(f"{SVG}text")).replace("\xa0", " ")
    assert '$ kubectl get -o "<json>" & more' in texts


def test_indentation_is_a_position_and_not_a_space() -> None:
    root = parsed(recorded("    four"))
    node = next(node for node in root.iter(f"{SVG}text") if node.text == "four")
    assert float(node.attrib["x"]) == 4 * CELL_WIDTH
    assert float(node.attrib["textLength"]) == pytest.approx(4 * CELL_WIDTH)


def test_line_ends_are_no_text_of_their_own() -> None:
    root = parsed(recorded("one", "two"))
    assert all((node.text or "").strip() for node in root.iter(f"{SVG}text"))


def test_colours_do_not_depend_on_where_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def svg() -> str:
        console = make_recording_console()
        console.print(Text("green", "green"))
        return to_svg(console)

    usual = svg()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "20")
    assert svg() == usual


def test_the_file_is_replaced_and_nothing_else_is_written(tmp_path: Path) -> None:
    file = tmp_path / "demo.svg"
    file.write_text("old")
    console = make_recording_console()
    console.print("new")
    write_svg(console, file)
    assert "new" in file.read_text()
    assert list(tmp_path.iterdir()) == [file]
