"""A real Kubernetes control plane on this machine, without containers.

    binaries = ensure_binaries(narrator)
    with ControlPlane.start(folder, binaries) as plane:  # or `async with`
        await plane.kubectl("get", "namespaces")

The demo, the tests and `python -m lab.controlplane` use it; the operator never does.
"""

from lab.controlplane.audit import AuditEvent, AuditLog
from lab.controlplane.binaries import Binaries, ensure_binaries
from lab.controlplane.failures import ControlPlaneError
from lab.controlplane.kubectl import ESTABLISHED, Kubectl, KubectlResult
from lab.controlplane.narration import ConsoleNarrator, Narrator, SilentNarrator, Step
from lab.controlplane.plane import ControlPlane

__all__ = [
    "ESTABLISHED",
    "AuditEvent",
    "AuditLog",
    "Binaries",
    "ConsoleNarrator",
    "ControlPlane",
    "ControlPlaneError",
    "Kubectl",
    "KubectlResult",
    "Narrator",
    "SilentNarrator",
    "Step",
    "ensure_binaries",
]
