"""Operator, permissions and Secret went first, the objects hang: what the page about GitOps says to run then.

Also that the shipped layouts never get there: what their deletion leaves is enough to delete the node pools.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION
from tests.support.cloud import Cloud
from tests.support.crds import REPOSITORY, until_served
from tests.support.emptying import empty
from tests.support.kustomize import kustomized
from tests.support.layouts import NODE_POOLS as LAST_STEP
from tests.support.layouts import Layout, Step, flux, plain_objects
from tests.support.liveness import eventually
from tests.support.manifests import Object, objects_in
from tests.support.operator import NAME, NAMESPACE, OperatorProcess, at_work
from tests.support.pages import all_commands

PAGE = "docs/operations/gitops.md"
OURS = "manp,maacct"


@dataclass
class Site:
    """A cluster synced from the layout, with a cloud that holds its two node pools."""

    plane: ControlPlane
    cloud: Cloud
    layout: Layout
    folder: Path

    def objects(self, step: Step) -> list[Object]:
        """What a step applies, with the key and the short intervals of this cloud."""
        (folder,) = step.folders
        if (folder / "kustomization.yaml").exists():
            return objects_in(kustomized(self.plane.binaries, folder))
        found = plain_objects(folder)
        for item in found:
            if item["kind"] == "Secret":
                item["stringData"] = {key: self.cloud.hello[key] for key in ("accessKey", "secretKey")}
            if item["kind"] == "ModelArtsAccount":
                item["spec"] |= {"region": self.cloud.region, "projectId": self.cloud.project_id}
                item["spec"] |= {"pollInterval": "1s", "activePollInterval": "1s"}
        return found

    def apply(self, step: Step) -> None:
        objects = self.objects(step)
        self.plane.kubectl.run("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
        if any(item["kind"] == "CustomResourceDefinition" for item in objects):
            until_served(self.plane)

    def operator(self) -> OperatorProcess:
        """What the Deployment's Pod runs: a new token each time, for the ServiceAccount may be a new one."""
        kubeconfig = self.plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
        return OperatorProcess(kubeconfig, f"{self.cloud.region}={self.cloud.endpoint}", self.folder / "operator.log")

    def node_pools(self) -> dict[str, dict[str, Any]]:
        listed = json.loads(self.plane.kubectl.run("get", "manp", "-n", "ml", "-o", "json").stdout)["items"]
        return {item["metadata"]["name"]: item for item in listed}

    def is_ready(self, name: str) -> bool:
        conditions = self.node_pools()[name].get("status", {}).get("conditions", [])
        return any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)


@pytest.fixture
def site(plane: ControlPlane, tmp_path: Path) -> Iterator[Site]:
    with Cloud.running(tmp_path) as cloud:
        for name in ("training-a", "training-b", "training-c"):
            cloud.put_resource_pool("pool-3f2c")
            cloud.put_node_pool("pool-3f2c", name, states={"available": 2})
        site = Site(plane, cloud, flux(), tmp_path)
        for step in site.layout.ordered():
            site.apply(step)
        yield site
        empty(plane)


def test_what_the_layouts_leave_behind_is_enough_to_delete_the_node_pools(site: Site) -> None:
    """All Kustomizations deleted at once: the steps that keep nothing are pruned, and the operator goes on."""
    kubectl = site.plane.kubectl
    with at_work(site.operator()):
        assert eventually(lambda: site.is_ready("training-a") and site.is_ready("training-b"))
        kubectl.run("annotate", "-n", "ml", "manp", "training-a", f"{CONFIRM_ANNOTATION}=training-a")
        pruned = [item for step in site.layout.ordered() if not step.keeps for item in site.objects(step)]
        kubectl.run("delete", "--wait=false", "-f", "-", stdin=yaml.safe_dump_all(pruned), check=False)
        assert eventually(lambda: "training-a" not in site.node_pools())
        assert eventually(lambda: "training-a" not in site.cloud.state_of("pool-3f2c"))
    # Not confirmed: the policy is there still.
    assert "deletionTimestamp" not in site.node_pools()["training-b"]["metadata"]
    assert {"training-b", "training-c"} <= site.cloud.state_of("pool-3f2c").keys()


def test_one_command_brings_back_what_objects_that_hang_need(site: Site) -> None:
    kubectl = site.plane.kubectl
    with at_work(site.operator()):
        assert eventually(lambda: site.is_ready("training-a") and site.is_ready("training-b"))
    production = str(REPOSITORY / "deploy" / "kustomize" / "overlays" / "production")
    kubectl.run("delete", "-k", production)  # permissions, Secret and policies; with another layout, by one commit
    delete = ("delete", "-n", "ml", "manp", "training-a", "training-b", "--wait=false")
    assert eventually(lambda: kubectl.run(*delete, check=False).code == 0)
    retain = ("--type=merge", "-p", '{"spec":{"deletionPolicy":"Retain"}}', "--field-manager=on-call")
    kubectl.run("patch", "-n", "ml", "manp", "training-b", *retain)
    assert all(item["metadata"]["deletionTimestamp"] for item in site.node_pools().values())

    (command,) = [command.text for command in all_commands() if command.page == PAGE]
    words = command.split()
    assert words[0] == "kubectl"
    kubectl.run(*(str(REPOSITORY / word) if word.startswith("deploy/") else word for word in words[1:]))
    site.apply(site.layout.steps["modelarts-accounts"])  # the Secret
    with at_work(site.operator()):
        assert eventually(lambda: site.node_pools() == {}), site.node_pools()
    # One was to be deleted, one to be kept.
    assert site.cloud.state_of("pool-3f2c").keys() == {"training-b", "training-c"}
    assert site.layout.steps[LAST_STEP].keeps is False
