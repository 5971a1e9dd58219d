"""What the user's machine has already: the folder KUBEBUILDER_ASSETS, and a kubectl on PATH."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.controlplane import pins
from lab.controlplane.cache import Cache
from lab.controlplane.narration import Narrator

SUPPORTED_SKEW = 1  # minor versions between kubectl and the API server, by Kubernetes' own policy


def find_assets(environment: Mapping[str, str], narrator: Narrator) -> dict[str, Path]:
    """The binaries in KUBEBUILDER_ASSETS; all servers from there or none, since their versions must match."""
    folder = environment.get("KUBEBUILDER_ASSETS")
    if not folder:
        return {}
    found = {
        name: path
        for name in pins.PACKAGES
        if os.access(path := Path(folder).expanduser().absolute() / name, os.X_OK) and path.is_file()
    }
    if lacking := [name for name in pins.SERVERS if name not in found]:
        narrator.say(f"KUBEBUILDER_ASSETS ({folder}) has no {', '.join(lacking)}; it is not used.")
        return {}
    return found


def find_kubectl(
    environment: Mapping[str, str], cache: Cache, known: Mapping[str, Path], narrator: Narrator
) -> Path | None:
    """The kubectl on PATH, when it fits the server, or when all the rest is at hand and only it would be built."""
    on_path = shutil.which("kubectl", path=environment.get("PATH"))
    minor = ask_minor(Path(on_path), environment) if on_path else None
    if on_path is None or minor is None:
        return None
    if abs(minor - pins.KUBERNETES_MINOR) <= SUPPORTED_SKEW:
        return Path(on_path)
    rest_is_here = all(name in known or cache.find(name) for name in pins.SERVERS)
    if cache.find(pins.KUBECTL) or not rest_is_here:
        return None
    narrator.say(f"Using {on_path}: it is 1.{minor}, the API server {pins.KUBERNETES_VERSION}.")
    return Path(on_path)


def ask_minor(kubectl: Path, environment: Mapping[str, str]) -> int | None:
    """The minor version that kubectl says it has; None when it does not work."""
    try:
        asked = subprocess.run(
            [str(kubectl), "version", "--client", "-o", "json"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
        )
        version = json.loads(asked.stdout)["clientVersion"]["gitVersion"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None
    found = re.match(r"v1\.(\d+)\.", str(version))
    return int(found[1]) if found else None
