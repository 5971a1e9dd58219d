"""A release from its first run to its end, as the pages say: CRDs and accounts, refusals, hand-over, no helm at all.

The real helm on a real control plane. No operator runs: what its finalizers do here is to be there.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from modelarts_nodepool.lab.controlplane import ControlPlane
from modelarts_nodepool.resource.names import ACCOUNT_FINALIZER
from tests.support.api import ACCOUNTS, Api
from tests.support.crds import NODE_POOLS, REPOSITORY
from tests.support.helm import CHART, RELEASE, Helm
from tests.support.jobs import running_the_next_job
from tests.support.liveness import eventually
from tests.support.manifests import Object, names, objects_in
from tests.support.operator import NAME, NAMESPACE
from tests.support.pages import Command, all_commands

PRODUCTION = CHART / "values-production.yaml"
OVERLAY = str(REPOSITORY / "deploy/kustomize/overlays/production")
README = "deploy/helm/modelarts-nodepool-operator/README.md"
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

    def uninstall(self) -> tuple[int, str]:
        """As a person does; exit code, and what the Job said."""
        kubeconfig = self.plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
        with running_the_next_job(self.plane, kubeconfig, self.folder / "job.log") as ran:
            done = self.helm.run("uninstall", RELEASE, "-n", NAMESPACE, "--timeout", "60s", check=False)
        return done.code, ran.output


@pytest.fixture
def cluster(plane: ControlPlane, helm: Helm, tmp_path: Path) -> Iterator[Cluster]:
    with Api(plane) as api:
        try:
            yield Cluster(plane, helm, api, tmp_path)
        finally:
            clean_up(plane, helm, api)


def clean_up(plane: ControlPlane, helm: Helm, api: Api) -> None:
    """Leave the control plane to the next test as it was."""
    for kind in ("validatingadmissionpolicy", "validatingadmissionpolicybinding"):
        plane.kubectl.run("delete", kind, "--all")
    for release in json.loads(helm.run("list", "-n", NAMESPACE, "-o", "json").stdout):
        helm.run("uninstall", release["name"], "-n", NAMESPACE, "--no-hooks", check=False)
    if plane.kubectl.run("get", "maacct", check=False).code == 0:
        for account in api.items(ACCOUNTS):
            api.strip(f"{ACCOUNTS}/{account['metadata']['name']}")
        assert eventually(lambda: plane.kubectl.run("delete", "maacct", "--all", check=False).code == 0)
    plane.kubectl.run("delete", "-k", OVERLAY, "--ignore-not-found", check=False)
    plane.kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found")
    assert eventually(lambda: plane.kubectl.run("delete", "crd", "--all", check=False).code == 0)


def test_accounts_arrive_with_the_first_run_and_belong_to_the_release_from_the_second_on(cluster: Cluster) -> None:
    cluster.install(accounts={"default": ACCOUNT})
    assert cluster.status() == "deployed"
    first = cluster.api.get(f"{ACCOUNTS}/default")
    assert first is not None
    assert first["spec"]["region"] == "cn-north-4"
    grown = ACCOUNT | {"grants": [{"namespaces": ["ml", "research"], "resourcePools": ["*"]}]}
    cluster.install(accounts={"default": grown, "second": ACCOUNT})
    again = cluster.api.get(f"{ACCOUNTS}/default")
    assert again is not None
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    assert again["spec"]["grants"] == grown["grants"]
    assert {"ModelArtsAccount/default", "ModelArtsAccount/second"} <= set(names(cluster.manifest()))
    # Never again a hook: a hook is deleted and made anew.
    assert "ModelArtsAccount" not in cluster.helm.run("get", "hooks", RELEASE, "-n", NAMESPACE).stdout
    # Taken out of the values, it stays: it holds the record of deletions.
    cluster.install()
    assert cluster.api.get(f"{ACCOUNTS}/default") is not None


def test_an_account_that_cannot_come_fails_the_first_run_loudly(cluster: Cluster) -> None:
    said = cluster.refused(accounts={"default": ACCOUNT}, crds={"install": False})
    assert "Apply the CRDs first, then run this again: kubectl apply --server-side -f crds/" in said
    said = cluster.refused(accounts={"default": ACCOUNT | {"projectId": "not a project!"}})
    assert "projectId" in said
    # Mended, the same command goes on.
    cluster.install(accounts={"default": ACCOUNT})
    assert cluster.status() == "deployed"
    assert cluster.api.get(f"{ACCOUNTS}/default") is not None


def test_crds_that_kubectl_applied_before_are_left_alone_and_taken_over_as_the_notes_say(cluster: Cluster) -> None:
    cluster.apply_crds()
    notes = cluster.install(accounts={"default": ACCOUNT})
    assert cluster.owner_of_crds() == {""}
    assert f"modelartsaccounts.modelarts.huaweicloud.com {NODE_POOLS}" in notes
    (line,) = [line for line in notes.splitlines() if "--take-ownership" in line]
    release, *flags = shlex.split(line.partition("--install ")[2])
    assert (release, flags[:3]) == (RELEASE, ["…", "-n", NAMESPACE])
    taken = cluster.install(*flags[3:], accounts={"default": ACCOUNT})
    assert cluster.owner_of_crds() == {RELEASE}
    # From then on it is theirs without further words.
    assert "--take-ownership" not in taken + cluster.install(accounts={"default": ACCOUNT})
    assert f"CustomResourceDefinition/{NODE_POOLS}" in names(cluster.manifest())


def test_kustomize_is_taken_over_in_place(cluster: Cluster) -> None:
    cluster.apply_crds()
    cluster.plane.kubectl.run("apply", "--server-side", "-k", OVERLAY)
    before = cluster.plane.kubectl.run(
        "-n", NAMESPACE, "get", "deployment", NAME, "-o", "jsonpath={.metadata.uid}"
    ).stdout
    cluster.install("--set", "crds.takeOver=true", "--take-ownership", "--force-conflicts")
    after = cluster.plane.kubectl.run(
        "-n", NAMESPACE, "get", "deployment", NAME, "-o", "jsonpath={.metadata.uid}"
    ).stdout
    assert after == before
    assert cluster.owner_of_crds() == {RELEASE}


def readme(begins: str) -> Command:
    (found,) = [command for command in all_commands() if command.page == README and command.text.startswith(begins)]
    return found


@pytest.mark.parametrize("apply", ["as the page says", "kubectl apply -f -"])
def test_helm_template_piped_into_kubectl_apply_works_again_with_another_image(cluster: Cluster, apply: str) -> None:
    chart, _, shown = readme("helm template").text.partition(" | ")
    words = [str(REPOSITORY / word) if word.startswith("deploy/") else word for word in shlex.split(chart)[1:]]
    command = shlex.split(shown if apply == "as the page says" else apply)[1:]
    cluster.plane.kubectl.run("create", "namespace", NAMESPACE)
    for tag in ("1.0.0", "1.0.1"):
        manifest = cluster.helm.run(*words, "--set", f"image.tag={tag}").stdout
        cluster.plane.kubectl.run(*command, stdin=manifest)
    image = ("get", "deployment", NAME, "-o", "jsonpath={.spec.template.spec.containers[0].image}")
    assert cluster.plane.kubectl.run("-n", NAMESPACE, *image).stdout.endswith(":1.0.1")
    assert cluster.plane.kubectl.run("-n", NAMESPACE, "get", "jobs", "-o", "name").stdout == ""


def test_the_port_of_the_api_server_is_shown_by_the_command_of_the_pages(plane: ControlPlane) -> None:
    """Written here as the API server of a cluster writes it: this one is on loopback, where that is refused."""
    where = {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}}
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": where,
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.5"]}],
        "ports": [{"name": "https", "port": 5443, "protocol": "TCP"}],
    }
    plane.kubectl.run("apply", "-f", "-", stdin=json.dumps(body))
    try:
        shown = plane.kubectl.run(*shlex.split(readme("kubectl get endpointslices").text)[1:]).stdout
    finally:
        plane.kubectl.run("-n", "default", "delete", "endpointslice", "kubernetes")
    assert re.search(r"^kubernetes\s+IPv4\s+5443\s+10\.0\.0\.5\b", shown, re.MULTILINE)


@pytest.mark.parametrize("revisions", [1, 2], ids=["the first release", "a release with an older one"])
def test_what_was_running_comes_back_after_a_refused_uninstall(cluster: Cluster, revisions: int) -> None:
    levels = ["warning", "info"][-revisions:]
    for level in levels:
        cluster.install(operator={"logLevel": level})
    running = cluster.args()
    assert "--log-level=info" in running
    cluster.needs_the_operator("default")
    for _ in range(2):
        code, said = cluster.uninstall()
        assert code == 1
        assert "maacct default" in said
        assert cluster.status() == "uninstalling"
        # As the page says, so that nobody looks for the cause elsewhere.
        assert "has no deployed releases" in cluster.refused()
        (cure,) = [line.strip() for line in said.splitlines() if line.startswith("  helm rollback")]
        assert cure == f"helm rollback {RELEASE} {revisions} -n {NAMESPACE}"
        cluster.helm.run(*shlex.split(cure)[1:])
        assert cluster.args() == running
        assert cluster.status() == "deployed"
    cluster.install(operator={"logLevel": "debug"})
    assert "--log-level=debug" in cluster.args()
    cluster.api.strip(f"{ACCOUNTS}/default")
    code, said = cluster.uninstall()
    assert (code, "helm rollback" in said) == (0, False), said


def test_a_refused_uninstall_may_be_repeated_instead(cluster: Cluster) -> None:
    cluster.install()
    cluster.needs_the_operator("default")
    assert cluster.uninstall()[0] == 1
    cluster.api.strip(f"{ACCOUNTS}/default")
    code, said = cluster.uninstall()
    assert code == 0, said
    assert cluster.plane.kubectl.run("-n", NAMESPACE, "get", "deployment", "-o", "name").stdout == ""
