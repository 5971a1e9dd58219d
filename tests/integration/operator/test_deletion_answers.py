"""Every answer that a DELETE can get, or none: never a second one while the first may be in effect."""

from typing import Any

from tests.support.side_by_side import side_by_side
from tests.support.tenant import SLOW, Tenant

# By the name of the object whose first DELETE is answered so.
AFTER_THE_EFFECT: dict[str, dict[str, Any]] = {
    "error": {"status": 500, "effect": "after"},
    "gateway-error": {"status": 502, "effect": "after"},
    "gateway-timeout": {"status": 504, "effect": "after"},
    "conflict": {"status": 409, "effect": "after"},
    "dropped": {"drop": "after"},
    "page": {"body": "html"},
    "truncated": {"body": "truncated"},
    "empty": {"body": "empty"},
    "redirect": {"redirect": "https://example.com/", "effect": "after"},
    "gateway-404": {"status": 404, "errorCode": "APIG.0101", "effect": "after"},
    "accepted": {"status": 202, "effect": "after"},
    "no-content": {"status": 204, "effect": "after"},
}
WITHOUT_EFFECT: dict[str, dict[str, Any]] = {
    "error": {"status": 500},
    "unavailable": {"status": 503},
    "conflict": {"status": 409},
    "dropped": {"drop": "before"},
    "redirect": {"redirect": "https://example.com/"},
    "gateway-404": {"status": 404, "errorCode": "APIG.0101"},
    "not-found": {"status": 404, "errorCode": "ModelArts.50015001"},
    "not-found-400": {"status": 400, "errorMsg": "Record not found"},
    "page": {"status": 200, "body": "html"},
    "accepted": {"status": 202},
}


def faulty(tenant: Tenant, name: str, resource_pool: str, **fault: Any) -> None:  # noqa: ANN401 - JSON
    """Its first DELETE goes wrong."""
    tenant.cloud.fault(operation="delete_node_pool", resourcePool=resource_pool, nodePool=name, times=1, **fault)


def effects(tenant: Tenant, pools: dict[str, str]) -> dict[str, list[str]]:
    return {
        name: [request["effect"] for request in tenant.cloud.deletes(resource_pool)]
        for name, resource_pool in pools.items()
    }


@side_by_side
def test_a_delete_that_took_effect_is_never_sent_again_whatever_was_answered(tenant: Tenant) -> None:
    pools = tenant.everywhere(AFTER_THE_EFFECT, **SLOW)
    for name, resource_pool in pools.items():
        faulty(tenant, name, resource_pool, **AFTER_THE_EFFECT[name])
    tenant.delete(*pools)
    for name in pools:
        tenant.until(name, lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
        tenant.annotate(name, reconcile_at="1")
    tenant.cloud.wait_for_looks(pools.values(), 3)
    assert not [name for name in pools if not tenant.is_held(name)]
    for name, resource_pool in pools.items():
        tenant.cloud.finish_delete(resource_pool, name)
    tenant.until_gone(*pools)
    assert effects(tenant, pools) == {name: ["accepted"] for name in pools}
    for name in pools:
        tenant.until_event(name, "NodePoolGone")


@side_by_side
def test_where_the_effect_is_unknown_the_operator_looks_before_it_sends_again(tenant: Tenant) -> None:
    pools = tenant.everywhere(WITHOUT_EFFECT)
    for name, resource_pool in pools.items():
        faulty(tenant, name, resource_pool, **WITHOUT_EFFECT[name])
    tenant.delete(*pools)
    tenant.until_true(lambda: all(effects(tenant, pools).values()), "a DELETE of each")
    for name in pools:
        tenant.annotate(name, reconcile_at="1")
    tenant.cloud.wait_for_looks(pools.values(), 5)
    assert effects(tenant, pools) == {name: ["none"] for name in pools}
    for name, resource_pool in pools.items():
        record = tenant.get(name)["status"]["deletion"]
        assert record["attempt"] == 1, name
        assert record["sentTime"], name
        tenant.cloud.remove_node_pool(resource_pool, name)
    tenant.until_gone(*pools)
    assert effects(tenant, pools) == {name: ["none"] for name in pools}


@side_by_side
def test_a_node_pool_in_use_is_refused_and_sent_again_when_a_person_asks(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud={"inUse": True})
    tenant.cloud.change({"resourcePools": {tenant.resource_pool: {"controlMode": 8}}})
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "RefusedByModelArts")
    assert "ModelArts.50004000" in message
    assert "is in use" in message
    assert "the resource pool is frozen (arrears)" in message
    tenant.wait_for_looks(4)
    assert tenant.deletes() == ["none"], "refused once, then a pause"
    found = tenant.get("training-a")
    (sent,) = tenant.cloud.deletes(tenant.resource_pool)
    assert found["status"]["deletion"]["lastError"]["requestId"] == sent["requestId"]
    assert found["status"]["deletion"]["outcome"] == "Refused"
    tenant.cloud.put_node_pool(tenant.resource_pool, "training-a", inUse=False)
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["none", "accepted"]


