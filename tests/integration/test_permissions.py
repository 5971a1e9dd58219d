"""The permissions that are shipped are enough for the operator's work, and no more."""

import pytest

from modelarts_nodepool.lab.controlplane import ControlPlane
from tests.support.crds import ACCOUNTS, NODE_POOLS, REPOSITORY

NAMESPACE = NAME = "modelarts-nodepool-operator"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{NAME}"
OWN, OTHER = ("-n", NAMESPACE), ("-n", "default")


@pytest.fixture(scope="module")
def permissions(crds: ControlPlane) -> ControlPlane:
    crds.kubectl.run("apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "kustomize" / "base"))
    return crds


def can(plane: ControlPlane, user: str, *question: str) -> bool:
    answer = plane.kubectl.run("auth", "can-i", *question, "--as", user, check=False).stdout.strip()
    assert answer in {"yes", "no"}
    return answer == "yes"


@pytest.mark.parametrize(
    "question",
    [
        ("list", NODE_POOLS, "--all-namespaces"),
        ("watch", NODE_POOLS, "--all-namespaces"),
        ("patch", NODE_POOLS, *OTHER),
        ("patch", NODE_POOLS, "--subresource=status", *OTHER),
        ("watch", ACCOUNTS),
        ("patch", ACCOUNTS),
        ("patch", ACCOUNTS, "--subresource=status"),
        ("watch", "namespaces"),
        ("get", f"customresourcedefinitions/{NODE_POOLS}"),
        ("get", f"customresourcedefinitions/{ACCOUNTS}"),
        ("create", "events", *OTHER),
        ("patch", "events", *OTHER),
        ("get", "secrets", *OWN),
        ("create", "leases.coordination.k8s.io", *OWN),
        ("get", f"leases.coordination.k8s.io/{NAME}", *OWN),
        ("update", f"leases.coordination.k8s.io/{NAME}", *OWN),
    ],
    ids=" ".join,
)
def test_the_operator_may_do_its_work(permissions: ControlPlane, question: tuple[str, ...]) -> None:
    assert can(permissions, OPERATOR, *question)


@pytest.mark.parametrize(
    "question",
    [
        ("create", NODE_POOLS, *OTHER),
        ("update", NODE_POOLS, *OTHER),
        ("delete", NODE_POOLS, *OTHER),
        ("deletecollection", NODE_POOLS, *OTHER),
        ("create", ACCOUNTS),
        ("delete", ACCOUNTS),
        ("list", "secrets", *OWN),
        ("watch", "secrets", *OWN),
        ("get", "secrets", *OTHER),
        ("patch", "secrets", *OWN),
        ("get", "customresourcedefinitions/others.example.com"),
        ("patch", f"customresourcedefinitions/{NODE_POOLS}"),
        ("delete", f"customresourcedefinitions/{NODE_POOLS}"),
        ("patch", "namespaces"),
        ("delete", "namespaces"),
        ("get", "pods", *OWN),
        ("update", "leases.coordination.k8s.io/another", *OWN),
        ("create", "leases.coordination.k8s.io", *OTHER),
        ("create", "serviceaccounts", "--subresource=token", *OWN),
        ("impersonate", "users"),
    ],
    ids=" ".join,
)
def test_the_operator_may_do_nothing_else(permissions: ControlPlane, question: tuple[str, ...]) -> None:
    assert not can(permissions, OPERATOR, *question)


def test_who_may_edit_a_namespace_may_not_delete_nodes_in_the_cloud(permissions: ControlPlane) -> None:
    permissions.kubectl.run("create", "namespace", "edited")
    permissions.kubectl.run("create", "rolebinding", "edit", "-n", "edited", "--clusterrole=edit", "--user=editor")
    assert can(permissions, "editor", "delete", "configmaps", "-n", "edited")
    assert not can(permissions, "editor", "delete", NODE_POOLS, "-n", "edited")
