"""Every command that is printed is built in one place or has a row, and is run by a test."""

import inspect
import re

import pytest

from modelarts_nodepool.decide import remedies
from tests.support.crds import REPOSITORY
from tests.support.pages import PAGES
from tests.support.printed import commands_in, find_printed, rows

# Clauses and readings, no commands.
NO_COMMANDS = {"way_out", "by_hand"}
RUN_BY = (REPOSITORY / "tests/integration/test_printed_commands.py").read_text()
LISTED = {row["command"] for row in rows()}


def test_every_function_that_builds_a_command_is_run_by_a_test() -> None:
    built = {name for name, _ in inspect.getmembers(remedies, inspect.isfunction) if not name.startswith("_")}
    ours = {name for name in built if getattr(remedies, name).__module__ == remedies.__name__}
    not_run = {name for name in ours - NO_COMMANDS if re.search(rf"remedies\.{name}\b", RUN_BY) is None}
    assert not not_run, f"run it in tests/integration/test_printed_commands.py: {not_run}"


def test_every_command_that_stands_elsewhere_has_a_row() -> None:
    missing = {command: where for command, where in find_printed().items() if command not in LISTED}
    assert not missing, (
        f"build it in decide/remedies.py, or give it a row in tests/data/printed_commands.yaml: {missing}"
    )


def test_every_row_is_about_a_command_that_there_is() -> None:
    assert not LISTED - find_printed().keys()


def test_every_reason_not_to_run_a_command_names_tests_that_exist() -> None:
    named = [
        (row["command"], path.rstrip("."))
        for row in rows()
        if "why" in row
        for path in re.findall(r"tests/[\w./]+", row["why"])
    ]
    assert [(command, path) for command, path in named if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see: kubectl get maacct", ["kubectl get maacct"]),
        ("x; kubectl -n ns get pods; is it right?", ["kubectl -n ns get pods"]),
        (
            "see kubectl get crd a -o yaml, then kubectl apply -f crds/",
            ["kubectl get crd a -o yaml", "kubectl apply -f crds/"],
        ),
        ("as kubectl does, and helm never deletes them", []),
        ("# kubectl create secret \\\n#   --from-file=a", ["kubectl create secret --from-file=a"]),
        ("kubectl -n {{ .Release.Namespace }} get pods", ["kubectl -n {{…}} get pods"]),
    ],
)
def test_a_command_is_told_from_the_words_around_it(text: str, found: list[str]) -> None:
    assert commands_in(text) == found


CHANGES = re.compile(r"kubectl (?:-\S+ \S+ )*(?:annotate|edit|label|patch) (?:-\S+ \S+ )*(?:crd|maacct|manp)\b")


def test_pages_change_our_objects_under_a_name_that_flux_leaves_alone() -> None:
    prose = {"scenarios.md", "0025-printed-commands.md"}
    wrong = [
        f"{page.relative_to(REPOSITORY)}: {command}"
        for page in PAGES
        if page.name not in prose
        for command in commands_in(page.read_text())
        if CHANGES.match(command) and "--field-manager=on-call" not in command
    ]
    assert wrong == []
