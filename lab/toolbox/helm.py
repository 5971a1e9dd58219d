"""Which helm the chart is tested with, and how it is had: from PATH, from the cache, or by a Go build.

The Go module beside this file is the pin; a test holds the version here to it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.controlplane.binaries import Way
from lab.controlplane.cache import Cache, cache_root
from lab.controlplane.gobuild import GoBuild
from lab.controlplane.narration import Narrator, SilentNarrator
from lab.controlplane.pins import GoModule, Platform

HELM = "helm"
HELM_VERSION = "4.3.1"
_MAJOR = HELM_VERSION.partition(".")[0]
MODULE = GoModule(
    folder=Path(__file__).parent / "gomodule",
    packages={HELM: f"helm.sh/helm/v{_MAJOR}/cmd/helm"},
    ldflags=f"-s -w -X helm.sh/helm/v{_MAJOR}/internal/version.version=v{HELM_VERSION}",
    estimate="some three minutes on two cores, once",
    otherwise=f"put a helm {_MAJOR} on PATH",
)


def ensure_helm(
    narrator: Narrator | None = None, environment: Mapping[str, str] = os.environ, way: Way | None = None
) -> Path:
    """A helm of the pinned major version; `BinariesUnavailableError` says what to do when it cannot be had."""
    narrator = narrator or SilentNarrator()
    on_path = shutil.which(HELM, path=environment.get("PATH"))
    if on_path and _is_of_our_major(Path(on_path), environment):
        return Path(on_path)
    here = Platform.here()
    cache = Cache(cache_root(environment), f"helm-{HELM_VERSION}-{here.os}-{here.arch}-{MODULE.digest()}")
    if found := cache.find(HELM):
        return found
    with cache.locked(narrator):
        if cache.find(HELM) is None:
            (way or GoBuild(environment, MODULE)).obtain([HELM], cache, narrator)
    return cache.folder / HELM


def _is_of_our_major(helm: Path, environment: Mapping[str, str]) -> bool:
    try:
        asked = subprocess.run(
            [str(helm), "version", "--template", "{{.Version}}"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.match(rf"v{_MAJOR}\.", asked.stdout) is not None
