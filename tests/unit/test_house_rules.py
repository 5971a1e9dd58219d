"""The rules of the house that no linter knows. Each test lists all offenders."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "operator"
MODULES = sorted(SHELF.glob("modelarts_nodepool/**/*.py"))
BESIDE = sorted([*ROOT.glob("lab/**/*.py"), *ROOT.glob("tools/*.py")])
SOURCES = [*MODULES, *BESIDE, *sorted(ROOT.glob("tests/**/*.py"))]
LONGEST_FUNCTION = 40
# fetch or observe, report, record, add, acquire, release, watch: the field's words.
PRIVATE_VERBS = {"enter", "hear", "leave", "look", "note", "take", "tell"}


def test_the_folder_operator_is_a_shelf_with_one_package_on_it() -> None:
    # With an __init__.py it would shadow the standard library's operator: ImportError at `import collections`.
    assert [child.name for child in SHELF.iterdir() if child.name != "__pycache__"] == ["modelarts_nodepool"]


def test_no_module_bears_a_name_of_the_standard_library() -> None:
    # Folders are found through their package only; a module may be run as a script and then shadows.
    shadowing = sys.stdlib_module_names - {"__init__", "__main__"}
    assert [str(module) for module in MODULES if module.stem in shadowing] == []


def functions_in(block: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """At any depth; only statements are looked at, since no expression holds one."""
    for child in ast.iter_child_nodes(block):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from functions_in(child)


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


@cache
def read(source: Path) -> tuple[str | None, list[tuple[str, int]]]:
    """The docstring of a file, and its functions with their lines; a tree of all files would fill the memory."""
    tree = ast.parse(source.read_text())
    return ast.get_docstring(tree), [(f"{node.lineno} {node.name}", lines_of(node)) for node in functions_in(tree)]


def test_a_function_fits_a_screen() -> None:
    assert SOURCES
    too_long = {
        f"{source.relative_to(ROOT)}:{name}": lines
        for source in SOURCES
        for name, lines in read(source)[1]
        if lines > LONGEST_FUNCTION
    }
    assert too_long == {}


def test_no_function_is_named_with_a_private_verb() -> None:
    found = [
        f"{source.relative_to(ROOT)}:{name}"
        for source in MODULES
        for name, _ in read(source)[1]
        if not name.endswith("__") and name.split()[1].lstrip("_").split("_")[0] in PRIVATE_VERBS
    ]
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in [*MODULES, *BESIDE] if read(path)[0] is None]
    assert silent == []