@side_by_side
def test_each_value_of_reconcile_at_sends_one_delete_at_most(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud={"inUse": True})
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "RefusedByModelArts")
    tenant.annotate("training-a", reconcile_at="1")
    tenant.until_true(lambda: len(tenant.deletes()) == 2, "a second DELETE")
    tenant.wait_for_looks(4)
    assert tenant.deletes() == ["none", "none"]
    handled = tenant.until(
        "training-a", lambda found: found["status"].get("lastHandledReconcileAt") == "1", "reconcile-at handled"
    )
    assert handled["status"]["deletion"]["attempt"] == 2


@side_by_side
def test_a_refusal_for_lack_of_permission_is_held_as_the_cloud_s_refusal(tenant: Tenant) -> None:
    tenant.put_key(
        allow=["list_node_pools", "show_node_pool", "show_pool", "list_pools", "list_node_pool_nodes", "list_workloads"]
    )
    tenant.mirrored("training-a")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "RefusedByModelArts")
    assert "ModelArts.0112" in message
    tenant.wait_for_looks(3)
    assert tenant.deletes() == ["none"]


@side_by_side
def test_a_throttled_delete_had_no_effect_and_is_not_hammered(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    faulty(tenant, "training-a", tenant.resource_pool, status=429, retryAfter=20)
    tenant.delete("training-a")
    tenant.until_true(tenant.deletes, "a DELETE")
    tenant.wait_for_looks(4)
    assert tenant.deletes() == ["none"]
    tenant.annotate("training-a", reconcile_at="1")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["none", "accepted"]


@side_by_side
def test_after_an_accepted_delete_a_second_list_stands_in_for_a_show_that_is_forbidden(tenant: Tenant) -> None:
    tenant.put_key(allow=["list_node_pools", "show_pool", "list_node_pool_nodes", "list_workloads", "delete_node_pool"])
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    since = tenant.cloud.last
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    asked = tenant.cloud.requests(tenant.resource_pool, since=since)
    assert 403 in [request["status"] for request in asked if request["operation"] == "show_node_pool"]
    assert [request["operation"] for request in asked].count("list_node_pools") >= 2
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_node_pool_whose_nodes_all_go_already_is_not_sent_a_delete(tenant: Tenant) -> None:
    tenant.in_cloud("training-a", {"states": {"deleting": 2}})
    tenant.create("training-a")
    tenant.until_ready("training-a", "NodesDeleting", "False")
    tenant.delete("training-a")
    tenant.until_ready("training-a", "DeletingNodePool", "False")
    tenant.wait_for_looks(3)
    assert not tenant.deletes()
    tenant.cloud.remove_node_pool(tenant.resource_pool, "training-a")
    tenant.until_gone("training-a")
    assert not tenant.deletes()


def test_a_cloud_that_shows_nothing_of_an_accepted_delete_is_waited_for(tenant: Tenant) -> None:
    tenant.cloud.change({"timings": {"acceptDelaySeconds": 8}})
    try:
        tenant.mirrored("training-a", cloud={"deleteSeconds": 0})
        tenant.delete("training-a")
        tenant.until_true(tenant.deletes, "a DELETE")
        tenant.wait_for_looks(4)
        found = tenant.get("training-a")
        assert found["status"]["counts"]["available"] == 2
        tenant.until_gone("training-a")
        assert tenant.deletes() == ["accepted"]
    finally:
        tenant.cloud.change({"timings": {"acceptDelaySeconds": 0}})
