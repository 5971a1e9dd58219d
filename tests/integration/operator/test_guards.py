"""Accidents that are bigger than one object: namespaces, renames, many at once, the last of a resource pool."""

import time
from typing import Any

from tests.support.api import ACCOUNTS, NAMESPACES, events_in, node_pools_in, secrets_in
from tests.support.conditions import condition_of
from tests.support.operator import NAMESPACE
from tests.support.side_by_side import side_by_side
from tests.support.tenant import A_SECOND, SLOW, Tenant


def entries(tenant: Tenant) -> list[dict[str, Any]]:
    """recentDeletions of the account."""
    found = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert found is not None
    return list(found["status"].get("recentDeletions", []))


@side_by_side
def test_an_account_may_ask_for_a_confirmation_that_names_the_node_pool(tenant: Tenant) -> None:
    tenant.change_account(requireConfirmation=True)
    tenant.mirrored("training-a")
    tenant.annotate("training-a", confirm_delete="training-b")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "ConfirmationRequired")
    tenant.wait_for_looks(2)
    assert not tenant.deletes()
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    assert [entry["confirmed"] for entry in entries(tenant)] == [True]


@side_by_side
def test_the_last_node_pool_is_held_until_it_is_overridden(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.cloud.remove_node_pool(tenant.resource_pool, "stays")
    tenant.wait_for_looks(1)
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "LastNodePool")
    assert not tenant.deletes()
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    assert not tenant.cloud.state_of(tenant.resource_pool)


@side_by_side
def test_of_the_last_two_deleted_together_one_goes_and_one_is_held(tenant: Tenant) -> None:
    names = ("training-a", "training-b")
    for name in names:
        tenant.mirrored(name, cloud=SLOW)
    tenant.cloud.remove_node_pool(tenant.resource_pool, "stays")
    tenant.delete(*names)
    tenant.until_true(
        lambda: any(condition_of(tenant.get(name), "DeletionBlocked") for name in names), "one of them held"
    )
    tenant.wait_for_looks(3)
    assert tenant.deletes() == ["accepted"]
    blocked = [condition_of(tenant.get(name), "DeletionBlocked").get("reason") for name in names]
    assert sorted(map(str, blocked)) == ["LastNodePool", "None"]


@side_by_side
def test_a_released_object_stands_in_the_account_s_trail(tenant: Tenant) -> None:
    uid = tenant.mirrored("training-a")["metadata"]["uid"]
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    (sent,) = tenant.cloud.deletes(tenant.resource_pool)
    (entry,) = entries(tenant)
    assert (entry["uid"], entry["outcome"], entry["requestId"]) == (uid, "Gone", sent["requestId"])
    assert entry["sentTime"] <= entry["finishedTime"]
    assert (entry["poolName"], entry["nodePoolName"]) == (tenant.resource_pool, "training-a")


