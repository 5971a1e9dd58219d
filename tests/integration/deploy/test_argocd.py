"""The patches of Argo CD's ConfigMap, applied as the page says."""

import json
import re
import shlex

from lab.controlplane import ControlPlane
from tests.support.crds import REPOSITORY

PREFIX = "resource.customizations.health."
OURS = f"{PREFIX}modelarts.huaweicloud.com_"


def test_the_documented_commands_add_the_scripts_and_leave_everything_else(plane: ControlPlane) -> None:
    page = (REPOSITORY / "docs/operations/gitops.md").read_text()
    commands = re.findall(r"`(kubectl -n argocd patch configmap [^`]+)`", page)
    assert len(commands) == 2
    plane.kubectl.run("create", "namespace", "argocd")
    plane.kubectl.run(
        "-n", "argocd", "create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example.com"
    )
    for command in commands:
        words = [str(REPOSITORY / word) if word.startswith("deploy/") else word for word in shlex.split(command)[1:]]
        plane.kubectl.run(*words)
    data = json.loads(plane.kubectl.run("-n", "argocd", "get", "configmap", "argocd-cm", "-o", "json").stdout)["data"]
    assert data.pop("url") == "https://argocd.example.com"
    assert "hs.status = obj.status.health.status" in data.pop(f"{PREFIX}argoproj.io_Application")
    kinds = {name.removeprefix(OURS) for name in data}
    assert kinds == {"ModelArtsNodePool", "ModelArtsAccount"}
    for kind in kinds:
        script = (REPOSITORY / "deploy" / "argocd" / f"{kind}.lua").read_text()
        assert data[f"{OURS}{kind}"] == script
    plane.kubectl.run("delete", "namespace", "argocd")
