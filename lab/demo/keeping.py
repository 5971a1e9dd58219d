"""`demo --keep`: how to play with what runs, until Ctrl-C."""

import json
import os
import shlex
import shutil

from lab.demo.samples import BROKEN, NAMESPACE, RESOURCE_POOL, YEARLY
from lab.demo.stage import Stage


def explain_keeping(stage: Stage) -> None:
    """Print how to use what runs."""
    screen, state = stage.screen, f"{stage.cloud.endpoint}/_simulator/state"
    screen.heading("Everything goes on running until Ctrl-C")
    screen.say("In another terminal, look at the cluster and use it:")
    screen.command("export", shlex.quote(f"KUBECONFIG={stage.plane.kubeconfig}"))
    kubectl = _kubectl(stage)
    screen.command(kubectl, "get", "manp", "-n", NAMESPACE, "-w")
    screen.command(kubectl, "describe", "manp", YEARLY, "-n", NAMESPACE)
    screen.command("cd", shlex.quote(str(stage.work)), "&&", "ls", "-R")
    screen.say("Change the simulated cloud, and read what reached it:")
    screen.command("curl", "-s", state)
    broken = {"resourcePools": {RESOURCE_POOL: {"nodePools": {BROKEN: {"states": {"available": 0, "abnormal": 2}}}}}}
    screen.command("curl", "-s", "-X", "PATCH", state, "-d", shlex.quote(json.dumps(broken, separators=(",", ":"))))
    screen.command("curl", "-s", f"{stage.cloud.endpoint}/_simulator/requests")
    screen.say("Look at the operator:")
    url = stage.operator.url if stage.operator is not None else ""
    screen.command("curl", "-s", f"{url}/readyz")
    screen.command("tail", "-f", shlex.quote(str(stage.folder / "operator.log")))


def _kubectl(stage: Stage) -> str:
    """The command that finds the kubectl of the demo."""
    binary = stage.plane.binaries.kubectl
    return (
        "kubectl" if shutil.which("kubectl", path=os.environ.get("PATH")) == str(binary) else shlex.quote(str(binary))
    )
