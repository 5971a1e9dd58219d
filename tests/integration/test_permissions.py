"""The permissions that are shipped are enough for the operator's work, and no more."""

import pytest
import yaml

from lab.controlplane import ControlPlane
from tests.support.api import Api
from tests.support.crds import ACCOUNTS, NODE_POOLS, REPOSITORY
from tests.support.liveness import eventually

NAMESPACE = NAME = "modelarts-nodepool-operator"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{NAME}"
OWN, OTHER = ("-n", NAMESPACE), ("-n", "default")


@pytest.fixture(scope="module", autouse=True)
def permissions(crds: ControlPlane) -> ControlPlane:
    crds.kubectl.run("apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "kustomize" / "base"))
    return crds


# Where the name of a resource does not say it, its group is the core's.
GROUPS = {"customresourcedefinitions": "apiextensions.k8s.io"}


def can(api: Api, user: str, verb: str, resource: str, *flags: str) -> bool:
    """What `kubectl auth can-i` asks, with its arguments, and without a process for each question."""
    named, _, name = resource.partition("/")
    plural, _, group = named.partition(".")
    attributes = {"verb": verb, "resource": plural, "group": group or GROUPS.get(plural, ""), "name": name}
    if "-n" in flags:
        attributes["namespace"] = flags[flags.index("-n") + 1]
    for flag in flags:
        if flag.startswith("--subresource="):
            attributes["subresource"] = flag.partition("=")[2]
    review = {"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes}
    answer = api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": review})
    return bool(answer["status"]["allowed"])


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
        ("get", "secrets", *OWN),
        ("create", "leases.coordination.k8s.io", *OWN),
        ("get", f"leases.coordination.k8s.io/{NAME}", *OWN),
        ("update", f"leases.coordination.k8s.io/{NAME}", *OWN),
    ],
    ids=" ".join,
)
def test_the_operator_may_do_its_work(crds_api: Api, question: tuple[str, ...]) -> None:
    assert can(crds_api, OPERATOR, *question)


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
        ("list", "customresourcedefinitions"),
        ("patch", "events", *OTHER),
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
def test_the_operator_may_do_nothing_else(crds_api: Api, question: tuple[str, ...]) -> None:
    assert not can(crds_api, OPERATOR, *question)


VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
READ = {"get", "list", "watch"}


@pytest.fixture(scope="module")
def edited(permissions: ControlPlane, crds_api: Api) -> str:
    """A namespace in which each role for people, ours and the built-in ones, is bound to a user of its name."""
    permissions.kubectl.run("create", "namespace", "edited")
    ours = ("modelarts-nodepool-viewer", "modelarts-nodepool-editor", "modelarts-nodepool-deleter")
    for role in (*ours, "view", "edit", "admin"):
        permissions.kubectl.run(
            "create", "rolebinding", role, "-n", "edited", f"--clusterrole={role}", f"--user={role}"
        )
    permissions.kubectl.run(
        "create", "clusterrolebinding", "auditor", "--clusterrole=modelarts-account-viewer", "--user=auditor"
    )
    # The controller manager adds our viewer to the built-in roles a moment after it was created.
    assert eventually(lambda: can(crds_api, "admin", "get", NODE_POOLS, "-n", "edited"))
    return "edited"


@pytest.mark.parametrize(
    ("role", "verbs"),
    [
        ("modelarts-nodepool-viewer", READ),
        ("modelarts-nodepool-editor", READ | {"create", "update", "patch"}),
        ("modelarts-nodepool-deleter", READ | {"delete", "deletecollection"}),
        ("view", READ),
        ("edit", READ),
        ("admin", READ),
    ],
)
def test_a_role_for_people_may_do_this_to_node_pools_and_no_more(
    crds_api: Api, edited: str, role: str, verbs: set[str]
) -> None:
    assert {verb for verb in VERBS if can(crds_api, role, verb, NODE_POOLS, "-n", edited)} == verbs
    assert not can(crds_api, role, "patch", NODE_POOLS, "--subresource=status", "-n", edited)
    assert not any(can(crds_api, role, verb, ACCOUNTS) for verb in VERBS)


def test_accounts_are_read_by_whoever_is_bound_to_their_viewer_alone(crds_api: Api, edited: str) -> None:
    assert {verb for verb in VERBS if can(crds_api, "auditor", verb, ACCOUNTS)} == READ
    assert not can(crds_api, "auditor", "get", NODE_POOLS, "-n", edited)


def test_no_role_that_is_shipped_has_a_wildcard() -> None:
    kinds = []
    for path in (REPOSITORY / "deploy" / "kustomize" / "base").glob("*role*.yaml"):
        for role in yaml.safe_load_all(path.read_text()):
            kinds.append(role["kind"])
            assert "*" not in [word for rule in role["rules"] for words in rule.values() for word in words]
    assert sorted(kinds) == ["ClusterRole"] * 5 + ["Role"]
