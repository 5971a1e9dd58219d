"""CRDs that are being deleted while their objects are held: each is served, and neither waits for the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controlplane import Binaries, ControlPlane
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.crds import ACCOUNTS, NODE_POOLS, REPOSITORY
from tests.support.definitions import install, says
from tests.support.liveness import eventually
from tests.support.operator import NAME, NAMESPACE, OperatorProcess
from tests.support.tenant import Tenant

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


def is_terminating(plane: ControlPlane, crd: str) -> bool:
    found = plane.kubectl.run("get", "crd", crd, "-o", "jsonpath={.metadata.deletionTimestamp}", check=False)
    return bool(found.stdout)


def delete_crds(plane: ControlPlane, *crds: str) -> None:
    """They stay for as long as objects hold them."""
    plane.kubectl.run("delete", "crd", *crds, "--wait=false")


def serves_by_lists(operator: OperatorProcess, crd: str) -> bool:
    """Ready, and it says why new objects cannot be created; nothing that cannot help is proposed."""
    status, body = operator.readiness()
    return status == 200 and f"The CRD {crd} is being deleted" in body and "kubectl apply" not in body


def go(plane: ControlPlane, *crds: str) -> bool:
    return all(plane.kubectl.run("get", "crd", crd, check=False).code != 0 for crd in crds)


def served_anew(plane: ControlPlane, served: Tenant, operator: OperatorProcess, pid: int) -> None:
    """Once the CRDs are there again a new object is, too, by the same process."""
    assert eventually(lambda: says(operator, "not installed", "kubectl apply")), operator.readiness()
    install(plane, NODE_POOLS, ACCOUNTS)
    assert eventually(lambda: plane.kubectl.run("get", "manp,maacct", "-A", check=False).code == 0)
    served.mirrored("training-z")
    assert eventually(operator.is_ready), operator.readiness()
    assert operator.pid == pid


def test_an_operator_that_starts_while_the_crd_of_node_pools_goes_serves_its_objects(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    served.set_up()
    served.mirrored("training-a")
    served.mirrored("training-b")
    # Nobody is there to see it begin: the status still says what was before.
    assert operator.stop()[0] == 0
    delete_crds(plane, NODE_POOLS)
    served.until_true(lambda: served.get("training-b")["metadata"].get("deletionTimestamp"), "deleted")
    assert says_ready(served, "training-b", "True")
    operator.start()
    pid = operator.pid
    assert eventually(lambda: serves_by_lists(operator, NODE_POOLS)), operator.readiness()
    message = served.until_blocked("training-a", "CustomResourceDefinitionTerminating")
    served.until_blocked("training-b", "CustomResourceDefinitionTerminating")
    assert says_ready(served, "training-b", "False")
    assert operator.metrics().value("watch_last_event_age_seconds") < 60
    served.run_as_told(message, "annotate")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    served.patch("training-b", {"spec": {"deletionPolicy": "Retain"}})
    served.until_gone("training-b")
    assert eventually(lambda: go(plane, NODE_POOLS))
    assert served.deletes() == ["accepted"]
    served_anew(plane, served, operator, pid)


def says_ready(served: Tenant, name: str, status: str) -> bool:
    conditions = served.get(name)["status"]["conditions"]
    return any(found["type"] == "Ready" and found["status"] == status for found in conditions)


def test_the_next_leader_serves_the_objects_of_a_crd_that_goes(
    plane: ControlPlane, served: Tenant, cloud: Cloud, tmp_path: Path
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    identity = plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
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
        delete_crds(plane, NODE_POOLS)
        served.until_blocked("training-a", "CustomResourceDefinitionTerminating")
        assert one.stop()[0] == 0
        served.operator = other
        assert eventually(other.is_ready, 40), other.tail()
        served.annotate("training-a", confirm_delete="training-a")
        served.until_gone("training-a")
        served.patch("training-b", {"spec": {"deletionPolicy": "Retain"}})
        served.until_gone("training-b")
        assert served.deletes() == ["accepted"]
        assert eventually(lambda: go(plane, NODE_POOLS))
        served_anew(plane, served, other, other.pid)
    finally:
        one.end()
        other.end()


def test_an_operator_that_starts_while_the_crd_of_accounts_goes_still_deletes_by_them(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    served.set_up()
    served.mirrored("training-a")
    assert operator.stop()[0] == 0
    delete_crds(plane, ACCOUNTS)
    operator.start()
    pid = operator.pid
    assert eventually(lambda: serves_by_lists(operator, ACCOUNTS)), operator.readiness()
    assert is_terminating(plane, ACCOUNTS), "an object still names an account"
    served.delete("training-a")
    served.until_gone("training-a")
    assert served.deletes() == ["accepted"]
    assert eventually(lambda: go(plane, ACCOUNTS)), "its last account was let go"
    assert eventually(lambda: says(operator, "not installed", "kubectl apply")), operator.readiness()
    install(plane, ACCOUNTS)
    assert eventually(lambda: plane.kubectl.run("get", "maacct", check=False).code == 0)
    served.create_account()
    served.mirrored("training-b")
    assert operator.pid == pid


def test_an_operator_that_starts_while_both_crds_go_lets_both_go(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    served.set_up()
    served.mirrored("training-a")
    served.mirrored("training-b")
    assert operator.stop()[0] == 0
    delete_crds(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    pid = operator.pid
    served.until_blocked("training-a", "CustomResourceDefinitionTerminating")
    served.until_blocked("training-b", "CustomResourceDefinitionTerminating")
    served.annotate("training-a", confirm_delete="training-a")
    served.until_gone("training-a")
    served.patch("training-b", {"spec": {"deletionPolicy": "Retain"}})
    served.until_gone("training-b")
    assert served.deletes() == ["accepted"]
    assert eventually(lambda: go(plane, NODE_POOLS, ACCOUNTS))
    install(plane, NODE_POOLS, ACCOUNTS)
    assert eventually(lambda: plane.kubectl.run("get", "manp,maacct", "-A", check=False).code == 0)
    served.create_account()
    served.mirrored("training-c")
    assert operator.pid == pid


def test_objects_of_a_crd_that_goes_are_released_although_the_crd_of_accounts_is_gone(
    plane: ControlPlane, operator: OperatorProcess, served: Tenant
) -> None:
    install(plane, NODE_POOLS, ACCOUNTS)
    operator.start()
    served.set_up(with_account=False)
    served.create("training-a")
    served.until_true(lambda: served.is_held("training-a"), "protected")
    assert operator.stop()[0] == 0
    delete_crds(plane, NODE_POOLS, ACCOUNTS)
    assert eventually(lambda: go(plane, ACCOUNTS)), "no account held it"
    operator.start()
    served.until_blocked("training-a", "AccountNotFound")
    served.patch("training-a", {"spec": {"deletionPolicy": "Retain"}})
    served.until_gone("training-a")
    assert eventually(lambda: go(plane, NODE_POOLS))
    assert not served.deletes()
