"""Prints the sentences that users read, in one list: `python -m tools.sentences [WORD]`.

Status messages of the situations in tests/unit/decide/, all other texts in the operator's code (findings of doctor,
Events, errors, log lines), `--help` of each command, and the descriptions of the CRDs. With WORD, only the lines with
that word. Read the list after a change of a message.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from modelarts_nodepool.api.crd import build_account_crd, build_node_pool_crd
from modelarts_nodepool.cli import cli
from modelarts_nodepool.decide.deletion.table import decide_deletion
from tests.unit.decide.situations import NOW
from tests.unit.decide.test_messages import HELD, LIVING

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "operator" / "modelarts_nodepool"
# A text of fewer words is a name, a path or a unit.
LEAST_WORDS = 3


def status_messages() -> Iterator[str]:
    """The messages of deletions, then of objects that are not being deleted, with their reasons."""
    for name, observed in HELD.items():
        decision = decide_deletion(observed, NOW)
        message = getattr(decision, "message", "")
        if message:
            yield f"{getattr(decision, 'reason', '')} ({name}): {message}"
    for name, reason, message in LIVING:
        yield f"{reason} ({name}): {message}"


def texts_of(source: str) -> Iterator[str]:
    """All texts in a module's code; `…` stands for a value. Docstrings are not texts."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        text = _text(node) if id(node) not in skipped else ""
        if len(re.findall(r"[A-Za-z]{2,}", text)) >= LEAST_WORDS and " " in text:
            yield " ".join(text.split())


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def helps(command: click.Command, path: str) -> Iterator[str]:
    """`--help` of a command and of its subcommands."""
    context = click.Context(command, info_name=path)
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from helps(inner, f"{path} {name}")


def descriptions(schema: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """All descriptions in a CRD, with the path of the field."""
    if isinstance(schema, list):
        for item in schema:
            yield from descriptions(item, path)
    if not isinstance(schema, Mapping):
        return
    if isinstance(schema.get("description"), str):
        yield f"{path or 'the object'}: {schema['description']}"
    for key, value in schema.items():
        inner = path if key in {"properties", "items", "schema", "openAPIV3Schema", "spec", "versions"} else key
        yield from descriptions(value, inner if inner == path or not path else f"{path}.{inner}")


def sections() -> Iterator[tuple[str, list[str]]]:
    """Each part of the list, with its heading."""
    yield "Status messages", list(status_messages())
    for module in sorted(PACKAGE.rglob("*.py")):
        texts = list(texts_of(module.read_text()))
        if texts:
            yield str(module.relative_to(PACKAGE)), texts
    yield "--help", list(helps(cli, "modelarts-nodepool"))
    yield "CRDs", [line for crd in (build_node_pool_crd(), build_account_crd()) for line in descriptions(crd["spec"])]


def main(arguments: list[str]) -> None:
    """Print the list, or only the lines that contain a word."""
    wanted = arguments[0].lower() if arguments else ""
    for heading, lines in sections():
        found = [line for line in lines if wanted in line.lower()]
        if found:
            sys.stdout.write(f"\n# {heading}\n" + "".join(f"{line}\n" for line in found))


if __name__ == "__main__":
    main(sys.argv[1:])
