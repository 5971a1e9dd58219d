"""The operator before its CRDs are there, while they go, and while there is no API server: on a cluster of its own."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.controlplane import Binaries, ControlPlane
from modelarts_nodepool.api.names import API_VERSION
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.commands import run
from tests.support.crds import ACCOUNTS, NODE_POOLS, REPOSITORY
from tests.support.definitions import WAITS, install, manifest, says
from tests.support.liveness import eventually
from tests.support.operator import NAME, NAMESPACE, OperatorProcess
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def plane(control_plane_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("own") / "control-plane", control_plane_binaries) as plane:
        plane.kubectl.run("apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "kustomize" / "base"))
        yield plane


@pytest.fixture
def operator(plane: ControlPlane, cloud: Cloud, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Not started yet."""
    identity = plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    operator = OperatorProcess(identity, f"{cloud.region}={cloud.endpoint}", tmp_path / "operator.log")
    yield operator
    operator.end()


@pytest.fixture
def served(plane: ControlPlane, cloud: Cloud, operator: OperatorProcess) -> Iterator[Tenant]:
    """A tenant for as soon as the CRDs are there: call `set_up`."""
    with Api(plane) as api:
        tenant = Tenant(plane, api, cloud, operator)
        yield tenant
        tenant.tear_down()


def remove(plane: ControlPlane) -> None:
    plane.kubectl.run("delete", "crd", NODE_POOLS, ACCOUNTS, "--ignore-not-found", "--timeout=240s")


def test_it_waits_for_its_kinds_says_so_and_serves_when_they_come(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    remove(plane)
    operator.launch()
    apply = "kubectl apply --server-side --force-conflicts -f crds/"
    assert eventually(lambda: says(operator, NODE_POOLS, ACCOUNTS, "not installed", apply)), operator.tail()
    assert any(line["message"].startswith("waiting: ") and NODE_POOLS in line["message"] for line in operator.lines())
    install(plane, NODE_POOLS)
    assert eventually(lambda: says(operator, ACCOUNTS) and not says(operator, NODE_POOLS)), operator.readiness()
    install(plane, ACCOUNTS)
    assert eventually(operator.is_ready), operator.tail()
    served.set_up()
    served.mirrored("training-a")
    served.delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]


def test_doctor_tells_crds_that_are_missing_from_those_of_another_version(plane: ControlPlane) -> None:
    remove(plane)
    assert lines_of_doctor(plane) == {
        "modelartsnodepools": ("Failed", "not installed"),
        "modelartsaccounts": ("Failed", "not installed"),
    }
    install(plane, NODE_POOLS, ACCOUNTS)
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    patch = [{"op": "remove", "path": f"{path}/requireConfirmation"}]
    plane.kubectl.run("patch", "crd", ACCOUNTS, "--type=json", "-p", json.dumps(patch))
    found = lines_of_doctor(plane)
    assert found["modelartsnodepools"][0] == "OK"
    assert found["modelartsaccounts"][0] == "Failed"
    assert "it lacks the field spec.requireConfirmation" in found["modelartsaccounts"][1]


def lines_of_doctor(plane: ControlPlane) -> dict[str, tuple[str, str]]:
    """Result and words about each CRD."""
    done = run("doctor", "-o", "json", "--kubeconfig", str(plane.kubeconfig))
    assert done.returncode == 1, done
    checks = [check for check in json.loads(done.stdout)["checks"] if check["check"].startswith("CRD ")]
    assert all(
        "kubectl apply --server-side --force-conflicts -f crds/" in check["remedy"]
        for check in checks
        if check["remedy"]
    )
    return {check["check"].removeprefix("CRD "): (check["result"], check["message"]) for check in checks}


