"""The CRDs of a control plane of one's own, put there and taken away; and what an operator says of them."""

from pathlib import Path

from lab.controlplane import ControlPlane
from tests.support.crds import REPOSITORY
from tests.support.operator import OperatorProcess

WAITS = 503


def install(plane: ControlPlane, *plurals: str) -> None:
    for plural in plurals:
        # By force: a test before may have changed one by hand.
        plane.kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(manifest(plural)))


def manifest(crd: str) -> Path:
    plural, _, group = crd.partition(".")
    return REPOSITORY / "crds" / f"{group}_{plural}.yaml"


def says(operator: OperatorProcess, *words: str) -> bool:
    status, body = operator.readiness()
    return status == WAITS and all(word in body for word in words)
