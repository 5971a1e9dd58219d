"""The commands of docs/operations/admission.md do what the page says, run as they stand there, from top to bottom."""

import os
import re
import subprocess

from tests.support.admission import Guarded
from tests.support.crds import REPOSITORY

PAGE = (REPOSITORY / "docs" / "operations" / "admission.md").read_text()


def commands() -> list[tuple[str, str]]:
    """Each command with what the page shows as its output."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


def test_the_page_shows_refusals_and_commands_that_work() -> None:
    refused = [command for command, output in commands() if output]
    assert len(refused) == 2
    assert len(commands()) > 12


def test_every_command_of_the_page_does_what_it_says(guarded: Guarded) -> None:
    guarded.add("training-a", nodePoolName="training-cloud")
    kubectl = guarded.plane.kubectl
    names = {"NS": guarded.namespace, "NAME": "training-a", "NODE_POOL": "training-cloud"}
    path = {"PATH": f"{kubectl.binary.parent}{os.pathsep}{os.environ['PATH']}"}
    for command, shown in commands():
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
