"""Whoever deletes is asked alike: people, GitOps tools, the cluster's own controllers. The operator is not."""

import json
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import NODE_POOL_PLURAL
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.kube.client import Patch, build_finalizer_added, build_finalizer_removed, build_status
from tests.support.admission import CONFIRM_DELETE, Guarded
from tests.support.liveness import eventually
from tests.support.operator import NAME, NAMESPACE

COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
NAMESPACES = "system:serviceaccount:kube-system:namespace-controller"


def bind(guarded: Guarded, role: str, user: str) -> tuple[str, str]:
    guarded.run("create", "rolebinding", user, "-n", guarded.namespace, f"--clusterrole={role}", f"--user={user}")
    return "--as", user


def refusals_of(guarded: Guarded, user: str) -> int:
    asked = guarded.plane.audit().by_user(user).on(NODE_POOL_PLURAL, guarded.namespace).writes()
    return len([event for event in asked if event.code == 403])


def test_who_may_delete_cannot_confirm_and_who_may_edit_can(guarded: Guarded) -> None:
    deleter = bind(guarded, "modelarts-nodepool-deleter", "deleter")
    editor = bind(guarded, "modelarts-nodepool-editor", "editor")
    node_pool = guarded.add()
    for how in (guarded.deleting(), ("delete", "manp", "--all", "-n", guarded.namespace)):
        guarded.denied(CONFIRM_DELETE, *how, *deleter)
    own = guarded.refused(*guarded.patching("training-a", {"spec": {"deletionPolicy": "Retain"}}), *deleter)
    assert 'User "deleter" cannot patch resource' in own
    assert guarded.is_untouched(node_pool)
    guarded.run_shown(guarded.denied(CONFIRM_DELETE, *guarded.deleting(), *deleter), "annotate", *editor)
    guarded.run(*guarded.deleting(), *deleter)
    assert guarded.names() == []


def test_a_gitops_tool_with_all_permissions_prunes_only_what_is_confirmed(guarded: Guarded) -> None:
    guarded.run("create", "serviceaccount", "gitops", "-n", guarded.namespace)
    who = f"--serviceaccount={guarded.namespace}:gitops"
    guarded.run("create", "clusterrolebinding", guarded.namespace, "--clusterrole=cluster-admin", who)
    tool = ("--kubeconfig", str(guarded.plane.service_account_kubeconfig_blocking(guarded.namespace, "gitops")))
    node_pool = guarded.add()
    for cascade in ("foreground", "background"):
        guarded.denied(CONFIRM_DELETE, *guarded.deleting(), f"--cascade={cascade}", *tool)
    assert guarded.is_untouched(node_pool)
    guarded.confirm("training-a", "training-a")
    guarded.run(*guarded.deleting(), *tool)
    assert guarded.names() == []


def test_a_namespace_that_is_deleted_waits_for_its_node_pools_and_says_so(guarded: Guarded) -> None:
    confirmed, retained = guarded.add("one"), guarded.add("two")
    guarded.run("delete", "namespace", guarded.namespace, "--wait=false")

    def said() -> str:
        namespace = json.loads(guarded.run("get", "namespace", guarded.namespace, "-o", "json"))
        conditions = namespace["status"].get("conditions", [])
        return " ".join(item["message"] for item in conditions if item["type"] == "NamespaceDeletionContentFailure")

    assert eventually(lambda: remedies.confirm(confirmed) in said() or remedies.confirm(retained) in said()), said()
    assert refusals_of(guarded, NAMESPACES) > 0
    assert guarded.is_untouched(confirmed)
    assert guarded.is_untouched(retained)
    guarded.run_shown(remedies.confirm(confirmed), "annotate")
    guarded.run_shown(remedies.retain(retained), "patch")
    gone = ("get", "namespace", guarded.namespace)
    assert eventually(lambda: guarded.plane.kubectl.run(*gone, check=False).code != 0), said()


def test_the_garbage_collector_is_refused_until_somebody_confirms(guarded: Guarded) -> None:
    guarded.run("create", "configmap", "owner", "-n", guarded.namespace)
    owner = guarded.get("configmap", "owner")["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner}
    guarded.create(guarded.node_pool(ownerReferences=[reference]))
    node_pool = guarded.now()
    guarded.run("delete", "configmap", "owner", "-n", guarded.namespace)
    # The collector learns of new kinds every 30 s.
    assert eventually(lambda: refusals_of(guarded, COLLECTOR) > 0)
    assert guarded.is_untouched(node_pool)
    guarded.confirm("training-a", "training-a")
    assert eventually(lambda: guarded.names() == [])


@pytest.fixture(scope="module")
def operator_identity(guarded_plane: ControlPlane) -> Path:
    return guarded_plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_the_operators_own_writes_pass(guarded: Guarded, operator_identity: Path, policy: str) -> None:
    """Its finalizer, its status before and during the deletion, and the release: each as it sends them."""
    own = ("--kubeconfig", str(operator_identity))

    def write(patch: Patch, *more: str) -> None:
        guarded.run(*guarded.patching("training-a", patch), *more, *own)

    guarded.add(confirm="training-a", deletionPolicy=policy)
    write(build_finalizer_added(guarded.now()))
    write(build_status(guarded.now(), guarded.now().status), "--subresource=status")
    guarded.run(*guarded.deleting(), "--wait=false")
    guarded.confirm("training-a", "somebody took it back")
    write(build_status(guarded.now(), guarded.now().status), "--subresource=status")
    write(build_finalizer_removed(guarded.now()))
    assert guarded.names() == []
