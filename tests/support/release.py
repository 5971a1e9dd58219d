"""A release of the chart on a cluster that is empty at first, and what people do to it. No operator runs."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import ACCOUNT_FINALIZER
from tests.support.api import ACCOUNTS, Api
from tests.support.crds import REPOSITORY
from tests.support.helm import CHART, RELEASE, Helm
from tests.support.jobs import running_the_next_job
from tests.support.manifests import Object, objects_in
from tests.support.operator import NAME, NAMESPACE

PRODUCTION = CHART / "values-production.yaml"
OVERLAY = str(REPOSITORY / "deploy/kustomize/overlays/production")
OWNER = "meta.helm.sh/release-name"
ACCOUNT = {
    "region": "cn-north-4",
    "projectId": "0123456789abcdef0123456789abcdef",
    "credentials": {"source": "Secret", "secretName": "modelarts-credentials"},
    "grants": [{"namespaces": ["ml"], "resourcePools": ["*"]}],
}


@dataclass
class Cluster:
    """An empty cluster, helm for it, and a file for values."""

    plane: ControlPlane
    helm: Helm
    api: Api
    folder: Path

    def values(self, **values: object) -> Path:
        path = self.folder / f"values-{len(list(self.folder.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    def install(self, *more: str, **values: object) -> str:
        return self.helm.install(PRODUCTION, self.values(**values), more=more)

    def refused(self, *more: str, **values: object) -> str:
        where = ("-n", NAMESPACE, "--create-namespace", "-f", str(PRODUCTION), "-f", str(self.values(**values)))
        done = self.helm.run("upgrade", "--install", RELEASE, str(CHART), *where, *more, check=False)
        assert done.code != 0, done.stdout
        return done.stderr

    def manifest(self) -> list[Object]:
        return objects_in(self.helm.run("get", "manifest", RELEASE, "-n", NAMESPACE).stdout)

    def status(self) -> str:
        said = self.helm.run("status", RELEASE, "-n", NAMESPACE, "-o", "json").stdout
        return str(json.loads(said)["info"]["status"])

    def args(self) -> list[str]:
        got = self.plane.kubectl.run("-n", NAMESPACE, "get", "deployment", NAME, "-o", "json").stdout
        return list(json.loads(got)["spec"]["template"]["spec"]["containers"][0]["args"])

    def owner_of_crds(self) -> set[str]:
        crds = json.loads(self.plane.kubectl.run("get", "crd", "-o", "json").stdout)["items"]
        return {crd["metadata"]["annotations"].get(OWNER, "") for crd in crds}

    def apply_crds(self) -> None:
        self.plane.kubectl.run("apply", "--server-side", "-f", str(REPOSITORY / "crds"))

    def needs_the_operator(self, account: str) -> None:
        """An account that carries the operator's finalizer."""
        body = {"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsAccount", "spec": ACCOUNT}
        self.api.create(ACCOUNTS, body | {"metadata": {"name": account, "finalizers": [ACCOUNT_FINALIZER]}})

    def rollback(self) -> str:
        """As people type it, without a number; it has to be refused. What was said."""
        done = self.helm.run("rollback", RELEASE, "-n", NAMESPACE, check=False)
        assert done.code != 0, done.stdout
        return done.stderr

    def uninstall(self) -> tuple[int, str]:
        """As a person does; exit code, and what the Job said."""
        kubeconfig = self.plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
        with running_the_next_job(self.api, kubeconfig, self.folder / "job.log") as ran:
            done = self.helm.run("uninstall", RELEASE, "-n", NAMESPACE, "--timeout", "240s", check=False)
        return done.code, ran.output
