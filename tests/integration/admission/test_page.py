"""The commands of two pages do what the page says, run as they stand there, from top to bottom."""

import os
import re
import subprocess

import pytest

from tests.support.admission import Guarded
from tests.support.crds import REPOSITORY


def commands(page: str) -> list[tuple[str, str]]:
    """Each command with what the page shows as its output."""
    found = []
    text = (REPOSITORY / "docs" / "operations" / page).read_text()
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


@pytest.mark.parametrize(("page", "refusals", "most"), [("admission.md", 2, 12), ("four-eyes.md", 1, 6)])
def test_a_page_shows_refusals_and_commands_that_work(page: str, refusals: int, most: int) -> None:
    assert len([command for command, output in commands(page) if output]) == refusals
    assert len(commands(page)) > most


def test_every_command_of_the_page_about_admission_does_what_it_says(guarded: Guarded) -> None:
    run_page(guarded, "admission.md")


def test_every_command_of_the_page_about_four_eyes_does_what_it_says(four_eyes: Guarded) -> None:
    run_page(four_eyes, "four-eyes.md")


def run_page(guarded: Guarded, page: str) -> None:
    guarded.add("training-a", nodePoolName="training-cloud")
    kubectl = guarded.plane.kubectl
    names = {"NS": guarded.namespace, "NAME": "training-a", "NODE_POOL": "training-cloud"}
    path = {"PATH": f"{kubectl.binary.parent}{os.pathsep}{os.environ['PATH']}"}
    for command, shown in commands(page):
        done = subprocess.run(  # noqa: S603 - the page is ours
            ["bash", "-euc", command],  # noqa: S607 - wherever bash is
            cwd=REPOSITORY,
            env=kubectl.environment() | path | names,
            capture_output=True,
            text=True,
            check=False,
        )
        if shown:
            assert done.returncode == 1, command
            # The page shortens with an ellipsis, and its namespace is called ml.
            said = done.stderr.replace(guarded.namespace, "ml").replace("training-cloud", "training-a")
            for words in filter(None, map(str.strip, shown.split("…"))):
                assert words in said, command
        else:
            assert done.returncode == 0, (command, done.stderr)
    assert guarded.names() == ["training-a"]
