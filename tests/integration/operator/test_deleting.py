"""What becomes of an object that is deleted while nothing goes wrong, or when the node pool should stay."""

import pytest

from modelarts_nodepool.api.names import (
    API_VERSION,
    CONFIRM_ANNOTATION,
    NODE_POOL_FINALIZER,
    RECONCILE_ANNOTATION,
)
from tests.support.api import ACCOUNTS, node_pools_in
from tests.support.conditions import says
from tests.support.operator import OperatorProcess
from tests.support.side_by_side import side_by_side
from tests.support.tenant import SLOW, Tenant


def is_deleting(found: dict[str, object]) -> bool:
    return says(found, "Reconciling", "True", "DeletingNodePool") and says(found, "Ready", "False", "DeletingNodePool")


@side_by_side
def test_the_object_stays_while_its_node_pool_is_being_deleted_and_goes_when_it_is_gone(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.kubectl("delete", "manp", "training-a", "-n", tenant.name, "--wait=false")
    found = tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "showing its nodes go")
    assert is_deleting(found)
    assert found["metadata"]["finalizers"] == [NODE_POOL_FINALIZER]
    record = found["status"]["deletion"]
    (sent,) = tenant.cloud.deletes(tenant.resource_pool)
    assert (record["attempt"], record["outcome"], record["requestId"]) == (1, "Accepted", sent["requestId"])
    tenant.wait_for_looks(3)
    assert tenant.is_held("training-a")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    tenant.until_event("training-a", "NodePoolGone")
    tenant.until_event("training-a", "DeleteAccepted")
    assert list(tenant.cloud.state_of(tenant.resource_pool)) == ["stays"]


