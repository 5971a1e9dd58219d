"""The commands that the docs show, and what tests/data/docs_commands.yaml says of them.

A command is what follows `$ ` in a block that is fenced as `console`; the lines below it are what it prints.
tests/unit/test_documented_commands.py holds that each has its place, tests/integration/deploy/test_pages.py runs them.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from tests.support.crds import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("deploy/**/*.md")])
SAID = REPOSITORY / "tests" / "data" / "docs_commands.yaml"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """One command as it stands on a page; `shown` are the lines below it."""

    page: str
    text: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """How one command is run: with which variables, until when, and what it has to print."""

    exit: int = 0
    columns: int | None = None
    until: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


def commands_in(text: str, page: str) -> list[Command]:
    """All commands of a page, from top to bottom."""
    found = []
    for block in _BLOCK.findall(text):
        lines = block.splitlines()
        while lines:
            line = lines.pop(0)
            if not line.startswith("$ "):
                raise ValueError(f"{page}: {line!r} belongs to no command; begin a console block with `$ `")
            command = line.removeprefix("$ ")
            while lines and _goes_on(command):
                command += "\n" + lines.pop(0)
            shown = []
            while lines and not lines[0].startswith("$ "):
                shown.append(lines.pop(0))
            found.append(Command(page, command, tuple(filter(str.strip, shown))))
    return found


def _goes_on(command: str) -> bool:
    """Whether a shell would wait for another line."""
    if command.endswith("\\"):
        return True
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return True
    return False


@cache
def all_commands() -> list[Command]:
    """The commands of every page."""
    return [command for path in PAGES for command in commands_in(path.read_text(), str(path.relative_to(REPOSITORY)))]


@cache
def what_is_said() -> dict[str, list[dict[str, Any]]]:
    """The file: `not_run` with reasons, `run` with what differs from a plain run."""
    said: dict[str, list[dict[str, Any]]] = yaml.safe_load(SAID.read_text())
    return said


def is_about(entry: Mapping[str, Any], command: Command) -> bool:
    """Whether an entry of the file means this command: its page, how it begins, and a word that it shows."""
    begins, shows = command.text.startswith(entry.get("command", "")), entry.get("shows", "")
    return entry["page"] == command.page and begins and shows in "\n".join(command.shown)


def how_to_run(command: Command) -> Run | None:
    """None for a command that is not run from its page."""
    said = what_is_said()
    if any(is_about(entry, command) for entry in said["not_run"]):
        return None
    for entry in said["run"]:
        if is_about(entry, command):
            return Run(**{key: value for key, value in entry.items() if key not in {"page", "command"}})
    return Run()


def commands_to_run(page: str) -> list[tuple[Command, Run]]:
    """The commands of a page that are run, in order."""
    planned = [(command, how_to_run(command)) for command in all_commands() if command.page == page]
    return [(command, run) for command, run in planned if run is not None]
