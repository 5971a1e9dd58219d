"""why on a real cluster and a false cloud: what it says of an object, and that saying it changes nothing.

No operator runs: the finalizer is put on each object by hand, so that nothing but the command decides.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import CONFIRM_DELETE_POLICY, FOUR_EYES_POLICY, NODE_POOL_FINALIZER
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.commands.options import Place
from modelarts_nodepool.commands.session import open_session
from modelarts_nodepool.modelarts.endpoints import parse_endpoints
from tests.support.api import ACCOUNTS
from tests.support.commands import Done, clean_environment, run
from tests.support.limits import HANGING_SECONDS
from tests.support.operator import NAMESPACE
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long

OPERATOR_RUNS = False
NAME = "training-a"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
READS = {"list_node_pools", "show_pool", "list_node_pool_nodes", "show_node_pool", "list_pools", "list_workloads"}


@pytest.fixture
def tenant(tenant: Tenant) -> Tenant:
    tenant.in_cloud(NAME)
    return tenant


def protected(tenant: Tenant, name: str = NAME, finalizers: tuple[str, ...] = (), **spec: Any) -> None:  # noqa: ANN401 - JSON
    tenant.create(name, finalizers=[NODE_POOL_FINALIZER, *finalizers], **spec)


def ask(tenant: Tenant, *args: str, kubeconfig: Path | None = None, name: str = NAME) -> Done:
    return run(
        *("why", f"{tenant.name}/{name}", "--kubeconfig", str(kubeconfig or tenant.plane.kubeconfig)),
        *("--endpoint", f"{tenant.cloud.region}={tenant.cloud.endpoint}", *args),
    )


def found(tenant: Tenant, exit_code: int = 0, **how: Any) -> dict[str, Any]:  # noqa: ANN401 - see ask
    done = ask(tenant, "-o", "json", **how)
    assert done.returncode == exit_code, done
    assert not done.stderr, done
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def verdicts(answer: dict[str, Any]) -> dict[str, str]:
    """The verdict of each guard, by the reason that it gives or the first that it could give."""
    return {guard["reason"] or guard["reasons"][0]: guard["verdict"] for guard in answer["guards"]}


def test_a_living_object_that_nothing_holds_is_explained_and_nothing_is_written(tenant: Tenant) -> None:
    protected(tenant)
    before, begun, last = tenant.get(NAME)["metadata"]["resourceVersion"], datetime.now(UTC), tenant.cloud.last
    answer = found(tenant)
    assert set(verdicts(answer).values()) == {"passes"}
    assert answer["decision"]["outcome"] == "sends"
    assert answer["decision"]["sentence"] == (
        f"kubectl delete would now delete node pool {NAME} of resource pool {tenant.resource_pool}: every guard "
        "passes. This cannot be undone."
    )
    assert not answer["isBeingDeleted"]
    facts = {fact["fact"]: fact for fact in answer["facts"]}
    assert facts["list_node_pools"]["value"] == f"{NAME}: 2 available; 1 other node pool"
    assert facts["show_pool"]["value"].startswith("pay-per-use")
    assert facts["list_node_pool_nodes"]["value"] == "2 nodes, 0 yearly/monthly, 0 locked"
    assert facts["account"]["value"] == f"{tenant.name} grants {tenant.resource_pool} to {tenant.name}"
    assert all(0 <= fact["ageSeconds"] < HANGING_SECONDS for fact in answer["facts"])
    (billing,) = [guard for guard in answer["guards"] if "BillingUnknown" in guard["reasons"]]
    assert {"show_pool", "list_node_pool_nodes"} <= set(billing["facts"])
    # What it read, and that it wrote nothing: by the records of both servers.
    calls = [call for call in tenant.cloud.requests(since=last) if call["pool"] == tenant.resource_pool]
    assert calls
    assert {call["operation"] for call in calls} <= READS
    assert len(calls) <= 8
    asked = tenant.plane.audit().since(begun).by_agent("modelarts-nodepool-operator/")
    assert {"modelartsnodepools", "modelartsaccounts", "namespaces", "secrets"} <= {event.resource for event in asked}
    assert len(asked.writes()) == 0
    assert tenant.get(NAME)["metadata"]["resourceVersion"] == before
    assert "deletionTimestamp" not in tenant.get(NAME)["metadata"]


async def test_a_bug_in_a_command_could_neither_write_nor_delete(tenant: Tenant) -> None:
    protected(tenant)
    place = Place(
        kubeconfig=str(tenant.plane.kubeconfig),
        context=None,
        operator_namespace=NAMESPACE,
        endpoints=parse_endpoints((f"{tenant.cloud.region}={tenant.cloud.endpoint}",)),
        ca_bundle=None,
        sts_endpoint=None,
        metadata_endpoint=None,
    )
    account = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert account is not None
    async with open_session(place) as session:
        with pytest.raises(AssertionError, match="writes nothing"):
            await session.cluster.json_patch(tenant.path(NAME), [{"op": "remove", "path": "/metadata/finalizers"}])
        with pytest.raises(AssertionError, match="writes nothing"):
            await session.cluster.create(tenant.path(NAME), {})
        with pytest.raises(AssertionError, match="deletes nothing"):
            await session.clouds.call(
                Account.from_body(account), lambda cloud: cloud.delete_node_pool(tenant.resource_pool, NAME)
            )
    assert tenant.is_held(NAME)
    assert not tenant.deletes()


def test_all_that_would_hold_is_named_with_its_commands_and_these_lead_on(tenant: Tenant) -> None:
    protected(tenant, finalizers=("example.com/other",))
    tenant.annotate(NAME, paused="true")
    tenant.cloud.remove_node_pool(tenant.resource_pool, "stays")
    answer = found(tenant)
    shown = {name: verdict for name, verdict in verdicts(answer).items() if verdict != "passes"}
    assert shown == {"Paused": "holds", "OtherFinalizers": "would also hold", "LastNodePool": "would also hold"}
    assert answer["decision"]["reason"] == "Paused"
    words = ask(tenant).stdout
    assert f"{tenant.name}/{NAME} is not being deleted." in words.splitlines()[0]
    assert words.splitlines()[-1] == (
        "kubectl delete would now be held, reason Paused, then OtherFinalizers and LastNodePool; no DELETE is sent, "
        f"and node pool {NAME} of resource pool {tenant.resource_pool} stays."
    )
    messages = {guard["reason"]: guard["message"] for guard in answer["guards"]}
    # Each clause has a line of its own, so that the commands can be copied.
    assert all(f"  {clause}" in words.splitlines() for clause in messages["Paused"].split("; "))
    tenant.run_as_told(messages["Paused"].partition("; or release")[0], "annotate")
    tenant.run_as_told(messages["LastNodePool"].partition("; or release")[0], "annotate")
    assert found(tenant)["decision"]["reason"] == "OtherFinalizers"


def test_of_a_deletion_that_is_held_it_says_what_is_decided_now(tenant: Tenant) -> None:
    pool = tenant.another_resource_pool("y", billingMode="1")
    tenant.in_cloud(NAME, resource_pool=pool)
    protected(tenant, poolName=pool)
    tenant.delete(NAME)
    answer = found(tenant)
    assert answer["isBeingDeleted"]
    assert answer["decision"]["reason"] == "YearlyMonthlyBilling"
    assert answer["decision"]["sentence"].startswith(
        "The deletion is held, reason YearlyMonthlyBilling, then LastNodePool"
    )
    assert any("only the operator's process knows" in remark for remark in answer["remarks"])


def test_a_job_that_runs_on_the_nodes_is_named_before_anything_is_deleted(tenant: Tenant) -> None:
    protected(tenant)
    jobs = [{"name": "resnet50-run-7", "runsOn": [{"nodePool": NAME}]}, {"name": "over", "status": "Completed"}]
    tenant.cloud.put_resource_pool(tenant.resource_pool, workloads=jobs)
    answer = found(tenant)
    assert answer["decision"]["reason"] == "WorkloadsRunning"
    assert "resnet50-run-7" in answer["decision"]["message"]
    (jobs_listed,) = [fact["value"] for fact in answer["facts"] if fact["fact"] == "list_workloads"]
    assert jobs_listed == "1 job on nodes of the resource pool"
    assert answer["decision"]["sentence"].endswith(
        "no DELETE is sent for now; the deletion continues automatically, and may then delete node pool "
        f"{NAME} of resource pool {tenant.resource_pool}."
    )


def test_where_jobs_cannot_be_listed_it_does_not_promise_that_nothing_is_deleted(tenant: Tenant) -> None:
    protected(tenant)
    asked = {"operation": "list_workloads", "resourcePool": tenant.resource_pool}
    tenant.cloud.fault(**asked, times=1, status=200, body="html")
    answer = found(tenant)
    assert answer["decision"]["reason"] == "CloudUnavailable"
    assert "if list_workloads fails for 20 s, the deletion continues unless" in answer["decision"]["message"]
    assert "no DELETE is sent for now; " in answer["decision"]["sentence"]
    tenant.cloud.fault(**asked, times=1, status=403, errorCode="ModelArts.0210")
    answer = found(tenant)
    assert answer["decision"]["outcome"] == "sends"
    assert any(remark.startswith("jobs cannot be listed, because ModelArts denies") for remark in answer["remarks"])


def test_of_nodes_that_are_being_deleted_it_says_that_the_deletion_waits(tenant: Tenant) -> None:
    tenant.in_cloud(NAME, SLOW | {"states": {"deleting": 2}})
    protected(tenant)
    tenant.delete(NAME)
    answer = found(tenant)
    assert answer["decision"]["outcome"] == "waits"
    assert "2 of 2 nodes" in answer["decision"]["sentence"]
    assert verdicts(answer)["LastNodePool"] == "not reached"


def test_without_a_grant_modelarts_is_not_asked_and_the_other_guards_are(tenant: Tenant) -> None:
    protected(tenant)
    tenant.change_account(grants=[])
    last = tenant.cloud.last
    answer = found(tenant)
    shown = verdicts(answer)
    assert shown["NotGranted"] == "holds"
    for reason in ("InvalidObject", "DeletingNodePool", "YearlyMonthlyBilling", "LastNodePool"):
        assert shown[reason] == "not checked"
    assert shown["NamespaceTerminating"] == "passes"
    assert f"kubectl edit maacct {tenant.name}" in answer["decision"]["message"]
    assert not [call for call in tenant.cloud.requests(since=last) if call["pool"] == tenant.resource_pool]


def test_what_is_released_costs_no_call(tenant: Tenant) -> None:
    protected(tenant, deletionPolicy="Retain")
    last = tenant.cloud.last
    answer = found(tenant)
    assert (answer["decision"]["outcome"], answer["decision"]["reason"]) == ("releases", "Retained")
    assert set(verdicts(answer).values()) == {"releases", "not reached"}
    assert not [call for call in tenant.cloud.requests(since=last) if call["pool"] == tenant.resource_pool]


def test_a_duplicate_keeps_the_node_pool(tenant: Tenant) -> None:
    protected(tenant)
    protected(tenant, "other", nodePoolName=NAME)
    answer = found(tenant)
    assert answer["decision"]["reason"] == "HandedOver"
    assert f"{tenant.name}/other" in answer["decision"]["sentence"]


def test_a_node_pool_that_is_gone_and_an_account_that_is_missing(tenant: Tenant) -> None:
    protected(tenant)
    tenant.cloud.remove_node_pool(tenant.resource_pool, NAME)
    assert found(tenant)["decision"]["reason"] == "AlreadyGone"
    tenant.remove_account()
    answer = found(tenant)
    assert answer["decision"]["reason"] == "AccountNotFound"
    assert verdicts(answer)["CustomResourceDefinitionTerminating"] == "passes"


def test_an_object_without_the_finalizer_would_be_forgotten(tenant: Tenant) -> None:
    tenant.create(NAME)
    answer = found(tenant)
    assert (answer["decision"]["outcome"], answer["decision"]["reason"]) == ("forgets", "NotProtected")


def test_policies_that_would_refuse_the_deletion_are_named(tenant: Tenant) -> None:
    """Bound to policies that do not exist: the API server refuses nothing by them."""
    protected(tenant)
    paths = []
    for name in (CONFIRM_DELETE_POLICY, FOUR_EYES_POLICY):
        tenant.api.create(
            BINDINGS, {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Audit"]}}
        )
        paths.append(f"{BINDINGS}/{name}")
    try:
        answer = found(tenant)
        assert answer["decision"]["outcome"] == "refused"
        first, last = answer["decision"]["sentence"].splitlines()
        assert first.startswith(
            f"kubectl delete would now be refused by the admission policy {CONFIRM_DELETE_POLICY}; "
        )
        assert last.startswith(f"Once it is confirmed, kubectl delete would delete node pool {NAME} of ")
        assert any("the user who confirms cannot delete" in remark for remark in answer["remarks"])
        tenant.run_as_told(first, "annotate")
        assert f"refused by the admission policy {FOUR_EYES_POLICY}" in found(tenant)["decision"]["sentence"]
        tenant.annotate(NAME, confirmed_by="a-person")
        answer = found(tenant)
        assert answer["decision"]["outcome"] == "sends"
        assert any("a-person, who confirmed, cannot delete" in remark for remark in answer["remarks"])
    finally:
        for path in paths:
            tenant.api.delete(path)


def test_a_cloud_that_does_not_answer_is_a_hold_and_the_guards_behind_it_are_not_checked(tenant: Tenant) -> None:
    protected(tenant)
    tenant.cloud.fault(operation="list_node_pools", resourcePool=tenant.resource_pool, status=503)
    answer = found(tenant)
    assert answer["decision"]["reason"] == "CloudUnavailable"
    assert verdicts(answer)["LastNodePool"] == "not checked"
    assert any("kubectl -n" in remark and f"why {tenant.name}/{NAME}" in remark for remark in answer["remarks"])


def test_who_may_not_read_the_secret_gets_all_that_needs_no_cloud(tenant: Tenant) -> None:
    protected(tenant)
    tenant.annotate(NAME, paused="yes")
    kubectl = tenant.plane.kubectl
    kubectl.run("create", "serviceaccount", "plain", "-n", tenant.name)
    who = f"--serviceaccount={tenant.name}:plain"
    kubectl.run("create", "rolebinding", "plain", "-n", tenant.name, "--clusterrole=view", who)
    role = f"reads-{tenant.name}"
    kubectl.run("create", "clusterrole", role, "--verb=get,list", "--resource=modelartsnodepools,modelartsaccounts")
    kubectl.run("create", "rolebinding", "objects", "-n", tenant.name, f"--clusterrole={role}", who)
    plain = tenant.plane.service_account_kubeconfig_blocking(tenant.name, "plain")
    try:
        # Neither the account nor the Secret.
        answer = found(tenant, exit_code=1, kubeconfig=plain)
        assert verdicts(answer)["AccountNotFound"] == "not checked"
        assert verdicts(answer)["Paused"] == "holds"
        facts = {fact["fact"]: fact["value"] for fact in answer["facts"]}
        assert facts["account"] == "not known here"
        assert facts["other objects"] == "not known here"
        # Another namespace may have an object of the node pool that the operator cannot read.
        assert verdicts(answer)["DuplicateObject"] == "not checked"
        whys = {guard["whyNotChecked"] for guard in answer["guards"]}
        assert "list_node_pool_nodes, show_pool: not read, because you may not read the account" in whys
        kubectl.run("create", "clusterrolebinding", role, f"--clusterrole={role}", who)
        answer = found(tenant, exit_code=1, kubeconfig=plain)
    finally:
        kubectl.run("delete", "clusterrolebinding,clusterrole", role, "--ignore-not-found")
    shown = verdicts(answer)
    assert (shown["NotGranted"], shown["Paused"]) == ("passes", "holds")
    assert {shown[reason] for reason in ("InvalidObject", "YearlyMonthlyBilling", "LastNodePool")} == {"not checked"}
    assert answer["decision"]["outcome"] == "unknown"
    whys = {guard["whyNotChecked"] for guard in answer["guards"]}
    assert f"ModelArts was not asked: you may not read Secret {NAMESPACE}/{tenant.name}" in whys


def test_a_wrong_name_is_answered_with_names_that_may_be_meant(tenant: Tenant) -> None:
    other = tenant.another_namespace("other")
    tenant.create(NAME, namespace=other)
    done = ask(tenant)
    assert done.returncode == 1
    assert f"there is no ModelArtsNodePool {tenant.name}/{NAME}; objects of that name: " in done.stderr
    assert f"{other}/{NAME}" in done.stderr
    protected(tenant)
    assert f"objects in that namespace: {tenant.name}/{NAME}" in ask(tenant, name="trainingA").stderr


@pytest.fixture(scope="module")
def path_of_a_person(installed: ControlPlane) -> dict[str, str]:
    """PATH with kubectl and with what the wheel installs, and the cluster."""
    folders = (Path(sys.executable).parent, installed.kubectl.binary.parent)
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    return clean_environment(**installed.kubectl.environment()) | {"PATH": path}


def kubectl(environment: dict[str, str], *args: str) -> Done:
    return subprocess.run(  # noqa: S603 - the plugin under test
        ["kubectl", *args],  # noqa: S607 - found on PATH, as a person has it
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGING_SECONDS,
        env=environment,
    )


def test_kubectl_finds_the_plugin_and_its_help_names_it(tenant: Tenant, path_of_a_person: dict[str, str]) -> None:
    protected(tenant)
    endpoint = ("--endpoint", f"{tenant.cloud.region}={tenant.cloud.endpoint}")
    for name in ((f"{tenant.name}/{NAME}",), ("-n", tenant.name, f"manp/{NAME}"), ("-n", tenant.name, NAME)):
        done = kubectl(path_of_a_person, "modelarts", "why", *name, *endpoint)
        assert done.returncode == 0, done
        assert done.stdout.splitlines()[-1].startswith(f"kubectl delete would now delete node pool {NAME} ")
    inventory = kubectl(path_of_a_person, "modelarts", "inventory", "--account", tenant.name, *endpoint)
    assert f"{tenant.name}/{NAME}" in inventory.stdout
    assert kubectl(path_of_a_person, "modelarts", "doctor", "--context", "nowhere").returncode == 2
    words = kubectl(path_of_a_person, "modelarts", "inventory", "--help").stdout
    assert words.startswith("Usage: kubectl modelarts inventory")
    assert "  kubectl modelarts inventory --pool" in words
    assert "modelarts-nodepool inventory" not in words
    # In the Pod there is no kubectl.
    assert "-- \\\n    modelarts-nodepool doctor" in kubectl(path_of_a_person, "modelarts", "doctor", "--help").stdout
    assert kubectl(path_of_a_person, "modelarts", "run").returncode == 2


def test_kubectl_completes_the_plugin_s_words(path_of_a_person: dict[str, str]) -> None:
    said = kubectl(path_of_a_person, "__complete", "modelarts", "")
    assert {line.partition("\t")[0] for line in said.stdout.splitlines()} == {
        "doctor",
        "inventory",
        "uninstall-check",
        "why",
        ":4",
    }
    assert "--namespace" in kubectl(path_of_a_person, "__complete", "modelarts", "why", "--n").stdout