@side_by_side
def test_nothing_is_sent_for_a_node_pool_that_is_gone_already(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.cloud.remove_node_pool(tenant.resource_pool, "training-a")
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert not tenant.deletes()
    tenant.until_event("training-a", "AlreadyGone")


def test_an_object_whose_node_pool_was_removed_in_the_console_goes_by_the_words_of_the_live_api(tenant: Tenant) -> None:
    tenant.cloud.change({"shape": {"notFound": "400-invalid-name"}})
    try:
        tenant.mirrored("training-a")
        tenant.cloud.remove_node_pool(tenant.resource_pool, "training-a")
        tenant.until_ready("training-a", "NodePoolNotFound", "False")
        tenant.delete("training-a")
        tenant.until_gone("training-a")
        assert not tenant.deletes()
        tenant.until_event("training-a", "AlreadyGone")
    finally:
        tenant.cloud.change({"shape": {"notFound": "404"}})


@side_by_side
def test_an_object_that_was_deleted_is_not_told_to_be_deleted_while_the_cloud_does_not_answer(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.cloud.remove_node_pool(tenant.resource_pool, "training-a")
    tenant.until_ready("training-a", "NodePoolNotFound", "False")
    tenant.cloud.fault(operation="show_node_pool", resourcePool=tenant.resource_pool, status=503)
    tenant.delete("training-a")
    found = tenant.until("training-a", is_deleting, "said to be on its way")
    assert all("kubectl delete" not in condition["message"] for condition in found["status"]["conditions"])
    assert tenant.is_held("training-a")
    tenant.cloud.clear_faults()
    tenant.annotate("training-a", reconcile_at="1")
    tenant.until_gone("training-a")
    assert not tenant.deletes()


@side_by_side
def test_an_object_with_a_mistyped_name_goes_once_its_absence_is_proven(tenant: Tenant) -> None:
    tenant.create("trainnig-a")
    tenant.until_ready("trainnig-a", "NodePoolNotFound", "False")
    tenant.delete("trainnig-a")
    tenant.until_gone("trainnig-a")
    assert not tenant.deletes()


@side_by_side
def test_the_second_witness_is_asked_before_an_object_goes(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    since = tenant.cloud.last
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    asked = [request["operation"] for request in tenant.cloud.requests(tenant.resource_pool, since=since)]
    assert "show_node_pool" in asked[asked.index("delete_node_pool") :]


@pytest.mark.parametrize("resources", ["object", "list"])
@pytest.mark.parametrize("not_found", ["404", "400", "400-invalid-name"])
def test_the_object_goes_whichever_way_the_cloud_says_not_found(tenant: Tenant, not_found: str, resources: str) -> None:
    tenant.cloud.change({"shape": {"notFound": not_found, "resources": resources}})
    try:
        tenant.mirrored("training-a", cloud={"deleteSeconds": 0})
        tenant.delete("training-a")
        tenant.until_gone("training-a")
        assert tenant.deletes() == ["accepted"]
    finally:
        tenant.cloud.change({"shape": {"notFound": "404", "resources": "object"}})


@side_by_side
def test_an_object_whose_resource_pool_is_gone_goes_after_list_pools_agrees(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.cloud.remove_resource_pool(tenant.resource_pool)
    tenant.until_ready("training-a", "ResourcePoolNotFound", "False")
    since = tenant.cloud.last
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert not tenant.deletes()
    asked = {request["operation"] for request in tenant.cloud.requests(since=since)}
    assert {"list_pools", "show_pool"} <= asked


@side_by_side
def test_retain_lets_the_object_go_at_once_without_a_call_to_the_cloud(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.patch("training-a", {"spec": {"deletionPolicy": "Retain"}})
    tenant.until_ready("training-a")
    since = tenant.cloud.last
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    asked = tenant.cloud.requests(tenant.resource_pool, since=since)
    assert {request["operation"] for request in asked} <= {"list_node_pools"}, "only the poll that ran before"
    assert not [request for request in asked if request["nodePool"]]
    assert tenant.cloud.state_of(tenant.resource_pool)["training-a"]["states"]["available"] == 2
    tenant.until_event("training-a", "Retained")


@side_by_side
def test_retain_needs_no_account_and_no_cloud(tenant: Tenant) -> None:
    tenant.create("training-a", accountRef={"name": f"{tenant.name}-missing"}, deletionPolicy="Retain")
    tenant.until_ready("training-a", "AccountNotFound", "False")
    tenant.delete("training-a")
    tenant.until_gone("training-a")


@side_by_side
def test_retain_set_while_the_nodes_are_being_deleted_is_told_as_an_orphan(tenant: Tenant) -> None:
    uid = tenant.mirrored("training-a", cloud=SLOW)["metadata"]["uid"]
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    tenant.patch("training-a", {"spec": {"deletionPolicy": "Retain"}})
    tenant.until_gone("training-a")
    tenant.until_event("training-a", "RetainedAfterSend")
    (release,) = [line for line in tenant.operator.lines() if line.get("audit") == "release" and line["uid"] == uid]
    assert release["orphan"] is True
    account = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert account is not None
    assert [entry["outcome"] for entry in account["status"]["recentDeletions"]] == ["RetainedAfterSend"]
    assert tenant.operator.metrics().value("orphans_total") >= 1
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_foreground_deletion_finishes(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.kubectl("delete", "manp", "training-a", "-n", tenant.name, "--cascade=foreground", "--timeout=240s")
    assert not tenant.is_there("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_foreground_deletions_that_are_repeated_finish_with_one_delete(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    for _ in range(3):
        tenant.kubectl("delete", "manp", "training-a", "-n", tenant.name, "--cascade=foreground", "--wait=false")
        tenant.until("training-a", is_deleting, "deleting")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_an_object_out_of_a_backup_pins_its_identity_anew_and_nothing_is_deleted(tenant: Tenant) -> None:
    tenant.in_cloud("training-a")
    body = {
        "apiVersion": API_VERSION,
        "kind": "ModelArtsNodePool",
        "metadata": {
            "name": "training-a",
            "finalizers": [NODE_POOL_FINALIZER],
            "annotations": {CONFIRM_ANNOTATION: "training-a", RECONCILE_ANNOTATION: "long ago"},
        },
        "spec": {"accountRef": {"name": tenant.name}, "poolName": tenant.resource_pool},
        "status": {"deletion": {"attempt": 1, "sentTime": "2020-01-02T03:04:05Z", "outcome": "Accepted"}},
    }
    tenant.api.create(node_pools_in(tenant.name), body)
    found = tenant.until_ready("training-a")
    assert found["status"]["identity"]["nodePoolName"] == "training-a"
    assert "deletion" not in found["status"]
    tenant.wait_for_looks(3)
    assert not tenant.deletes()
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_namespace_goes_whose_objects_retain_their_node_pools(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.patch("training-a", {"spec": {"deletionPolicy": "Retain"}})
    tenant.kubectl("delete", "namespace", tenant.name, "--timeout=240s")
    assert not tenant.deletes()


@side_by_side
def test_a_node_pool_that_is_created_again_by_others_is_not_deleted_twice(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    tenant.cloud.put_node_pool(tenant.resource_pool, "training-a", restore=True, states={"available": 2})
    tenant.until("training-a", lambda found: found["status"]["counts"]["available"] == 2, "showing that it is back")
    tenant.wait_for_looks(3)
    assert tenant.deletes() == ["accepted"]
    assert tenant.is_held("training-a")


@side_by_side
def test_an_object_created_again_under_its_name_is_another_one(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", is_deleting, "deleting")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    tenant.mirrored("training-a")
    tenant.wait_for_looks(3)
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_finalizer_stripped_by_hand_while_held_sends_nothing_for_the_next_object(tenant: Tenant) -> None:
    tenant.cloud.put_resource_pool(tenant.resource_pool, billingMode=None)
    tenant.mirrored("training-a")
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "BillingUnknown")
    tenant.api.strip(tenant.path("training-a"))
    tenant.until_gone("training-a")
    tenant.cloud.put_resource_pool(tenant.resource_pool, billingMode="0")
    tenant.create("training-a")
    tenant.until_ready("training-a")
    tenant.wait_for_looks(3)
    assert not tenant.deletes()


@side_by_side
def test_a_finalizer_stripped_from_a_living_object_comes_back(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.api.strip(tenant.path("training-a"))
    tenant.until_true(lambda: tenant.is_held("training-a"), "our finalizer on the object again")
    tenant.until_event("training-a", "FinalizerRestored")


def test_an_object_deleted_while_the_operator_is_down_is_deleted_when_it_is_back(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    tenant.mirrored("training-a")
    operator.stop()
    tenant.delete("training-a")
    assert tenant.is_held("training-a")
    operator.start()
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


def test_every_delete_and_every_release_is_one_record_in_the_log(tenant: Tenant, operator: OperatorProcess) -> None:
    uid = tenant.mirrored("training-a")["metadata"]["uid"]
    tenant.annotate("training-a", confirm_delete="training-a", confirmed_by="alice\n@example.com")
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    tenant.until_true(lambda: len(audits(operator, uid)) == 2, "two audit records")
    delete, release = audits(operator, uid)
    (sent,) = tenant.cloud.deletes(tenant.resource_pool)
    identity = {
        "region": tenant.cloud.region,
        "projectId": tenant.cloud.project_id,
        "workspace": "0",
        "poolName": tenant.resource_pool,
        "nodePoolName": "training-a",
    }
    assert (delete["audit"], delete["outcome"], delete["requestId"]) == ("delete", "Accepted", sent["requestId"])
    assert (release["audit"], release["outcome"]) == ("release", "Gone")
    assert delete["identity"] == release["identity"] == identity
    assert delete["object"] == release["object"] == f"{tenant.name}/training-a"
    # Who confirmed, on one line, wherever an administrator looks for it.
    who = "alice @example.com"
    assert delete["confirmedBy"] == who
    account = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert account is not None
    assert [entry["confirmedBy"] for entry in account["status"]["recentDeletions"]] == [who]
    tenant.until_true(
        lambda: f", confirmed by {who}" in str(tenant.api.events_about("training-a", tenant.name)),
        "an Event with the user who confirmed",
    )


def audits(operator: OperatorProcess, uid: str) -> list[dict[str, object]]:
    return [line for line in operator.lines() if "audit" in line and line["uid"] == uid]
