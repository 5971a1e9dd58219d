"""What status says about objects that live, state by state, and that nothing it says is made up."""

from typing import Any

import pytest

from tests.support.api import ACCOUNTS, NAMESPACES
from tests.support.conditions import condition_of, says
from tests.support.operator import OperatorProcess
from tests.support.side_by_side import side_by_side
from tests.support.tenant import Tenant


@side_by_side
def test_counts_shape_and_identity_are_mirrored(tenant: Tenant) -> None:
    states = {"creating": 1, "available": 2, "abnormal": 3, "deleting": 4}
    zones = [{"az": "cn-north-4a", "count": 6}, {"az": "cn-north-4b", "count": 4}]
    tenant.in_cloud("training-a", {"states": states, "count": 10, "maxCount": 12, "flavor": "npu.8", "azs": zones})
    tenant.create("training-a")
    found = tenant.until_ready("training-a")
    assert found["status"]["counts"] == states
    assert found["status"]["nodePool"] == {"flavor": "npu.8", "count": 10, "maxCount": 12, "azs": zones}
    assert found["status"]["identity"] == {
        "region": tenant.cloud.region,
        "projectId": tenant.cloud.project_id,
        "workspace": "0",
        "poolName": tenant.resource_pool,
        "nodePoolName": "training-a",
    }
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    shown = tenant.kubectl("get", "manp", "training-a", "-n", tenant.name, "--no-headers").split()
    assert shown[1:9] == [tenant.resource_pool, "training-a", "True", "NodesAvailable", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("states", "count", "ready", "reason", "healthy", "reconciling"),
    [
        ({"available": 1}, 1, "True", "NodesAvailable", "AllNodesHealthy", False),
        ({"available": 1, "abnormal": 1}, 2, "True", "NodesAvailable", "NodesAbnormal", False),
        ({"available": 1}, 3, "True", "NodesAvailable", "NodesMissing", False),
        ({}, 0, "True", "NodePoolEmpty", "AllNodesHealthy", False),
        ({"creating": 2}, 2, "False", "NodesCreating", "AllNodesHealthy", True),
        ({"deleting": 2}, 2, "False", "NodesDeleting", "AllNodesHealthy", True),
        ({"abnormal": 2}, 2, "False", "NoNodesAvailable", "NodesAbnormal", False),
    ],
    ids=str,
)
def test_ready_and_nodes_healthy_follow_the_counts(
    tenant: Tenant,
    states: dict[str, int],
    count: int,
    ready: str,
    reason: str,
    healthy: str,
    *,
    reconciling: bool,
) -> None:
    tenant.in_cloud("training-a", {"states": states, "count": count})
    tenant.create("training-a")
    found = tenant.until_ready("training-a", reason, ready)
    assert condition_of(found, "NodesHealthy")["reason"] == healthy
    assert bool(condition_of(found, "Reconciling")) is reconciling
    assert not condition_of(found, "Stalled")


@pytest.mark.parametrize("said", ["maxCount", "azs"])
def test_nodes_are_counted_by_whatever_number_the_cloud_gives(tenant: Tenant, said: str) -> None:
    tenant.cloud.change({"shape": {"counts": said}})
    try:
        tenant.in_cloud("training-a", {"states": {"available": 2, "abnormal": 1}, "count": 3})
        tenant.create("training-a")
        found = tenant.until_ready("training-a")
        assert found["status"]["counts"] == {"creating": 0, "available": 2, "abnormal": 1, "deleting": 0}
        assert found["status"]["nodePool"]["count"] == 3
        assert "2 of 3 nodes" in condition_of(found, "Ready")["message"]
    finally:
        tenant.cloud.change({"shape": {"counts": "all"}})


