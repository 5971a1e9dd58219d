"""The page of failure scenarios names tests that exist, and leaves no scenario of a deletion out."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations/scenarios.md").read_text()
FOLDERS = {"I": "tests/integration/operator", "A": "tests/integration/admission", "U": "tests/unit", "T": "tests"}
ROWS = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", PAGE, re.MULTILINE)
NAMED = sorted({named for _, cell in ROWS for named in re.findall(r"`([^`]+)`", cell)})
OF_A_DELETION = {*range(1, 26), *range(36, 51)}


def test_every_scenario_of_a_deletion_has_one_row_and_a_test() -> None:
    numbers = [int(number) for number, _ in ROWS]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) >= OF_A_DELETION
    assert numbers == sorted(numbers)
    assert all("::test_" in cell for _, cell in ROWS)


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_the_page_names_exists(named: str) -> None:
    path, _, name = named.partition("::")
    folder, _, rest = path.partition("/")
    tree = ast.parse((ROOT / FOLDERS[folder] / rest).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
