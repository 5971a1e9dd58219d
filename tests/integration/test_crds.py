"""The CRDs on a real API server: what they are called, what they show, what they fill in."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import API_VERSION, GROUP, NODE_POOL_FINALIZER
from tests.support.crds import ACCOUNT_SPEC, ACCOUNTS, NODE_POOL_SPEC, NODE_POOLS, Cluster
from tests.support.liveness import eventually
from tools.reference import walk


@pytest.fixture(scope="module")
def served(crds: ControlPlane) -> dict[str, Any]:
    """The schemas that the API server publishes, by kind; it does so a moment after a CRD is established."""

    def published() -> dict[str, Any]:
        text = crds.kubectl.run("get", "--raw", f"/openapi/v3/apis/{API_VERSION}", check=False).stdout
        schemas = json.loads(text)["components"]["schemas"] if text else {}
        return {name.rsplit(".", 1)[-1]: schema for name, schema in schemas.items()}

    eventually(lambda: {"ModelArtsNodePool", "ModelArtsAccount"} <= set(published()))
    return published()


def test_the_api_server_has_no_complaint_about_the_crds(crds: ControlPlane) -> None:
    for name in (NODE_POOLS, ACCOUNTS):
        crd = json.loads(crds.kubectl.run("get", "crd", name, "-o", "json").stdout)
        conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("kind", ["ModelArtsNodePool", "ModelArtsAccount"])
def test_every_field_that_the_api_server_publishes_has_a_description(served: dict[str, Any], kind: str) -> None:
    fields = [(path, field) for path, field, _ in walk(served[kind], "") if path != ".metadata"]
    assert len(fields) > 20
    assert [path for path, field in fields if not field.get("description")] == []


@pytest.mark.usefixtures("served")
def test_kubectl_explain_prints_the_fields_and_their_meaning(cluster: Cluster) -> None:
    tree = cluster.run("explain", "manp", "--recursive")
    assert all(f"{field}\t" in tree for field in ("poolName", "deletionPolicy", "acceptedTime", "lastTransitionTime"))
    for field, words in (
        ("manp.spec.deletionPolicy", "permanently deletes the node pool in the cloud"),
        ("maacct.spec.grants", "Nothing is granted by default."),
    ):
        # kubectl wraps lines.
        assert words in " ".join(cluster.run("explain", field).split())


def test_a_minimal_node_pool_gets_its_defaults_and_reads_as_in_progress(cluster: Cluster) -> None:
    created = cluster.create(cluster.node_pool())
    assert created["spec"] == {"poolName": "pool-a", "accountRef": {"name": "default"}, "deletionPolicy": "Delete"}
    assert created["status"] == {"observedGeneration": -1}


def test_a_minimal_account_gets_its_defaults_and_reads_as_in_progress(cluster: Cluster) -> None:
    created = cluster.create(cluster.account({}))
    assert created["spec"] == ACCOUNT_SPEC | {
        "workspace": "0",
        "credentials": {"source": "Secret", "secretName": "key"},
        "pollInterval": "1m",
        "activePollInterval": "10s",
        "requireConfirmation": False,
        "runningWorkloads": "Hold",
    }
    assert created["status"] == {"observedGeneration": -1}


STATUS = {
    "observedGeneration": 1,
    "counts": {"creating": 1, "available": 20, "abnormal": 3, "deleting": 4},
    "nodePool": {"flavor": "gpu.t4", "count": 28, "maxCount": 30, "azs": [{"az": "az-1", "count": 28}]},
    "identity": {
        "region": "cn-north-4",
        "projectId": "0123",
        "workspace": "0",
        "poolName": "pool-a",
        "nodePoolName": "training-a",
    },
    "conditions": [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": f"{kind} text",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }
        for kind, status, reason in (
            ("Reconciling", "True", "DeletionBlocked"),
            ("Ready", "False", "DeletionBlocked"),
            ("NodesHealthy", "False", "NodesAbnormal"),
            ("DeletionBlocked", "True", "LastNodePool"),
        )
    ],
}


def table(text: str) -> dict[str, str]:
    """The one row that kubectl printed, by column."""
    head, row = text.rstrip("\n").split("\n")
    starts = [match.start() for match in re.finditer(r"(?:^|(?<=\s))\S", head)]
    cuts = list(zip(starts, [*starts[1:], None], strict=True))
    return {head[start:end].strip(): row[start:end].strip() for start, end in cuts}


def test_kubectl_get_shows_the_columns_of_the_design(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool())
    written = cluster.patch("training-a", {"status": STATUS}, "--subresource=status")
    assert written["status"] == STATUS
    row = table(cluster.run("get", "manp", "-n", cluster.namespace, "-o", "wide"))
    assert row.pop("AGE")
    assert row == {
        "NAME": "training-a",
        "POOL": "pool-a",
        "NODEPOOL": "training-a",
        "READY": "False",
        "REASON": "DeletionBlocked",
        "CREATING": "1",
        "AVAILABLE": "20",
        "ABNORMAL": "3",
        "DELETING": "4",
        "ACCOUNT": "default",
        "FLAVOR": "gpu.t4",
        "POLICY": "Delete",
        "HEALTHY": "False",
        "BLOCKED": "LastNodePool",
        "MESSAGE": "Ready text",
    }
    narrow = table(cluster.run("get", "manp", "-n", cluster.namespace))
    assert list(narrow) == [
        "NAME", "POOL", "NODEPOOL", "READY", "REASON", "CREATING", "AVAILABLE", "ABNORMAL", "DELETING", "AGE",
    ]  # fmt: skip


def test_kubectl_get_shows_an_account_and_why_it_is_not_ready(cluster: Cluster) -> None:
    cluster.create(cluster.account({}))
    conditions = [STATUS["conditions"][1] | {"reason": "SecretNotFound"}]  # type: ignore[index]
    patch = json.dumps({"status": {"observedGeneration": 1, "conditions": conditions}})
    cluster.run("patch", "maacct", cluster.namespace, "--subresource=status", "--type=merge", "-p", patch)
    row = table(cluster.run("get", "maacct", cluster.namespace, "-o", "wide"))
    assert row.pop("AGE")
    assert row == {
        "NAME": cluster.namespace,
        "REGION": "cn-north-4",
        "PROJECT": "0123",
        "READY": "False",
        "REASON": "SecretNotFound",
        "WORKSPACE": "0",
        "SOURCE": "Secret",
        "MESSAGE": "Ready text",
    }


def test_conditions_are_told_apart_by_their_type(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool())
    twice = json.dumps({"status": {"conditions": [STATUS["conditions"][0]] * 2}})  # type: ignore[index]
    said = cluster.refused(
        "patch", "manp", "training-a", "-n", cluster.namespace, "--subresource=status", "--type=merge", "-p", twice
    )
    assert "Duplicate value" in said


def test_the_category_lists_both_kinds(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool())
    cluster.create(cluster.account({}))
    listed = cluster.run("get", "modelarts", "-n", cluster.namespace, "-o", "name").split()
    assert f"modelartsnodepool.{GROUP}/training-a" in listed
    assert f"modelartsaccount.{GROUP}/{cluster.namespace}" in listed


def test_node_pools_can_be_selected_by_resource_pool_and_account(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool(name="one"))
    cluster.create(cluster.node_pool({"poolName": "pool-b"}, name="two"))
    cluster.create(cluster.node_pool(NODE_POOL_SPEC | {"accountRef": {"name": "other"}}, name="three"))

    def selected(selector: str) -> list[str]:
        found = cluster.run("get", "manp", "-n", cluster.namespace, "--field-selector", selector, "-o", "name")
        return [line.partition("/")[2] for line in found.split()]

    assert selected("spec.poolName=pool-a") == ["one", "three"]
    assert selected("spec.accountRef.name=other") == ["three"]
    assert selected("spec.poolName=pool-b,spec.accountRef.name=default") == ["two"]


HELD = [NODE_POOL_FINALIZER]


def test_finalizers_come_and_status_is_written_and_finalizers_go(cluster: Cluster) -> None:
    """What the operator does with an object, with the tests of uid and resourceVersion that it adds."""
    created = cluster.create(cluster.node_pool())
    cluster.patch("training-a", [*fence(created), {"op": "add", "path": "/metadata/finalizers", "value": HELD}])
    cluster.run("delete", "manp", "training-a", "-n", cluster.namespace, "--wait=false")
    deleting = cluster.get("manp", "training-a")
    assert deleting["metadata"]["deletionTimestamp"]
    status = {"op": "add", "path": "/status", "value": STATUS}
    cluster.patch("training-a", [*fence(deleting), status], "--subresource=status")
    last = cluster.get("manp", "training-a")
    cluster.run(*cluster.patching("training-a", [*fence(last), {"op": "remove", "path": "/metadata/finalizers"}]))
    assert "NotFound" in cluster.refused("get", "manp", "training-a", "-n", cluster.namespace)


def test_a_finalizer_cannot_be_added_to_an_object_that_is_being_deleted(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool(finalizers=["example.com/other"]))
    cluster.run("delete", "manp", "training-a", "-n", cluster.namespace, "--wait=false")
    late = [{"op": "add", "path": "/metadata/finalizers/-", "value": NODE_POOL_FINALIZER}]
    assert "no new finalizers can be added" in cluster.patch_refused("training-a", late)


def fence(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": f"/metadata/{key}", "value": body["metadata"][key]} for key in ("uid", "resourceVersion")
    ]
