"""Every command that is printed, run as it is printed, in the situation in which it is printed, on a real API server.

Those of decide/remedies.py have a test each, below. Those that stand elsewhere are rows of
tests/data/printed_commands.yaml. The commands of the pages: tests/integration/deploy/test_pages.py.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import (
    ACCOUNT_FINALIZER,
    CONFIRM_ANNOTATION,
    CREDENTIALS_LABEL,
    OVERRIDE_ANNOTATION,
    PAUSED_ANNOTATION,
    RECONCILE_ANNOTATION,
)
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from tests.support.api import CRDS, NAMESPACES, Api, secrets_in
from tests.support.crds import ACCOUNT_SPEC, REPOSITORY, to_json
from tests.support.crds import ACCOUNTS as ACCOUNT_CRD
from tests.support.crds import NODE_POOLS as NODE_POOL_CRD
from tests.support.flux import Flux
from tests.support.liveness import eventually
from tests.support.operator import NAME, NAMESPACE, USER
from tests.support.person import ACCOUNT, IN_THE_CLOUD, ML, PATH, Person, check_out, install
from tests.support.printed import rows

CLUSTER_ROLE = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{NAME}"


@pytest.fixture(scope="module")
def plane(empty_plane: ControlPlane) -> ControlPlane:
    """CRDs and permissions are changed here."""
    install(empty_plane)
    return empty_plane


@pytest.fixture(scope="module")
def api(plane: ControlPlane) -> Iterator[Api]:
    with Api(plane) as api:
        yield api


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_out(tmp_path_factory.mktemp("checkout"))


@pytest.fixture
def person(plane: ControlPlane, api: Api, folder: Path) -> Person:
    person = Person(plane, api, folder)
    person.set_up()
    return person


# One node pool object.


def annotation(name: str) -> Callable[[Person], object]:
    return lambda person: person.node_pool().metadata.annotations.get(name)


CHANGES: dict[str, tuple[Callable[[NodePool], str], Callable[[Person], object], object]] = {
    "retain": (remedies.retain, lambda person: person.node_pool().spec.deletion_policy, "Retain"),
    "retain_named": (
        lambda node_pool: remedies.retain_named(node_pool.metadata.namespace, node_pool.metadata.name),
        lambda person: person.node_pool().spec.deletion_policy,
        "Retain",
    ),
    "confirm": (remedies.confirm, annotation(CONFIRM_ANNOTATION), IN_THE_CLOUD),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_an_object_changes_that_and_under_a_name_of_its_own(person: Person, name: str) -> None:
    build, read, expected = CHANGES[name]
    before = person.body()
    person.pastes(build(person.node_pool()))
    assert read(person) == expected
    now = person.body()
    assert now["metadata"]["uid"] == before["metadata"]["uid"]
    assert "on-call" in {entry["manager"] for entry in now["metadata"]["managedFields"]}
    assert not [entry for entry in now["metadata"]["managedFields"] if entry["manager"].startswith("kubectl")]


def test_override_names_this_very_object_and_keeps_those_given(person: Person) -> None:
    person.pastes(remedies.override(person.node_pool(), Reason.LAST_NODE_POOL))
    person.pastes(remedies.override(person.node_pool(), Reason.BILLING_UNKNOWN))
    assert person.node_pool().overrides == {Reason.LAST_NODE_POOL, Reason.BILLING_UNKNOWN}
    assert person.node_pool().metadata.annotations[OVERRIDE_ANNOTATION].endswith(f"@{person.node_pool().metadata.uid}")


def test_reconcile_now_is_another_value_each_second(person: Person) -> None:
    person.pastes(remedies.reconcile_now(person.node_pool()))
    first = person.node_pool().metadata.annotations[RECONCILE_ANNOTATION]
    assert first.isdigit()
    assert eventually(
        lambda: bool(person.pastes(remedies.reconcile_now(person.node_pool()))) and first != again(person)
    )


def again(person: Person) -> str:
    return person.node_pool().metadata.annotations[RECONCILE_ANNOTATION]


def test_unpause_takes_the_annotation_away(person: Person) -> None:
    person.api.merge(PATH, {"metadata": {"annotations": {PAUSED_ANNOTATION: "yes"}}})
    assert person.node_pool().is_paused
    person.pastes(remedies.unpause(person.node_pool()))
    assert not person.node_pool().is_paused


def test_show_describe_and_the_lists_show_the_object(person: Person) -> None:
    node_pool = person.node_pool()
    assert "training-a" in person.pastes(remedies.show(node_pool))
    assert IN_THE_CLOUD in person.pastes(remedies.describe(node_pool))
    assert "training-a" in person.pastes(remedies.list_all())
    assert "training-a" in person.pastes(remedies.list_of_account("default"))


def test_edit_changes_the_object_and_flux_leaves_that_alone(person: Person) -> None:
    person.edits(remedies.edit(person.node_pool()), "s/^  poolName:/  deletionPolicy: Retain\\n  poolName:/")
    assert person.node_pool().spec.deletion_policy == "Retain"
    synced = {"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsNodePool"}
    spec = {"poolName": "pool-3f2c", "nodePoolName": IN_THE_CLOUD}
    Flux(person.api, PATH).sync(synced | {"metadata": {"name": "training-a", "namespace": ML}, "spec": spec})
    assert person.node_pool().spec.deletion_policy == "Retain"


@pytest.mark.parametrize("build", ["delete", "delete_named"])
def test_delete_deletes_this_object_and_waits(person: Person, build: str) -> None:
    person.api.strip(PATH)
    person.pastes(remedies.delete(person.node_pool()) if build == "delete" else remedies.delete_named(ML, "training-a"))
    assert person.api.get(PATH) is None


def test_what_may_refuse_a_write_is_listed(person: Person) -> None:
    policy = {
        "failurePolicy": "Ignore",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": ["none"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["none"]}
            ]
        },
        "validations": [{"expression": "true"}],
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    person.api.create(path, {"metadata": {"name": "theirs.example.com"}, "spec": policy})
    try:
        assert "theirs.example.com" in person.pastes(remedies.show_admission())
    finally:
        person.api.delete(f"{path}/theirs.example.com")


# Accounts and Secrets.


@pytest.mark.parametrize("build", [remedies.create_account, remedies.create_sample_account])
def test_an_account_is_created_from_a_manifest(person: Person, build: Callable[[], str]) -> None:
    person.api.delete(ACCOUNT)
    person.pastes(build())
    assert person.body(ACCOUNT)["spec"]["region"] == "cn-north-4"


def test_accounts_are_shown(person: Person) -> None:
    assert "default" in person.pastes(remedies.list_accounts())
    assert "cn-north-4" in person.pastes(remedies.describe_account("default"))


def in_git(person: Person, **spec: Any) -> None:  # noqa: ANN401 - JSON
    manifest = json.loads(to_json("ModelArtsAccount", {"name": "default"}, ACCOUNT_SPEC | spec))
    Flux(person.api, ACCOUNT).sync(manifest)


def test_a_budget_that_git_does_not_name_is_raised_by_hand_and_stays(person: Person) -> None:
    in_git(person)
    person.edits(
        remedies.edit_account("default"),
        "s/^  region:/  deletionBudget: {max: 20}\\n  region:/; /^  deletionBudget:$/,/window/d",
    )
    assert person.body(ACCOUNT)["spec"]["deletionBudget"]["max"] == 20
    in_git(person)
    assert person.body(ACCOUNT)["spec"]["deletionBudget"]["max"] == 20


def test_a_budget_that_git_names_is_taken_back_which_is_why_the_message_names_git(person: Person) -> None:
    budget = {"max": 2, "window": "1h"}
    in_git(person, deletionBudget=budget)
    person.edits(remedies.edit_account("default"), "s/max: 2$/max: 20/")
    assert person.body(ACCOUNT)["spec"]["deletionBudget"]["max"] == 20
    in_git(person, deletionBudget=budget)
    assert person.body(ACCOUNT)["spec"]["deletionBudget"]["max"] == 2


def test_an_account_is_deleted(person: Person) -> None:
    assert ACCOUNT_FINALIZER not in person.body(ACCOUNT)["metadata"].get("finalizers", [])
    person.pastes(remedies.delete_account("default"))
    assert person.api.get(ACCOUNT) is None


def test_a_secret_is_created_with_its_label_from_files_and_shown_without_its_values(person: Person) -> None:
    person.pastes(remedies.create_secret(NAMESPACE, "key"))
    secret = person.body(f"{secrets_in(NAMESPACE)}/key")
    assert set(secret["data"]) == {"accessKey", "secretKey"}
    assert secret["metadata"]["labels"] == {CREDENTIALS_LABEL: "true"}
    assert "a key" not in person.pastes(remedies.describe_secret(NAMESPACE, "key"))


def test_a_secret_is_labelled_also_where_it_said_otherwise_and_flux_leaves_that_alone(person: Person) -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": NAMESPACE}}
    flux = Flux(person.api, f"{secrets_in(NAMESPACE)}/key")
    flux.sync(manifest)
    person.api.merge(f"{secrets_in(NAMESPACE)}/key", {"metadata": {"labels": {CREDENTIALS_LABEL: "false"}}})
    person.pastes(remedies.label_secret(NAMESPACE, "key"))
    flux.sync(manifest)
    assert person.body(f"{secrets_in(NAMESPACE)}/key")["metadata"]["labels"][CREDENTIALS_LABEL] == "true"


def test_a_secret_is_edited(person: Person) -> None:
    person.pastes(remedies.create_secret(NAMESPACE, "key"))
    person.edits(remedies.edit_secret(NAMESPACE, "key"), "s/accessKey: .*/accessKey: YQ==/")
    assert person.body(f"{secrets_in(NAMESPACE)}/key")["data"]["accessKey"] == "YQ=="


# CRDs and namespaces.


def test_crds_are_shown(person: Person) -> None:
    assert "modelartsnodepools" in person.pastes(remedies.show_definition())
    assert "Established" in person.pastes(remedies.describe_definition(ACCOUNT_CRD))


@pytest.mark.parametrize("owner", ["helm", "kustomize-controller"])
def test_the_crds_of_this_version_are_applied_whoever_installed_others(person: Person, owner: str) -> None:
    crd = yaml.safe_load(
        (REPOSITORY / f"crds/modelarts.huaweicloud.com_{NODE_POOL_CRD.partition('.')[0]}.yaml").read_text()
    )
    columns = crd["spec"]["versions"][0]["additionalPrinterColumns"]
    wanted = [column["name"] for column in columns]
    columns[0]["name"] = "ANOTHER"
    person.api.apply(f"{CRDS}/{NODE_POOL_CRD}", crd, owner)
    without = remedies.apply_definitions().replace(" --force-conflicts", "")
    assert "conflict" in person.pastes(without, code=1)
    person.pastes(remedies.apply_definitions())
    now = person.body(f"{CRDS}/{NODE_POOL_CRD}")["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in now] == wanted


def test_namespaces_are_shown_and_created(person: Person) -> None:
    assert ML in person.pastes(remedies.list_namespaces())
    assert f"kubernetes.io/metadata.name={ML}" in person.pastes(remedies.show_namespace(ML))
    assert eventually(lambda: person.api.get(f"{NAMESPACES}/new") is None)
    person.pastes(remedies.create_namespace("new"))
    assert person.api.get(f"{NAMESPACES}/new")


# The operator itself.


def test_permissions_that_somebody_took_away_are_granted_again(person: Person) -> None:
    role = person.body(CLUSTER_ROLE)
    role["metadata"].pop("managedFields")
    kept = [rule for rule in role["rules"] if "modelartsnodepools" not in rule["resources"]]
    person.api.apply(CLUSTER_ROLE, {**role, "rules": kept, "metadata": {"name": NAME}}, "somebody")
    asked = f"kubectl auth can-i patch modelartsnodepools.modelarts.huaweicloud.com -A --as {USER}"
    assert eventually(lambda: "no" in person.pastes(f"{asked} || true"))
    person.pastes(remedies.apply_permissions())
    assert eventually(lambda: "yes" in person.pastes(f"{asked} || true"))


def test_pods_are_listed(person: Person) -> None:
    person.pastes(remedies.list_pods(NAMESPACE))


@pytest.mark.parametrize("build", [remedies.show_log, remedies.run_in_pod])
def test_what_needs_a_kubelet_is_understood_and_names_the_deployment_of_the_chart(
    person: Person, build: Callable[[str], str]
) -> None:
    said = person.pastes(build(NAMESPACE), code=1)
    assert 'deployments.apps "modelarts-nodepool-operator" not found' in said


# Those that stand elsewhere.

RUN = [row for row in rows() if "why" not in row]


@pytest.mark.parametrize("row", RUN, ids=lambda row: str(row["command"]))
def test_a_command_that_stands_elsewhere_does_what_is_said(person: Person, row: dict[str, Any]) -> None:
    for name in row.get("first", []):
        person.pastes(name)
    said = person.pastes(row.get("run", row["command"]), code=row.get("exit", 0))
    assert row.get("shows", "") in said
