"""Finds the control plane's binaries, and gets those that are missing, once per machine and pin.

In order: KUBEBUILDER_ASSETS, the cache, a verified download, a Go build. For kubectl, the one on PATH counts
too. The command line, the demo and the tests call `ensure_binaries` before they start a control plane.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.controlplane import pins
from lab.controlplane.cache import Cache, cache_root
from lab.controlplane.download import Download, official_releases
from lab.controlplane.failures import BinariesUnavailableError, DownloadError
from lab.controlplane.gobuild import GoBuild
from lab.controlplane.installed import find_assets, find_kubectl
from lab.controlplane.narration import Narrator, SilentNarrator


@dataclass(frozen=True)
class Binaries:
    """Where each binary stands."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path


class Way(Protocol):
    """A way to get binaries."""

    def obtain(self, names: Sequence[str], cache: Cache, narrator: Narrator) -> None:
        """Put all of them into the cache, each whole or not at all; the lock is held.

        `DownloadError` means that the next way should be tried.
        """


def ensure_binaries(
    narrator: Narrator | None = None,
    environment: Mapping[str, str] = os.environ,
    ways: Sequence[Way] | None = None,
) -> Binaries:
    """All four binaries; `BinariesUnavailableError` says what to do when they cannot be had."""
    narrator = narrator or SilentNarrator()
    here = pins.Platform.here()
    cache = Cache(cache_root(environment), pins.version_key(here))
    known = find_assets(environment, narrator)
    if pins.KUBECTL not in known and (kubectl := find_kubectl(environment, cache, known, narrator)):
        known[pins.KUBECTL] = kubectl
    wanted = [name for name in pins.PACKAGES if name not in known]
    if any(cache.find(name) is None for name in wanted):
        _fill(cache, wanted, ways or (Download(official_releases(here)), GoBuild(environment)), narrator)
    known |= {name: cache.folder / name for name in wanted}
    return Binaries(known[pins.ETCD], known[pins.APISERVER], known[pins.CONTROLLER_MANAGER], known[pins.KUBECTL])


def _fill(cache: Cache, wanted: Sequence[str], ways: Sequence[Way], narrator: Narrator) -> None:
    """Get what is missing, by the first way that leads there."""
    reasons: list[str] = []
    with cache.locked(narrator):
        for way in ways:
            # Asked again with the lock held: whoever held it before may have brought everything.
            missing = [name for name in wanted if cache.find(name) is None]
            if not missing:
                return
            try:
                way.obtain(missing, cache, narrator)
            except DownloadError as error:
                narrator.say(f"No download of the official binaries ({error}).")
                reasons.append(str(error))
        if missing := [name for name in wanted if cache.find(name) is None]:
            raise BinariesUnavailableError(
                f"{', '.join(missing)} could not be had: {'; '.join(reasons) or 'no way is left'}. "
                f"Point KUBEBUILDER_ASSETS at a folder that holds them."
            )
