"""The list of permissions is what the shipped roles grant, no more and no less."""

from pathlib import Path
from typing import Any

import yaml

from modelarts_nodepool.kube.rbac import Question, build_review, to_questions

BASE = Path(__file__).parents[3] / "deploy" / "kustomize" / "base"
NAMESPACE = "modelarts-nodepool-operator"


def granted(file: str, kind: str) -> set[Question]:
    """What the operator's role in this file grants, one permission each."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all((BASE / file).read_text()))
    (role,) = [role for role in documents if role["kind"] == kind]
    return {
        Question(group, resource, verb, NAMESPACE if kind == "Role" else "", name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def test_what_is_needed_is_what_the_roles_grant() -> None:
    needed = to_questions(NAMESPACE)
    assert set(needed) == granted("clusterrole.yaml", "ClusterRole") | granted("role.yaml", "Role")
    assert len(needed) == len(set(needed))


def test_a_question_reads_like_one_for_kubectl_auth_can_i() -> None:
    question = Question("modelarts.huaweicloud.com", "modelartsnodepools/status", "patch")
    assert str(question) == "patch modelartsnodepools.modelarts.huaweicloud.com --subresource=status"
    assert str(Question("", "secrets", "get", "op")) == "get secrets -n op"
    assert str(Question("coordination.k8s.io", "leases", "get", "op", "x")) == "get leases.coordination.k8s.io/x -n op"


def test_a_review_asks_about_a_service_account_with_its_groups() -> None:
    path, body = build_review(Question("", "secrets", "get", "op"), ("op", "operator"))
    assert path == "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert body["spec"]["user"] == "system:serviceaccount:op:operator"
    assert "system:serviceaccounts:op" in body["spec"]["groups"]


def test_a_review_of_oneself_names_nobody() -> None:
    path, body = build_review(Question("", "secrets", "get", "op"), None)
    assert path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert body["spec"].keys() == {"resourceAttributes"}
