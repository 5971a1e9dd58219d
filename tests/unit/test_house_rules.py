"""The rules of the house that no linter knows."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "operator"
MODULES = sorted(SHELF.glob("modelarts_nodepool/**/*.py"))
BESIDE = sorted([*ROOT.glob("lab/**/*.py"), *ROOT.glob("tools/*.py")])
SOURCES = [*MODULES, *BESIDE, *sorted(ROOT.glob("tests/**/*.py"))]
LONGEST_FILE, LONGEST_FUNCTION = 400, 40


def test_the_folder_operator_is_a_shelf_with_one_package_on_it() -> None:
    # With an __init__.py it would shadow the standard library's operator: ImportError at `import collections`.
    assert [child.name for child in SHELF.iterdir() if child.name != "__pycache__"] == ["modelarts_nodepool"]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SHELF)))
def test_no_module_bears_a_name_of_the_standard_library(module: Path) -> None:
    # Folders are found through their package only; a module may be run as a script and then shadows.
    assert module.stem in {"__init__", "__main__"} or module.stem not in sys.stdlib_module_names


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_and_no_function_is_too_long(source: Path) -> None:
    text = source.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    too_long = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert too_long == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in [*MODULES, *BESIDE] if ast.get_docstring(ast.parse(path.read_text())) is None]
    assert silent == []
