"""Objects that another version of the CRD lets in and this version cannot read: on a cluster of its own."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.conditions import condition_of, says
from tests.support.crds import NODE_POOLS, REPOSITORY, until_served
from tests.support.operator import NAME, NAMESPACE, OperatorProcess
from tests.support.tenant import Tenant

STRANGE = "Archive"
ENUM = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/deletionPolicy/enum"


@pytest.fixture(scope="module")
def plane(own_plane: ControlPlane) -> ControlPlane:
    """One whose CRD knows a policy more than this version of the operator."""
    own_plane.kubectl.run("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
    patch = [{"op": "add", "path": f"{ENUM}/-", "value": STRANGE}]
    own_plane.kubectl.run("patch", "crd", NODE_POOLS, "--type=json", "-p", json.dumps(patch))
    until_served(own_plane)
    return own_plane


@pytest.fixture
def tenant(plane: ControlPlane, cloud: Cloud, tmp_path: Path) -> Iterator[Tenant]:
    identity = plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    operator = OperatorProcess(identity, f"{cloud.region}={cloud.endpoint}", tmp_path / "operator.log")
    with Api(plane) as api:
        tenant = Tenant(plane, api, cloud, operator)
        try:
            operator.start()
            tenant.set_up()
            yield tenant
            tenant.tear_down()
        finally:
            operator.end()


def test_what_cannot_be_read_says_so_is_never_acted_for_and_holds_its_twin(tenant: Tenant) -> None:
    for name in ("training-a", "training-b"):
        tenant.mirrored(name)
    for name in ("training-a", "training-b"):
        tenant.until_true(partial(becomes_strange, tenant, name), f"a CRD that lets {STRANGE} in")
    is_told_while_it_lives(tenant, "training-a")

    tenant.create("renamed", nodePoolName="training-b")
    tenant.until_true(lambda: tenant.is_held("renamed"), "a protected twin")
    tenant.delete("renamed")
    words = tenant.until_blocked("renamed", "DuplicateObject")
    names = f"{tenant.name}/training-b also names node pool training-b"
    assert f"{names}, but this version of the operator cannot read that object" in words

    tenant.delete("training-a")
    is_held_and_told_once(tenant, "training-a")
    assert tenant.deletes() == []

    # Readable again, all go their usual ways: one is deleted, the twin hands over to the other.
    for name in ("training-a", "training-b"):
        tenant.patch(name, {"spec": {"deletionPolicy": "Delete"}})
    tenant.until_gone("training-a", "renamed")
    assert tenant.deletes("training-a") == ["accepted"]
    assert tenant.deletes("training-b") == []
    tenant.until_ready("training-b")


def is_told_while_it_lives(tenant: Tenant, name: str) -> None:
    found = tenant.until(name, lambda found: says(found, "Stalled", "True", "InvalidObject"), "stalled")
    assert says(found, "Ready", "False", "InvalidObject")
    assert found["status"]["identity"]["nodePoolName"] == name, "what else stands in the status stays"
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    message = str(condition_of(found, "Stalled")["message"])
    assert "spec.deletionPolicy" in message
    assert STRANGE not in message
    tenant.until_event(name, "InvalidObject")
    tenant.run_as_told(message, "get")


def is_held_and_told_once(tenant: Tenant, name: str) -> None:
    tenant.until_blocked(name, "InvalidObject")
    tenant.until_event(name, "DeletionBlocked")
    found = tenant.get(name)
    assert says(found, "Ready", "False", "DeletionBlocked")
    assert not condition_of(found, "Stalled")
    tenant.wait_for_looks(3)
    assert tenant.get(name)["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]
    assert tenant.is_held(name)


def becomes_strange(tenant: Tenant, name: str) -> bool:
    """The API server takes up a changed CRD a little later."""
    patch = json.dumps({"spec": {"deletionPolicy": STRANGE}})
    done = tenant.plane.kubectl.run("patch", "-n", tenant.name, "manp", name, "--type=merge", "-p", patch, check=False)
    return done.code == 0
