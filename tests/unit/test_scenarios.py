"""The page of failure scenarios names tests that exist, and leaves no scenario out."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations/scenarios.md").read_text()
FOLDERS = {
    "I": "tests/integration/operator",
    "A": "tests/integration/admission",
    "U": "tests/unit",
    "C": "tests/contract/client",
    "T": "tests",
}
ROWS = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", PAGE, re.MULTILINE)
CASES = re.findall(r"^\| ([A-Z]\d+) \|.*\| (.*) \|$", PAGE, re.MULTILINE)
NAMED = sorted({named for _, cell in ROWS + CASES for named in re.findall(r"`([^`]+\.py::[^`]+)`", cell)})
ALL = set(range(1, 51))


def test_every_scenario_has_one_row_and_a_test() -> None:
    numbers = [int(number) for number, _ in ROWS]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) == ALL
    assert numbers == sorted(numbers)
    assert all("::test_" in cell for _, cell in ROWS)


def test_every_case_from_the_field_has_one_row_and_a_test() -> None:
    cases = [case for case, _ in CASES]
    assert len(cases) == len(set(cases))
    assert all("::test_" in cell for _, cell in CASES)


@cache
def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text()) if path.exists() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_the_page_names_exists() -> None:
    assert NAMED
    missing = []
    for named in NAMED:
        path, _, name = named.partition("::")
        folder, _, rest = path.partition("/")
        if name not in functions_in(ROOT / FOLDERS[folder] / rest):
            missing.append(named)
    assert missing == []
