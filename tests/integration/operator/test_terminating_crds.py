"""CRDs that are being deleted while their objects are held: each is served, and neither waits for the other."""

from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from tests.support.api import CRDS, Api
from tests.support.cloud import Cloud
from tests.support.crds import ACCOUNTS, NODE_POOLS
from tests.support.definitions import install, says, serve
from tests.support.liveness import eventually
from tests.support.operator import NAME, NAMESPACE, OperatorProcess
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long


def is_terminating(api: Api, crd: str) -> bool:
    found = api.get(f"{CRDS}/{crd}")
    return found is not None and "deletionTimestamp" in found["metadata"]


def delete_crds(plane: ControlPlane, *crds: str) -> None:
    """They stay for as long as objects hold them."""
    plane.kubectl.run("delete", "crd", *crds, "--wait=false")


def serves_by_lists(operator: OperatorProcess, crd: str) -> bool:
    """Ready, and it says why new objects cannot be created; nothing that cannot help is proposed."""
    status, body = operator.readiness()
    return status == 200 and f"The CRD {crd} is being deleted" in body and "kubectl apply" not in body


def are_gone(api: Api, *crds: str) -> bool:
    return all(api.get(f"{CRDS}/{crd}") is None for crd in crds)


def served_anew(plane: ControlPlane, served: Tenant, operator: OperatorProcess, pid: int) -> None:
    """Once the CRDs are there again a new object is, too, by the same process."""
    assert eventually(lambda: says(operator, "not installed", "kubectl apply")), operator.readiness()
    install(plane, NODE_POOLS, ACCOUNTS)
    assert eventually(lambda: plane.kubectl.run("get", "manp,maacct", "-A", check=False).code == 0)
    served.mirrored("training-z")
    assert eventually(operator.is_ready), operator.readiness()
    assert operator.pid == pid


def test_an_operator_that_starts_while_the_crd_of_node_pools_goes_serves_its_objects(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    serve(own_plane, own_operator, served, "training-a", "training-b")
    # Nobody is there to see it begin: the status still says what was before.
    assert own_operator.stop()[0] == 0
    delete_crds(own_plane, NODE_POOLS)
    served.until_true(lambda: served.get("training-b")["metadata"].get("deletionTimestamp"), "deleted")
    assert says_ready(served, "training-b", "True")
    own_operator.start()
    pid = own_operator.pid
    assert eventually(lambda: serves_by_lists(own_operator, NODE_POOLS)), own_operator.readiness()
    message = served.until_blocked("training-a", "CustomResourceDefinitionTerminating")
    served.until_blocked("training-b", "CustomResourceDefinitionTerminating")
    assert says_ready(served, "training-b", "False")
    served.until_true(
        lambda: own_operator.metrics().value("watch_last_event_age_seconds") < 60, "an event of the watch or a list"
    )
    served.run_as_told(message, "annotate")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    served.patch("training-b", {"spec": {"deletionPolicy": "Retain"}})
    served.until_gone("training-b")
    assert eventually(lambda: are_gone(served.api, NODE_POOLS))
    assert served.deletes() == ["accepted"]
    served_anew(own_plane, served, own_operator, pid)


def says_ready(served: Tenant, name: str, status: str) -> bool:
    conditions = served.get(name)["status"]["conditions"]
    return any(found["type"] == "Ready" and found["status"] == status for found in conditions)


def test_the_next_leader_serves_the_objects_of_a_crd_that_goes(
    own_plane: ControlPlane, served: Tenant, cloud: Cloud, tmp_path: Path
) -> None:
    install(own_plane, NODE_POOLS, ACCOUNTS)
    identity = own_plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    one, other = (
        OperatorProcess(identity, f"{cloud.region}={cloud.endpoint}", tmp_path / f"{name}.log", "--leader-election")
        for name in ("one", "other")
    )
    try:
        one.start()
        other.launch()
        assert eventually(other.is_standby), other.tail()
        served.operator = one
        served.set_up()
        served.mirrored("training-a")
        served.mirrored("training-b")
        delete_crds(own_plane, NODE_POOLS)
        served.until_blocked("training-a", "CustomResourceDefinitionTerminating")
        assert one.stop()[0] == 0
        served.operator = other
        assert eventually(other.is_ready), other.tail()
        served.annotate("training-a", confirm_delete="training-a")
        served.until_gone("training-a")
        served.patch("training-b", {"spec": {"deletionPolicy": "Retain"}})
        served.until_gone("training-b")
        assert served.deletes() == ["accepted"]
        assert eventually(lambda: are_gone(served.api, NODE_POOLS))
        served_anew(own_plane, served, other, other.pid)
    finally:
        one.end()
        other.end()


def test_an_operator_that_starts_while_the_crd_of_accounts_goes_still_deletes_by_them(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    serve(own_plane, own_operator, served, "training-a")
    assert own_operator.stop()[0] == 0
    delete_crds(own_plane, ACCOUNTS)
    own_operator.start()
    pid = own_operator.pid
    assert eventually(lambda: serves_by_lists(own_operator, ACCOUNTS)), own_operator.readiness()
    assert is_terminating(served.api, ACCOUNTS), "an object still names an account"
    served.delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    assert eventually(lambda: are_gone(served.api, ACCOUNTS)), "its last account was let go"
    assert eventually(lambda: says(own_operator, "not installed", "kubectl apply")), own_operator.readiness()
    install(own_plane, ACCOUNTS)
    assert eventually(lambda: own_plane.kubectl.run("get", "maacct", check=False).code == 0)
    served.create_account()
    served.mirrored("training-b")
    assert own_operator.pid == pid


def test_an_operator_that_starts_while_both_crds_go_lets_both_go(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    serve(own_plane, own_operator, served, "training-a", "training-b")
    assert own_operator.stop()[0] == 0
    delete_crds(own_plane, NODE_POOLS, ACCOUNTS)
    own_operator.start()
    pid = own_operator.pid
    served.until_blocked("training-a", "CustomResourceDefinitionTerminating")
    served.until_blocked("training-b", "CustomResourceDefinitionTerminating")
    served.annotate("training-a", confirm_delete="training-a")
    served.until_gone("training-a")
    served.patch("training-b", {"spec": {"deletionPolicy": "Retain"}})
    served.until_gone("training-b")
    assert served.deletes() == ["accepted"]
    assert eventually(lambda: are_gone(served.api, NODE_POOLS, ACCOUNTS))
    install(own_plane, NODE_POOLS, ACCOUNTS)
    assert eventually(lambda: own_plane.kubectl.run("get", "manp,maacct", "-A", check=False).code == 0)
    served.create_account()
    served.mirrored("training-c")
    assert own_operator.pid == pid


def test_objects_of_a_crd_that_goes_are_released_although_the_crd_of_accounts_is_gone(
    own_plane: ControlPlane, own_operator: OperatorProcess, served: Tenant
) -> None:
    install(own_plane, NODE_POOLS, ACCOUNTS)
    own_operator.start()
    served.set_up(with_account=False)
    served.create("training-a")
    served.until_true(lambda: served.is_held("training-a"), "protected")
    assert own_operator.stop()[0] == 0
    delete_crds(own_plane, NODE_POOLS, ACCOUNTS)
    assert eventually(lambda: are_gone(served.api, ACCOUNTS)), "no account held it"
    own_operator.start()
    served.until_blocked("training-a", "AccountNotFound")
    served.patch("training-a", {"spec": {"deletionPolicy": "Retain"}})
    served.until_gone("training-a")
    assert eventually(lambda: are_gone(served.api, NODE_POOLS))
    assert not served.deletes()
