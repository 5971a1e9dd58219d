"""Prometheus and promtool: from PATH, from the cache, else out of Debian's package, unpacked, not installed.

The package is not pinned: Debian keeps one version for each release. Whoever has neither installs Prometheus himself.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.controlplane.binaries import Way
from lab.controlplane.cache import Cache, cache_root
from lab.controlplane.narration import Narrator, SilentNarrator
from lab.controlplane.pins import Platform
from lab.toolbox.debian import DebianPackage

NAMES = ("prometheus", "promtool")


@dataclass(frozen=True)
class Prometheus:
    """Where both programs stand."""

    server: Path
    promtool: Path


def ensure_prometheus(
    narrator: Narrator | None = None, environment: Mapping[str, str] = os.environ, way: Way | None = None
) -> Prometheus:
    """Both programs, of one version; `BinariesUnavailableError` says what to do when they cannot be had."""
    narrator = narrator or SilentNarrator()
    on_path = [shutil.which(name, path=environment.get("PATH")) for name in NAMES]
    if all(on_path):
        return Prometheus(*(Path(str(path)) for path in on_path))
    here = Platform.here()
    cache = Cache(cache_root(environment), f"prometheus-{here.os}-{here.arch}")
    if not all(cache.find(name) for name in NAMES):
        with cache.locked(narrator):
            if missing := [name for name in NAMES if cache.find(name) is None]:
                (way or DebianPackage("prometheus", environment)).obtain(missing, cache, narrator)
    return Prometheus(*(cache.folder / name for name in NAMES))