@side_by_side
def test_a_namespace_that_is_deleted_takes_no_node_pool_with_it_unless_that_is_confirmed(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.api.delete(f"{NAMESPACES}/{tenant.name}")
    message = tenant.until_blocked("training-a", "NamespaceTerminating")
    tenant.wait_for_looks(2)
    assert not tenant.deletes()
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_namespace_that_takes_no_events_slows_no_deletion_and_that_is_told_once(tenant: Tenant) -> None:
    other = tenant.another_namespace("lives")
    tenant.change_account(grants=[{"namespaces": [tenant.name, other], "resourcePools": ["*"]}])
    names = ("training-a", "training-b")
    for name in names:
        tenant.mirrored(name)
    tenant.in_cloud("training-c")
    tenant.create("training-c", namespace=other)
    tenant.api.delete(f"{NAMESPACES}/{tenant.name}")
    for name in names:
        tenant.run_as_told(tenant.until_blocked(name, "NamespaceTerminating"), "annotate")
    tenant.until_gone(*names)
    assert tenant.deletes() == ["accepted", "accepted"]

    def told() -> list[str]:
        words = f"namespace {tenant.name} refuses Events"
        return [line["message"] for line in tenant.operator.lines() if words in line["message"]]

    tenant.until_true(told, "that Events are left out")
    # Those of other namespaces go out, after all that were refused.
    path = f"{node_pools_in(other)}/training-c"
    tenant.until_true(lambda: (tenant.api.get(path) or {})["metadata"].get("finalizers"), "protected")
    tenant.api.delete(path)
    events = events_in(other)
    tenant.until_true(
        lambda: "NodePoolGone" in [event["reason"] for event in tenant.api.items(events)], "an event elsewhere"
    )
    assert len(told()) == 1


@side_by_side
def test_a_deletion_whose_secret_is_gone_too_says_so_and_retain_is_the_way_out(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.api.delete(f"{secrets_in(NAMESPACE)}/{tenant.name}")
    tenant.until_ready("training-a", "CredentialsUnavailable", "False")
    tenant.api.delete(f"{NAMESPACES}/{tenant.name}")
    message = tenant.until_blocked("training-a", "CredentialsUnavailable")
    assert f"Secret {NAMESPACE}/{tenant.name} does not exist" in message
    tenant.run_as_told(message, "patch")
    tenant.until_gone("training-a")
    assert not tenant.deletes()
    assert [entry["outcome"] for entry in entries(tenant)] == ["Orphaned"]


@side_by_side
def test_an_object_deleted_before_its_namespace_goes_on(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    tenant.api.delete(f"{NAMESPACES}/{tenant.name}")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_renamed_object_hands_its_node_pool_over(tenant: Tenant) -> None:
    tenant.mirrored("old")
    time.sleep(A_SECOND)
    tenant.create("new", nodePoolName="old")
    tenant.until_ready("new", "DuplicateObject", "False")
    since = tenant.cloud.last
    tenant.delete("old")
    tenant.until_gone("old")
    tenant.until_ready("new")
    tenant.wait_for_looks(2)
    assert not tenant.deletes()
    assert {request["operation"] for request in tenant.cloud.requests(tenant.resource_pool, since=since)} == {
        "list_node_pools"
    }
    tenant.until_event("old", "HandedOver")
    tenant.delete("new")
    tenant.until_gone("new")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_an_object_that_moves_to_another_namespace_keeps_its_node_pool(tenant: Tenant) -> None:
    other = tenant.another_namespace("new")
    tenant.change_account(grants=[{"namespaces": [tenant.name, other], "resourcePools": ["*"]}])
    tenant.mirrored("training-a")
    tenant.create("training-a", namespace=other)
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    path = f"{node_pools_in(other)}/training-a"
    tenant.until_true(
        lambda: condition_of(tenant.api.get(path) or {}, "Ready").get("status") == "True", "the other one ready"
    )
    assert not tenant.deletes()


@side_by_side
def test_two_objects_of_one_node_pool_deleted_together_send_one_delete(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    time.sleep(A_SECOND)
    tenant.create("training-b", nodePoolName="training-a")
    tenant.until_ready("training-b", "DuplicateObject", "False")
    tenant.delete("training-a", "training-b")
    tenant.until_gone("training-a", "training-b")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_an_object_that_is_not_granted_is_no_heir(tenant: Tenant) -> None:
    other = tenant.another_namespace("not-granted")
    tenant.mirrored("training-a")
    tenant.create("training-a", namespace=other)
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_an_account_stays_until_the_last_object_that_names_it_is_gone(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    path = f"{ACCOUNTS}/{tenant.name}"
    tenant.api.delete(path)
    tenant.in_cloud("training-b")
    tenant.create("training-b")
    found = tenant.until_ready("training-b", "AccountTerminating", "False")
    tenant.run_as_told(condition_of(found, "Ready")["message"], "patch")
    tenant.delete("training-b")
    tenant.until_gone("training-b")
    assert not tenant.deletes()
    assert tenant.api.get(path)
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    tenant.until_true(lambda: tenant.api.get(path) is None, "the account gone")


@side_by_side
def test_an_object_whose_finalizer_was_stripped_is_told_on_its_account(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.annotate("training-a", paused="true")
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "Paused")
    tenant.api.strip(tenant.path("training-a"))
    tenant.until_gone("training-a")
    tenant.until_true(
        lambda: [event for event in tenant.api.events_about(tenant.name) if "training-a" in event["message"]],
        "an event on the account",
    )
