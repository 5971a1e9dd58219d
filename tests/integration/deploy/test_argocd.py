"""The patch of Argo CD's ConfigMap, applied as its first line and the page say."""

import json
import shlex

from modelarts_nodepool.lab.controlplane import ControlPlane
from tests.support.crds import REPOSITORY

PATCH = "deploy/argocd/argocd-cm.yaml"


def test_the_documented_command_adds_both_scripts_and_leaves_everything_else(plane: ControlPlane) -> None:
    (command,) = {
        line
        for line in (REPOSITORY / "docs/operations/gitops.md").read_text().split("`")
        if line.startswith("kubectl -n argocd patch")
    }
    plane.kubectl.run("create", "namespace", "argocd")
    plane.kubectl.run(
        "-n", "argocd", "create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example.com"
    )
    words = [str(REPOSITORY / PATCH) if word == PATCH else word for word in shlex.split(command)[1:]]
    plane.kubectl.run(*words)
    data = json.loads(plane.kubectl.run("-n", "argocd", "get", "configmap", "argocd-cm", "-o", "json").stdout)["data"]
    assert data.pop("url") == "https://argocd.example.com"
    kinds = {name.removeprefix("resource.customizations.health.modelarts.huaweicloud.com_") for name in data}
    assert kinds == {"ModelArtsNodePool", "ModelArtsAccount"}
    for kind in kinds:
        script = (REPOSITORY / "deploy" / "argocd" / f"{kind}.lua").read_text()
        assert data[f"resource.customizations.health.modelarts.huaweicloud.com_{kind}"] == script
