"""Runs a stage of a Dockerfile without a container engine: its COPY and RUN lines, in a folder instead of a root.

Only what our Dockerfile uses is understood; anything else is an error, so that nothing is left out unseen.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

# Absolute paths that the stage writes to; everything else is relative to WORKDIR.
_OURS = re.compile(r"(?<![\w/])/(opt|wheels|source|run/secrets)\b")
_SECRET = re.compile(r"--mount=type=secret,id=([\w-]+)\s+")


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Word and arguments of each instruction, lines joined."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, arguments = line.partition(" ")
        yield word, arguments.strip()


def stages(dockerfile: Path) -> list[list[tuple[str, str]]]:
    """The instructions of each stage, its FROM first."""
    found: list[list[tuple[str, str]]] = []
    for word, arguments in instructions(dockerfile):
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, arguments))
    return found


def ignored(context: Path) -> list[str]:
    """Folders that .dockerignore takes out of what it let in before."""
    lines = (context / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    return [line for line in lines[1:] if not line.startswith(("!", "**"))]


def run_stage(
    stage: list[tuple[str, str]],
    context: Path,
    root: Path,
    *,
    secrets: Mapping[str, Path] = MappingProxyType({}),
    pip: Mapping[str, str] | None = None,
) -> None:
    """Do what the stage does, below `root`, with this Python as the base image's.

    `secrets` are files by id, as an engine's `--secret` gives them; each is there while a RUN that mounts it runs.
    `pip` are the variables that say where pip downloads from; without them this machine's own.
    """
    folder = root
    if pip is None:
        pip = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_", "HTTP"))}
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), **pip}
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(sys.executable)
    environment["PATH"] = f"{root / 'bin'}:{environment['PATH']}"
    for word, arguments in stage:
        if word == "WORKDIR":
            folder = root / arguments.lstrip("/")
            folder.mkdir(parents=True)
        elif word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in arguments.split())
        elif word == "COPY":
            _copy(arguments.split(), context, folder)
        elif word == "RUN":
            command = _OURS.sub(lambda found: f"{root}/{found[1]}", _SECRET.sub("", arguments))
            mounted = [_mount(secrets[name], root, name) for name in _SECRET.findall(arguments) if name in secrets]
            done = _shell(command, folder, environment)
            for path in mounted:
                path.unlink()
            assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        else:
            assert word == "FROM", f"{word} is not understood here"


def _shell(command: str, folder: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own Dockerfile
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _mount(secret: Path, root: Path, name: str) -> Path:
    folder = root / "run" / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(secret, folder / name))


def _copy(words: list[str], context: Path, folder: Path) -> None:
    *sources, target = words
    left_out = {context / path for path in ignored(context)}

    def skip(parent: str, names: list[str]) -> set[str]:
        return {name for name in names if Path(parent) / name in left_out or name == "__pycache__"}

    for source in sources:
        found = context / source
        if found.is_dir():
            shutil.copytree(found, folder / target, ignore=skip, dirs_exist_ok=True)
        else:
            destination = folder / target / found.name if target.endswith("/") else folder / target
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, destination)
