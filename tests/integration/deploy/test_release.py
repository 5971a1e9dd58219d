"""A release from its first run to its end, as the pages say: CRDs and accounts, refusals, hand-over, no helm at all.

The real helm on a real control plane. No operator runs: what its finalizers do here is to be there.
"""

import json
import re
import shlex

import pytest

from lab.controlplane import ControlPlane
from tests.support.api import ACCOUNTS
from tests.support.crds import NODE_POOLS, REPOSITORY
from tests.support.helm import RELEASE
from tests.support.manifests import names
from tests.support.operator import NAME, NAMESPACE
from tests.support.pages import Command, all_commands
from tests.support.release import ACCOUNT, OVERLAY, Cluster

pytestmark = pytest.mark.long

README = "deploy/helm/modelarts-nodepool-operator/README.md"


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
