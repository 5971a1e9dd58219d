"""A real Kubernetes control plane on this machine, without containers.

    binaries = ensure_binaries(narrator)
    with ControlPlane.start(folder, binaries) as plane:  # or `async with`
        await plane.kubectl("get", "namespaces")

The demo, the tests and `python -m modelarts_nodepool.lab.controlplane` use it; the operator never does.
"""

from modelarts_nodepool.lab.controlplane.audit import AuditEvent, AuditLog
from modelarts_nodepool.lab.controlplane.binaries import Binaries, ensure_binaries
from modelarts_nodepool.lab.controlplane.failures import ControlPlaneError
from modelarts_nodepool.lab.controlplane.kubectl import ESTABLISHED, Kubectl, KubectlResult
from modelarts_nodepool.lab.controlplane.narration import ConsoleNarrator, Narrator, SilentNarrator, Step
from modelarts_nodepool.lab.controlplane.plane import ControlPlane

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
