"""Somebody at a shell in a checkout, who pastes the commands that the product prints into it."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.controlplane import ESTABLISHED, ControlPlane
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from modelarts_nodepool.api.objects import NodePool
from tests.support.api import ACCOUNTS, NAMESPACES, Api, Object, node_pools_in, secrets_in
from tests.support.crds import ACCOUNT_SPEC, REPOSITORY, to_json
from tests.support.crds import ACCOUNTS as ACCOUNT_CRD
from tests.support.crds import NODE_POOLS as NODE_POOL_CRD
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually
from tests.support.operator import NAMESPACE

ML = "ml"
# A name that ModelArts itself gives: capitals and dots are letters of it.
IN_THE_CLOUD = "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-Default"
PATH = f"{node_pools_in(ML)}/training-a"
ACCOUNT = f"{ACCOUNTS}/default"


def install(plane: ControlPlane) -> None:
    """CRDs, permissions, the namespace ml."""
    plane.kubectl.run("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
    plane.kubectl.run("wait", ESTABLISHED, f"crd/{NODE_POOL_CRD}", f"crd/{ACCOUNT_CRD}")
    plane.kubectl.run("apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "kustomize" / "base"))
    plane.kubectl.run("create", "namespace", ML)
    assert eventually(lambda: plane.kubectl.run("get", "manp,maacct", "-A", check=False).code == 0)


def check_out(folder: Path) -> Path:
    """A checkout with what the commands take for granted: the person's own manifests and files."""
    for name in ("crds", "deploy"):
        shutil.copytree(REPOSITORY / name, folder / name)
    shutil.copy(REPOSITORY / "deploy/samples/account.yaml", folder / "account.yaml")
    shutil.copy(REPOSITORY / "deploy/argocd/argocd-cm.yaml", folder / "argocd-cm.yaml")
    metadata = {"name": "training-b", "namespace": ML}
    (folder / "adopt.yaml").write_text(to_json("ModelArtsNodePool", metadata, {"poolName": "pool-3f2c"}))
    (folder / "FILE").write_text("a key")
    return folder


@dataclass
class Person:
    """Somebody at a shell, in a checkout, with one node pool object, its account and its Secret in the cluster."""

    plane: ControlPlane
    api: Api
    folder: Path

    def set_up(self) -> None:
        """The same for each test."""
        for path in (PATH, ACCOUNT):
            self.api.strip(path)
            self.api.delete(path)
        self.api.delete(secrets_in(NAMESPACE))
        self.api.delete(f"{NAMESPACES}/new")
        self.api.create(ACCOUNTS, json.loads(to_json("ModelArtsAccount", {"name": "default"}, ACCOUNT_SPEC)))
        metadata = {"name": "training-a", "namespace": ML, "finalizers": [NODE_POOL_FINALIZER]}
        spec = {"poolName": "pool-3f2c", "nodePoolName": IN_THE_CLOUD}
        self.api.create(node_pools_in(ML), json.loads(to_json("ModelArtsNodePool", metadata, spec)))

    def node_pool(self) -> NodePool:
        return NodePool.from_body(self.body())

    def body(self, path: str = PATH) -> Object:
        found = self.api.get(path)
        assert found is not None
        return found

    def pastes(self, command: str, *, code: int = 0, **variables: str) -> str:
        """What it prints; a shell that stops at the first failure, as the person's own is not kinder."""
        kubectl = self.plane.kubectl
        environment = kubectl.environment() | variables
        done = subprocess.run(  # noqa: S603 - our own words
            ["bash", "-euo", "pipefail", "-c", command],  # noqa: S607 - whichever the person has
            cwd=self.folder,
            env=environment | {"PATH": f"{kubectl.binary.parent}{os.pathsep}{environment['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=HANGING_SECONDS,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}"
        return done.stdout

    def edits(self, command: str, expression: str) -> None:
        """`kubectl edit` with an editor that makes one change."""
        self.pastes(command, KUBE_EDITOR=f"sed -i -e '{expression}'")