def test_a_deleted_crd_deletes_no_node_pool_and_new_objects_are_served_without_a_restart(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    served.set_up()
    served.mirrored("training-a")
    served.mirrored("training-b")
    plane.kubectl.run("delete", "crd", NODE_POOLS, "--wait=false")
    message = served.until_blocked("training-a", "CustomResourceDefinitionTerminating")
    served.until_blocked("training-b", "CustomResourceDefinitionTerminating")
    served.wait_for_looks(2)
    assert not served.deletes()
    served.run_as_told(message, "annotate")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    served.patch("training-b", {"spec": {"deletionPolicy": "Retain"}})
    served.until_gone("training-b")
    plane.kubectl.run("wait", "--for=delete", f"crd/{NODE_POOLS}", "--timeout=240s")
    pid = operator.pid
    install(plane, NODE_POOLS)
    assert eventually(lambda: plane.kubectl.run("get", "manp", "-A", check=False).code == 0)
    served.mirrored("training-c")
    served.delete("training-c")
    served.until_gone("training-c")
    assert served.deletes() == ["accepted", "accepted"]
    assert operator.pid == pid


def test_one_kind_that_goes_and_comes_back_is_waited_for_and_served_again(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    pid = operator.pid
    plane.kubectl.run("delete", "crd", ACCOUNTS, "--timeout=240s")
    assert eventually(lambda: says(operator, ACCOUNTS, "not installed")), operator.readiness()
    install(plane, ACCOUNTS)
    assert eventually(operator.is_ready), operator.tail()
    served.set_up()
    served.mirrored("training-a")
    served.delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    assert operator.pid == pid


def test_a_restart_of_the_api_server_is_outlived_and_nothing_is_sent_twice(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    served.set_up()
    served.mirrored("training-a", cloud=SLOW)
    served.mirrored("training-b")
    served.delete("training-a")
    served.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    pid = operator.pid
    plane.restart_apiserver_blocking(4.0)
    served.delete("training-b")
    served.until_gone("training-b")
    served.mirrored("training-c")
    served.finish_delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted", "accepted"]
    assert eventually(operator.is_ready), operator.readiness()
    assert operator.pid == pid


def test_an_object_that_a_tightened_crd_would_refuse_is_deleted_all_the_same(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    served.set_up()
    served.mirrored("training-a")
    tightened = yaml.safe_load(manifest(NODE_POOLS).read_text())
    schema = tightened["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["poolName"]["maxLength"] = 3
    plane.kubectl.run("apply", "--server-side", "-f", "-", stdin=json.dumps(tightened))
    new = json.dumps(a_body(served))
    create = ("create", "--dry-run=server", "-f", "-")
    assert eventually(lambda: "spec.poolName" in plane.kubectl.run(*create, stdin=new, check=False).stderr)
    served.delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    install(plane, NODE_POOLS)
    assert eventually(lambda: plane.kubectl.run(*create, stdin=new, check=False).code == 0)


def a_body(tenant: Tenant) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelArtsNodePool",
        "metadata": {"name": "new", "namespace": tenant.name},
        "spec": {"accountRef": {"name": tenant.name}, "poolName": tenant.resource_pool},
    }


def test_it_can_be_started_while_there_is_no_api_server(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    restarting = threading.Thread(target=plane.restart_apiserver_blocking, args=(8.0,))
    restarting.start()
    try:
        operator.launch()
        assert eventually(lambda: operator.readiness()[0] == WAITS), operator.tail()
    finally:
        restarting.join()
    assert eventually(operator.is_ready, 60), operator.tail()
    served.set_up()
    served.mirrored("training-a")


@pytest.mark.parametrize("is_installed", [True, False], ids=["working", "waiting for the CRDs"])
def test_it_stops_at_once_in_any_state(plane: ControlPlane, operator: OperatorProcess, *, is_installed: bool) -> None:
    if is_installed:
        install(plane, NODE_POOLS, ACCOUNTS)
        operator.start()
    else:
        remove(plane)
        operator.launch()
        assert eventually(lambda: says(operator, "not installed")), operator.tail()
    code, seconds = operator.stop()
    assert code == 0
    assert seconds < 5
