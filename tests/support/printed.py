"""The commands that the package, generated files, policies, alerts, notes and samples show to people.

Those of decide/remedies.py are left out.

tests/unit/test_printed_commands.py holds that each has a row in tests/data/printed_commands.yaml,
tests/integration/test_printed_commands.py runs the rows.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.crds import REPOSITORY

PACKAGE = REPOSITORY / "operator" / "modelarts_nodepool"
ROWS = REPOSITORY / "tests" / "data" / "printed_commands.yaml"
_HELP = {"cli.py", "command.py"}
_OPTIONS = r"(?:--?[\w-]+[ =]\S+ )*"
_KUBECTL = (
    "annotate|api-resources|apply|auth|cluster-info|config|create|delete|describe|edit|exec|explain|get|label|logs|patch|"
    "replace|rollout|wait"
)
_HELM = "get|history|install|list|rollback|status|template|uninstall|upgrade"
# A command ends with its line, its clause, or the quote around it. What is no verb of the tool is prose about it.
_COMMAND = re.compile(
    rf"\b(?:kubectl {_OPTIONS}(?:{_KUBECTL})|helm {_OPTIONS}(?:{_HELM}))\b(?:(?!kubectl |helm )[^;`\n])*"
)
_END = re.compile(r"(?:,? then\b|: |, or\b| and\b|\. |\.$| says? | shows | has the | \(| \|$|\s*$).*", re.DOTALL)
_DEPLOYED = ("admission/**/*.yaml", "monitoring/rules.yaml", "samples/*.yaml", "helm/*/templates/NOTES.txt")


@cache
def find_printed() -> dict[str, str]:
    """Each command, with the file that shows it."""
    return {command: where for where, text in _texts() for command in commands_in(text)}


def commands_in(text: str) -> list[str]:
    """The commands in what a person reads, without the words around them."""
    joined = re.sub(r"\{\{.*?\}\}", "{{…}}", re.sub(r"\\\n#?", " ", text))
    return [" ".join(_END.sub("", found).split()) for found in _COMMAND.findall(joined)]


def rows() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load(ROWS.read_text())
    return loaded


def _texts() -> Iterator[tuple[str, str]]:
    for path in sorted([*PACKAGE.rglob("*.py"), *REPOSITORY.glob("tools/*.py")]):
        if path != PACKAGE / "decide" / "remedies.py":
            yield from ((_where(path), text) for text in _strings(path))
    for pattern in _DEPLOYED:
        yield from ((_where(path), path.read_text()) for path in sorted((REPOSITORY / "deploy").glob(pattern)))


def _where(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def _strings(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    docstrings = set() if path.name in _HELP else set(_docstrings(tree))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in docstrings or id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
                for part in node.values
                if isinstance(part, ast.Constant | ast.FormattedValue)
            )


def _docstrings(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr):
                yield id(first.value)