@side_by_side
def test_a_node_that_turns_abnormal_is_shown_and_told_once(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    assert not tenant.events("training-a"), "a normal creation has no event"
    tenant.in_cloud("training-a", {"states": {"available": 1, "abnormal": 1}})
    tenant.until(
        "training-a", lambda found: says(found, "NodesHealthy", "False", "NodesAbnormal"), "showing the abnormal node"
    )
    tenant.until_event("training-a", "NodesAbnormal")
    tenant.wait_for_looks(3)
    assert tenant.events("training-a") == ["NodesAbnormal"]


@side_by_side
def test_abnormal_nodes_are_named_by_one_call_for_each_change_of_their_number(tenant: Tenant) -> None:
    def named(*nodes: str) -> None:
        tenant.until(
            "training-a",
            lambda found: all(node in condition_of(found, "NodesHealthy")["message"] for node in nodes),
            f"naming {', '.join(nodes)}",
        )

    prefix = f"os-node-{tenant.resource_pool}-training-a"
    tenant.mirrored("training-a", cloud={"count": 4})
    states = {"states": {"available": 3, "abnormal": 1}, "abnormalMessage": "GPU lost"}
    tenant.in_cloud("training-a", states)
    named(f"1 of 4 nodes of node pool training-a are abnormal: {prefix}-0003 (Abnormal: GPU lost); check")
    tenant.wait_for_looks(4)
    assert len(tenant.cloud.requests(tenant.resource_pool, "list_node_pool_nodes")) == 1
    tenant.cloud.change({"resourcePools": {tenant.resource_pool: {"controlMode": 8}}})
    tenant.in_cloud("training-a", {"states": {"available": 2, "abnormal": 2}})
    named(f"{prefix}-0002", f"{prefix}-0003", "the resource pool is frozen (arrears)")
    tenant.wait_for_looks(4)
    assert len(tenant.cloud.requests(tenant.resource_pool, "list_node_pool_nodes")) == 2
    assert len(tenant.cloud.requests(tenant.resource_pool, "show_pool")) == 2


@side_by_side
def test_abnormal_nodes_that_cannot_be_read_are_counted_all_the_same(tenant: Tenant) -> None:
    tenant.cloud.fault(operation="list_node_pool_nodes", resourcePool=tenant.resource_pool, status=403)
    tenant.in_cloud("training-a", {"states": {"available": 1, "abnormal": 1}})
    tenant.create("training-a")
    found = tenant.until_ready("training-a")
    message = condition_of(found, "NodesHealthy")["message"]
    assert message == "1 of 2 nodes of node pool training-a are abnormal; check them in the ModelArts console"
    tenant.wait_for_looks(4)
    assert len(tenant.cloud.requests(tenant.resource_pool, "list_node_pool_nodes")) == 1


@side_by_side
def test_a_missing_account_is_named_and_found_as_soon_as_it_is_there(tenant: Tenant) -> None:
    account = f"{tenant.name}-late"
    tenant.in_cloud("training-a")
    tenant.create("training-a", accountRef={"name": account})
    found = tenant.until_ready("training-a", "AccountNotFound", "False")
    assert account in condition_of(found, "Ready")["message"]
    assert says(found, "Reconciling", "True", "AccountNotFound"), "not Stalled at once: GitOps tools would give up"
    assert not condition_of(found, "Stalled")
    tenant.create_account(account)
    tenant.until_ready("training-a")


@side_by_side
def test_what_is_not_granted_is_not_looked_at(tenant: Tenant) -> None:
    tenant.change_account(grants=[{"namespaces": ["another"], "resourcePools": ["*"]}])
    tenant.in_cloud("training-a")
    tenant.create("training-a")
    tenant.until_ready("training-a", "NotGranted", "False")
    assert not tenant.cloud.requests(tenant.resource_pool)
    tenant.change_account(grants=[{"namespaces": [tenant.name], "resourcePools": [tenant.resource_pool]}])
    tenant.until_ready("training-a")


@side_by_side
def test_a_grant_by_label_follows_the_namespace(tenant: Tenant) -> None:
    selector = {"matchLabels": {"team": tenant.name}}
    tenant.change_account(grants=[{"namespaceSelector": selector, "resourcePools": ["*"]}])
    tenant.in_cloud("training-a")
    tenant.create("training-a")
    tenant.until_ready("training-a", "NotGranted", "False")
    tenant.api.merge(f"{NAMESPACES}/{tenant.name}", {"metadata": {"labels": {"team": tenant.name}}})
    tenant.until_ready("training-a")
    tenant.api.merge(f"{NAMESPACES}/{tenant.name}", {"metadata": {"labels": {"team": None}}})
    tenant.until_ready("training-a", "NotGranted", "False")


@side_by_side
def test_an_absent_node_pool_is_told_with_those_that_are_there(tenant: Tenant) -> None:
    tenant.create("trainnig-a")
    found = tenant.until_ready("trainnig-a", "NodePoolNotFound", "False")
    assert "stays" in condition_of(found, "Ready")["message"]
    assert "identity" not in found["status"], "nothing was seen, so nothing is pinned"
    tenant.in_cloud("trainnig-a")
    tenant.until_ready("trainnig-a")


@side_by_side
def test_an_absent_resource_pool_is_told_apart_from_an_absent_node_pool(tenant: Tenant) -> None:
    tenant.create("training-a", poolName=f"{tenant.resource_pool}-nowhere")
    tenant.until_ready("training-a", "ResourcePoolNotFound", "False")


@side_by_side
def test_an_account_that_is_created_again_for_another_project_changes_no_object(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.remove_account()
    tenant.until_ready("training-a", "AccountNotFound", "False")
    tenant.create_account(projectId="fedcba9876543210fedcba9876543210")
    found = tenant.until_ready("training-a", "IdentityMismatch", "False")
    assert found["status"]["identity"]["projectId"] == tenant.cloud.project_id
    tenant.remove_account()
    tenant.create_account()
    tenant.until_ready("training-a")


def test_an_account_that_is_created_again_within_one_burst_of_events_is_followed(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    """Kopf has a worker for each uid: the last events of the former account come after the first one of the new."""
    tenant.mirrored("training-a")
    path = f"{ACCOUNTS}/{tenant.name}"
    operator.hold_still()
    try:
        for number in range(5):
            tenant.api.merge(path, {"metadata": {"labels": {"example.com/number": str(number)}}})
        tenant.remove_account()
        tenant.create_account()
    finally:
        operator.go_on()
    tenant.until_true(lambda: (tenant.api.get(path) or {})["metadata"].get("finalizers"), "the new account in use")


GARBAGE: dict[str, dict[str, Any]] = {
    "negative": {"body": "negativeCounts"},
    "no-items": {"body": "itemsMissing"},
    "page": {"body": "html"},
    "truncated": {"body": "truncated"},
    "empty": {"body": "empty"},
    "huge": {"body": "huge"},
    "error": {"status": 503},
    "dropped": {"drop": "before"},
    "redirect": {"redirect": "https://example.com/"},
    "gateway-404": {"status": 404, "errorCode": "APIG.0101"},
}


def test_garbage_from_the_cloud_leaves_the_status_as_it_was(tenant: Tenant) -> None:
    pools = tenant.everywhere(GARBAGE)
    before = {name: tenant.get(name) for name in pools}
    for name, resource_pool in pools.items():
        tenant.cloud.fault(operation="list_node_pools", resourcePool=resource_pool, **GARBAGE[name])
    tenant.cloud.wait_for_looks(pools.values(), 3)
    assert {name: tenant.get(name) for name in pools} == before
    for name, resource_pool in pools.items():
        tenant.in_cloud(name, {"states": {"available": 1, "abnormal": 1}}, resource_pool)
    tenant.cloud.clear_faults()
    for name in pools:
        tenant.until(name, lambda found: found["status"]["counts"]["abnormal"] == 1, "showing the abnormal node")


@side_by_side
def test_no_permission_is_told_and_mended_without_a_restart(tenant: Tenant) -> None:
    tenant.put_key(allow=[])
    tenant.in_cloud("training-a")
    tenant.create("training-a")
    tenant.until_ready("training-a", "PermissionDenied", "False")
    tenant.cloud.put_key(f"AK{tenant.name}", allow=["list_node_pools"])
    tenant.until_ready("training-a")


@side_by_side
def test_paused_is_shown_beside_the_rest_and_stops_no_observation(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.annotate("training-a", paused="true")
    found = tenant.until("training-a", lambda found: says(found, "Paused", "True", "Paused"), "paused")
    assert says(found, "Ready", "True", "NodesAvailable")
    tenant.in_cloud("training-a", {"states": {"available": 1, "abnormal": 1}})
    tenant.until("training-a", lambda found: found["status"]["counts"]["abnormal"] == 1, "showing the abnormal node")
    tenant.annotate("training-a", paused=None)
    tenant.until("training-a", lambda found: not condition_of(found, "Paused"), "not paused any more")


@side_by_side
def test_reconcile_at_is_answered_after_a_fresh_look(tenant: Tenant) -> None:
    tenant.change_account(pollInterval="1h", activePollInterval="1h")
    tenant.in_cloud("training-a")
    tenant.create("training-a")
    tenant.until_ready("training-a")
    tenant.in_cloud("training-a", {"states": {"available": 1, "abnormal": 1}})
    tenant.annotate("training-a", reconcile_at="now")
    found = tenant.until(
        "training-a", lambda found: found["status"].get("lastHandledReconcileAt") == "now", "reconcile-at handled"
    )
    assert found["status"]["counts"]["abnormal"] == 1


@side_by_side
def test_what_others_write_into_status_is_put_right(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    broken = {"status": {"counts": {"creating": 0, "available": 99, "abnormal": 0, "deleting": 0}}}
    tenant.api.merge(f"{tenant.path('training-a')}/status", broken)
    tenant.until("training-a", lambda found: found["status"]["counts"]["available"] == 2, "put right")


@side_by_side
def test_the_account_says_whether_its_credentials_work(tenant: Tenant) -> None:
    path = f"{ACCOUNTS}/{tenant.name}"
    tenant.mirrored("training-a")
    tenant.until_true(lambda: says(tenant.api.get(path) or {}, "Ready", "True", "CredentialsValid"), "CredentialsValid")


@side_by_side
def test_an_object_of_the_default_account_s_name_is_not_served_by_another(tenant: Tenant) -> None:
    tenant.in_cloud("training-a")
    tenant.create("training-a", accountRef=None)
    tenant.until_ready("training-a", "AccountNotFound", "False")
    assert tenant.get("training-a")["spec"]["accountRef"] == {"name": "default"}
