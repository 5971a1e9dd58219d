"""The CRDs of a control plane of one's own, put there and taken away; and what an operator says of them."""

from pathlib import Path

from lab.controlplane import ControlPlane
from tests.support.crds import ACCOUNTS, NODE_POOLS, REPOSITORY
from tests.support.operator import OperatorProcess
from tests.support.tenant import Tenant

WAITS = 503


def install(plane: ControlPlane, *plurals: str) -> None:
    for plural in plurals:
        # By force: a test before may have changed one by hand.
        plane.kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(manifest(plural)))


def serve(plane: ControlPlane, operator: OperatorProcess, tenant: Tenant, *names: str) -> None:
    """Install both CRDs, start the operator, and show these node pools in the status of their objects."""
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    tenant.set_up()
    for name in names:
        tenant.mirrored(name)


def manifest(crd: str) -> Path:
    plural, _, group = crd.partition(".")
    return REPOSITORY / "crds" / f"{group}_{plural}.yaml"


def says(operator: OperatorProcess, *words: str) -> bool:
    status, body = operator.readiness()
    return status == WAITS and all(word in body for word in words)
