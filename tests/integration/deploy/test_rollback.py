"""An uninstall that is refused or interrupted, and the way back: with the number that is printed, never without.

The real helm on a real control plane. No operator runs: what its finalizers do here is to be there.
"""

import json
import re
import shlex

import pytest

from tests.support.api import ACCOUNTS
from tests.support.helm import RELEASE
from tests.support.liveness import eventually
from tests.support.operator import NAME, NAMESPACE
from tests.support.release import Cluster

pytestmark = pytest.mark.long


def command_in(said: str, begins: str) -> list[str]:
    """The words of the command that a message has, without the program."""
    (found,) = re.findall(rf"run this[a-z ]*: ({begins} [^;\n]*)", said)
    return shlex.split(found)[1:]


def left_by_hooks(cluster: Cluster) -> str:
    """The names of what hooks of the release leave in its namespace."""
    get = ("-n", NAMESPACE, "get", "roles,configmaps", "-o", "name")
    return cluster.plane.kubectl.run(*get).stdout.replace(".rbac.authorization.k8s.io", "")


def asked_to_roll_back(cluster: Cluster, namespace: str) -> str:
    """Why a rollback to revision 1 would be refused, if the release were in this namespace."""
    where = {"name": f"{NAME}-rollback-check", "annotations": {"modelarts.huaweicloud.com/helm-revision": "1"}}
    body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": where})
    create = ("-n", namespace, "create", "--dry-run=server", "-f", "-")
    return cluster.plane.kubectl.run(*create, stdin=body, check=False).stderr


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
    assert NAME not in left_by_hooks(cluster)


def test_a_plain_rollback_after_a_refused_uninstall_changes_nothing(cluster: Cluster) -> None:
    """It means the revision before the one that runs, and brings back what that one was replaced for."""
    for level in ("warning", "info"):
        cluster.install(operator={"logLevel": level})
    running = cluster.args()
    cluster.needs_the_operator("default")
    assert cluster.uninstall()[0] == 1
    said = cluster.rollback()
    assert "while revision 2 was running, and this rollback would go to revision 1" in said
    assert cluster.args() == running
    cluster.helm.run(*command_in(said, "helm rollback"))
    assert (cluster.args(), cluster.status()) == (running, "deployed")
    # What stands before it now is the refused one.
    assert "while revision 2 was running" in cluster.rollback()
    cluster.helm.run(*command_in(said, "helm rollback"))
    for level in ("debug", "error"):
        cluster.install(operator={"logLevel": level})
    # The mark of the refusal is still there, and no longer about what runs.
    assert f"role/{NAME}-uninstall-began" in left_by_hooks(cluster)
    cluster.helm.run("rollback", RELEASE, "-n", NAMESPACE)
    assert "--log-level=debug" in cluster.args()
    assert f"configmap/{NAME}-rollback-check" not in left_by_hooks(cluster)


def test_a_revision_before_may_be_chosen_on_purpose(cluster: Cluster) -> None:
    for level in ("warning", "info"):
        cluster.install(operator={"logLevel": level})
    cluster.needs_the_operator("default")
    assert cluster.uninstall()[0] == 1
    assert "nothing was changed" in asked_to_roll_back(cluster, NAMESPACE)
    assert asked_to_roll_back(cluster, "default") == ""
    cluster.plane.kubectl.run(*command_in(cluster.rollback(), "kubectl"))
    assert eventually(lambda: asked_to_roll_back(cluster, NAMESPACE) == "")
    cluster.helm.run("rollback", RELEASE, "1", "-n", NAMESPACE)
    assert "--log-level=warning" in cluster.args()


def test_a_plain_rollback_after_an_interrupted_uninstall_changes_nothing(cluster: Cluster) -> None:
    """Nothing runs the Job here, as where its image cannot be pulled; helm stops waiting."""
    for level in ("warning", "info"):
        cluster.install(operator={"logLevel": level})
    stopped = cluster.helm.run("uninstall", RELEASE, "-n", NAMESPACE, "--timeout", "2s", check=False)
    assert (stopped.code, cluster.status()) == (1, "uninstalling")
    cluster.helm.run(*command_in(cluster.rollback(), "helm rollback"))
    assert "--log-level=info" in cluster.args()
