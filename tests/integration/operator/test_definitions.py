"""The operator before its CRDs are there, while they go, and while there is no API server: on a cluster of its own."""

import json
import threading

import pytest
import yaml

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import API_VERSION
from tests.support.commands import run
from tests.support.crds import ACCOUNTS, NODE_POOLS
from tests.support.definitions import WAITS, install, manifest, says, serve
from tests.support.limits import QUICKLY_SECONDS
from tests.support.liveness import eventually
from tests.support.operator import OperatorProcess
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long


def remove(plane: ControlPlane) -> None:
    plane.kubectl.run("delete", "crd", NODE_POOLS, ACCOUNTS, "--ignore-not-found", "--timeout=240s")


def test_it_waits_for_its_kinds_says_so_and_serves_when_they_come(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    remove(own_plane)
    own_operator.launch()
    apply = "kubectl apply --server-side --force-conflicts -f crds/"
    assert eventually(lambda: says(own_operator, NODE_POOLS, ACCOUNTS, "not installed", apply)), own_operator.tail()
    assert any(
        line["message"].startswith("waiting: ") and NODE_POOLS in line["message"] for line in own_operator.lines()
    )
    install(own_plane, NODE_POOLS)
    assert eventually(lambda: says(own_operator, ACCOUNTS) and not says(own_operator, NODE_POOLS)), (
        own_operator.readiness()
    )
    install(own_plane, ACCOUNTS)
    assert eventually(own_operator.is_ready), own_operator.tail()
    served.set_up()
    served.mirrored("training-a")
    served.delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]


def test_doctor_tells_crds_that_are_missing_from_those_of_another_version(own_plane: ControlPlane) -> None:
    remove(own_plane)
    assert lines_of_doctor(own_plane) == {
        "modelartsnodepools": ("Failed", "not installed"),
        "modelartsaccounts": ("Failed", "not installed"),
    }
    install(own_plane, NODE_POOLS, ACCOUNTS)
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    patch = [{"op": "remove", "path": f"{path}/requireConfirmation"}]
    own_plane.kubectl.run("patch", "crd", ACCOUNTS, "--type=json", "-p", json.dumps(patch))
    found = lines_of_doctor(own_plane)
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
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    serve(own_plane, own_operator, served, "training-a", "training-b")
    own_plane.kubectl.run("delete", "crd", NODE_POOLS, "--wait=false")
    message = served.until_blocked("training-a", "CustomResourceDefinitionTerminating")
    served.until_blocked("training-b", "CustomResourceDefinitionTerminating")
    served.wait_for_looks(2)
    assert not served.deletes()
    served.run_as_told(message, "annotate")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    served.patch("training-b", {"spec": {"deletionPolicy": "Retain"}})
    served.until_gone("training-b")
    own_plane.kubectl.run("wait", "--for=delete", f"crd/{NODE_POOLS}", "--timeout=240s")
    pid = own_operator.pid
    install(own_plane, NODE_POOLS)
    assert eventually(lambda: own_plane.kubectl.run("get", "manp", "-A", check=False).code == 0)
    served.mirrored("training-c")
    served.delete("training-c")
    served.until_gone("training-c")
    assert served.deletes() == ["accepted", "accepted"]
    assert own_operator.pid == pid


def test_one_kind_that_goes_and_comes_back_is_waited_for_and_served_again(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    install(own_plane, NODE_POOLS, ACCOUNTS)
    own_operator.start()
    pid = own_operator.pid
    own_plane.kubectl.run("delete", "crd", ACCOUNTS, "--timeout=240s")
    assert eventually(lambda: says(own_operator, ACCOUNTS, "not installed")), own_operator.readiness()
    install(own_plane, ACCOUNTS)
    assert eventually(own_operator.is_ready), own_operator.tail()
    served.set_up()
    served.mirrored("training-a")
    served.delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    assert own_operator.pid == pid


def test_a_restart_of_the_api_server_is_outlived_and_nothing_is_sent_twice(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    install(own_plane, NODE_POOLS, ACCOUNTS)
    own_operator.start()
    served.set_up()
    served.mirrored("training-a", cloud=SLOW)
    served.mirrored("training-b")
    served.delete("training-a")
    served.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    pid = own_operator.pid
    own_plane.restart_apiserver_blocking(4.0)
    served.delete("training-b")
    served.until_gone("training-b")
    served.mirrored("training-c")
    served.finish_delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted", "accepted"]
    assert eventually(own_operator.is_ready), own_operator.readiness()
    assert own_operator.pid == pid


def test_an_object_that_a_tightened_crd_would_refuse_is_deleted_all_the_same(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    serve(own_plane, own_operator, served, "training-a")
    tightened = yaml.safe_load(manifest(NODE_POOLS).read_text())
    schema = tightened["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["poolName"]["maxLength"] = 3
    own_plane.kubectl.run("apply", "--server-side", "-f", "-", stdin=json.dumps(tightened))
    new = json.dumps(a_body(served))
    create = ("create", "--dry-run=server", "-f", "-")
    assert eventually(lambda: "spec.poolName" in own_plane.kubectl.run(*create, stdin=new, check=False).stderr)
    served.delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    install(own_plane, NODE_POOLS)
    assert eventually(lambda: own_plane.kubectl.run(*create, stdin=new, check=False).code == 0)


def a_body(tenant: Tenant) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelArtsNodePool",
        "metadata": {"name": "new", "namespace": tenant.name},
        "spec": {"accountRef": {"name": tenant.name}, "poolName": tenant.resource_pool},
    }


def test_it_can_be_started_while_there_is_no_api_server(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    install(own_plane, NODE_POOLS, ACCOUNTS)
    restarting = threading.Thread(target=own_plane.restart_apiserver_blocking, args=(8.0,))
    restarting.start()
    try:
        own_operator.launch()
        assert eventually(lambda: own_operator.readiness()[0] == WAITS), own_operator.tail()
    finally:
        restarting.join()
    assert eventually(own_operator.is_ready), own_operator.tail()
    served.set_up()
    served.mirrored("training-a")


@pytest.mark.parametrize("is_installed", [True, False], ids=["working", "waiting for the CRDs"])
def test_it_stops_at_once_in_any_state(
    own_plane: ControlPlane, own_operator: OperatorProcess, *, is_installed: bool
) -> None:
    if is_installed:
        install(own_plane, NODE_POOLS, ACCOUNTS)
        own_operator.start()
    else:
        remove(own_plane)
        own_operator.launch()
        assert eventually(lambda: says(own_operator, "not installed")), own_operator.tail()
    code, seconds = own_operator.stop()
    assert code == 0
    assert seconds < QUICKLY_SECONDS
