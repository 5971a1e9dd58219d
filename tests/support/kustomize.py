"""Builds an overlay of deploy/kustomize with the real kubectl; needs no cluster."""

import subprocess

from lab.controlplane import Binaries
from tests.support.crds import REPOSITORY
from tests.support.limits import HANGING_SECONDS
from tests.support.manifests import Object, objects_in

OVERLAYS = REPOSITORY / "deploy" / "kustomize" / "overlays"


def build(binaries: Binaries, overlay: str) -> list[Object]:
    """Its objects."""
    command = [str(binaries.kubectl), "kustomize", str(OVERLAYS / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANGING_SECONDS)  # noqa: S603
    return objects_in(done.stdout)
