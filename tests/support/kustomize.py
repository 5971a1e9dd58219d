"""Builds an overlay of deploy/kustomize with the real kubectl; needs no cluster."""

import subprocess
from functools import cache
from pathlib import Path

from lab.controlplane import Binaries
from tests.support.crds import REPOSITORY
from tests.support.limits import HANGING_SECONDS
from tests.support.manifests import Object, objects_in

OVERLAYS = REPOSITORY / "deploy" / "kustomize" / "overlays"


def build(binaries: Binaries, overlay: str) -> list[Object]:
    """Its objects."""
    return objects_in(kustomized(binaries, OVERLAYS / overlay))


@cache
def kustomized(binaries: Binaries, folder: Path) -> str:
    """What `kubectl kustomize` prints for a folder of the repository, which does not change during the tests."""
    command = [str(binaries.kubectl), "kustomize", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANGING_SECONDS).stdout  # noqa: S603
