"""Deletions that are held: why is said within seconds, nothing is sent, and the command that is shown lifts it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.conditions import condition_of, says
from tests.support.side_by_side import side_by_side
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long


@side_by_side
def test_a_yearly_monthly_resource_pool_is_never_asked_to_be_deleted(tenant: Tenant) -> None:
    tenant.cloud.put_resource_pool(tenant.resource_pool, billingMode="1")
    tenant.mirrored("training-a")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "YearlyMonthlyBilling")
    found = tenant.get("training-a")
    assert says(found, "Ready", "False", "DeletionBlocked")
    assert says(found, "Reconciling", "True", "DeletionBlocked")
    assert not condition_of(found, "Stalled")
    tenant.wait_for_looks(3)
    assert not tenant.deletes()
    tenant.run_as_told(message, "patch")
    tenant.until_gone("training-a")
    assert not tenant.deletes()
    tenant.until_true(lambda: tenant.events("training-a") == ["DeletionBlocked", "Orphaned"], "the event Orphaned")


@side_by_side
def test_a_yearly_monthly_node_holds_its_node_pool(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud={"prepaidNodes": 1})
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "YearlyMonthlyBilling")
    tenant.wait_for_looks(3)
    assert not tenant.deletes()
    tenant.cloud.put_node_pool(tenant.resource_pool, "training-a", prepaidNodes=0)
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_locked_node_holds_its_node_pool(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud={"lockedNodes": 1})
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "NodeLocked")
    assert not tenant.deletes()
    tenant.cloud.put_node_pool(tenant.resource_pool, "training-a", lockedNodes=0)
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_unknown_billing_holds_until_a_person_overrides_it_for_this_very_object(tenant: Tenant) -> None:
    tenant.cloud.put_resource_pool(tenant.resource_pool, billingMode=None)
    tenant.mirrored("training-a")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "BillingUnknown")
    tenant.annotate("training-a", override="BillingUnknown@00000000-0000-0000-0000-000000000000")
    tenant.wait_for_looks(2)
    assert not tenant.deletes(), "an override with another object's uid lifts nothing"
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_running_job_is_named_and_the_deletion_goes_on_by_itself_when_it_has_ended(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.cloud.put_job(tenant.resource_pool, "llama", "training-a", jobName="llama-70b", ageSeconds=7300)
    tenant.cloud.put_job(tenant.resource_pool, "elsewhere", "stays")
    tenant.cloud.put_job(tenant.resource_pool, "over", "training-a", status="Completed")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "WorkloadsRunning")
    assert message.startswith(
        "1 job runs on nodes of node pool training-a: train llama-70b (for 2 h, on 2 nodes); continues automatically"
    )
    assert "simulator" not in message, "users are not named"
    tenant.wait_for_looks(5)
    assert not tenant.deletes()
    assert tenant.lists_of_jobs() <= 2, "asked every minute, not at every poll"
    tenant.cloud.put_job(tenant.resource_pool, "llama", status="Completed")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_running_jobs_are_overridden_by_the_command_that_is_shown(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.cloud.put_job(tenant.resource_pool, "llama", "training-a")
    tenant.delete("training-a")
    tenant.run_as_told(tenant.until_blocked("training-a", "WorkloadsRunning"), "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_an_account_that_ignores_running_jobs_never_asks_for_them(tenant: Tenant) -> None:
    tenant.change_account(runningWorkloads="Ignore")
    tenant.mirrored("training-a")
    tenant.cloud.put_job(tenant.resource_pool, "llama", "training-a")
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    assert not tenant.lists_of_jobs()


UNLISTED: dict[str, dict[str, Any]] = {
    "403": {"status": 403, "errorCode": "ModelArts.0010"},
    "404": {"status": 404, "errorCode": "APIG.0101"},
    "html": {"body": "html"},
    "half": {"body": "truncated"},
    "slow, then nothing": {"delaySeconds": 2, "status": 404, "errorCode": "APIG.0101"},
}


@side_by_side
def test_where_jobs_cannot_be_listed_nodes_in_use_hold_and_idle_ones_do_not(tenant: Tenant) -> None:
    pools: dict[str, str] = {}
    for number, fault in enumerate(UNLISTED.values()):
        name = f"training-{number}"
        pools |= tenant.everywhere([name], flavor="modelarts.vm.gpu.t4u8")
        tenant.cloud.fault(operation="list_workloads", resourcePool=pools[name], **fault)
        tenant.cloud.put_job(pools[name], "llama", name)
    tenant.delete(*pools)
    for name in pools:
        message = tenant.until_blocked(name, "WorkloadsRunning")
        assert "show accelerators in use; the jobs cannot be named" in message
    assert not [name for name in pools if tenant.cloud.deletes(pools[name])]
    for name, resource_pool in pools.items():
        tenant.cloud.put_job(resource_pool, "llama", status="Completed")
        tenant.annotate(name, reconcile_at="now")
    tenant.until_gone(*pools)
    lines = [line for line in tenant.operator.lines() if line["message"].startswith("jobs cannot be listed")]
    assert {line["resourcePool"] for line in lines} >= set(pools.values())
    assert len(lines) == len(pools)


@side_by_side
def test_other_finalizers_are_waited_for(tenant: Tenant) -> None:
    tenant.mirrored("training-a", finalizers=["example.com/backup"])
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "OtherFinalizers")
    assert "example.com/backup" in message
    assert not tenant.deletes()
    found = tenant.get("training-a")
    ours = [name for name in found["metadata"]["finalizers"] if name != "example.com/backup"]
    tenant.patch("training-a", {"metadata": {"finalizers": ours}})
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_other_finalizers_are_overridden_by_the_command_that_is_shown(tenant: Tenant) -> None:
    tenant.mirrored("training-a", finalizers=["example.com/backup"])
    tenant.delete("training-a")
    tenant.run_as_told(tenant.until_blocked("training-a", "OtherFinalizers"), "annotate")
    tenant.until_true(lambda: not tenant.is_held("training-a"), "our finalizer gone")
    assert tenant.deletes() == ["accepted"]
    assert tenant.get("training-a")["metadata"]["finalizers"] == ["example.com/backup"]


@side_by_side
def test_two_guards_are_lifted_one_after_the_other_and_both_stay_lifted(tenant: Tenant) -> None:
    tenant.cloud.put_resource_pool(tenant.resource_pool, billingMode=None)
    tenant.mirrored("training-a", finalizers=["example.com/backup"])
    tenant.delete("training-a")
    tenant.run_as_told(tenant.until_blocked("training-a", "OtherFinalizers"), "annotate")
    tenant.run_as_told(tenant.until_blocked("training-a", "BillingUnknown"), "annotate")
    tenant.until_true(lambda: not tenant.is_held("training-a"), "our finalizer gone")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_kubectl_sees_and_waits_for_a_held_deletion(tenant: Tenant) -> None:
    tenant.change_account(requireConfirmation=True)
    tenant.mirrored("training-a")
    where = ("manp/training-a", "-n", tenant.name)
    before = tenant.get("training-a")["metadata"]["generation"]
    tenant.kubectl("delete", *where, "--wait=false")
    tenant.kubectl("wait", *where, "--for=condition=DeletionBlocked", "--timeout=240s")
    assert "ConfirmationRequired" in tenant.kubectl("get", *where, "-o", "wide")
    found = tenant.get("training-a")
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"] > before
    tenant.annotate("training-a", confirm_delete="training-a")
    tenant.kubectl("wait", *where, "--for=delete", "--timeout=240s")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_paused_object_is_watched_and_not_deleted_until_it_goes_on(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.annotate("training-a", paused="true")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "Paused")
    tenant.cloud.put_node_pool(tenant.resource_pool, "training-a", states={"available": 1, "abnormal": 1})
    tenant.until("training-a", lambda found: found["status"]["counts"]["abnormal"] == 1, "showing the abnormal node")
    assert not tenant.deletes()
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_pause_in_any_spelling_holds_and_says_which_value_it_found(tenant: Tenant) -> None:
    spellings = {"training-0": "True", "training-1": "yes", "training-2": "1", "training-3": "", "training-4": " false"}
    for name, value in spellings.items():
        tenant.mirrored(name)
        tenant.annotate(name, paused=value)
    for name, value in spellings.items():
        found = tenant.until(name, lambda found: says(found, "Paused", "True", "Paused"), "paused")
        assert f'paused is "{value}"; every value but "false" pauses' in condition_of(found, "Paused")["message"]
    tenant.delete(*spellings)
    for name, value in spellings.items():
        assert f'paused is "{value}"; every value but "false" pauses' in tenant.until_blocked(name, "Paused")
    tenant.wait_for_looks(3)
    assert not tenant.deletes()
    for name in spellings:
        tenant.annotate(name, paused="false")
    tenant.until_gone(*spellings)
    assert tenant.deletes() == ["accepted"] * len(spellings)


@side_by_side
def test_a_paused_object_goes_when_its_node_pool_is_gone(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.annotate("training-a", paused="true")
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "Paused")
    tenant.cloud.remove_node_pool(tenant.resource_pool, "training-a")
    tenant.until_gone("training-a")
    assert not tenant.deletes()


@side_by_side
def test_pausing_does_not_stop_the_release_of_what_was_sent(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    tenant.annotate("training-a", paused="true")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_an_object_whose_grant_was_taken_away_is_held_until_it_is_back(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.change_account(grants=[])
    tenant.until_ready("training-a", "NotGranted", "False")
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "NotGranted")
    assert not tenant.deletes()
    tenant.change_account(grants=[{"namespaces": [tenant.name], "resourcePools": ["*"]}])
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_an_object_whose_account_is_gone_is_held_until_it_is_back(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.remove_account()
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "AccountNotFound")
    assert "deletionPolicy" in message
    assert not tenant.deletes()
    tenant.create_account()
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_nothing_is_deleted_in_another_project_under_the_account_s_name(tenant: Tenant) -> None:
    other = "fedcba9876543210fedcba9876543210"
    twin = {"name": tenant.resource_pool, "projectId": other, "billingMode": "0"}
    tenant.mirrored("training-a")
    tenant.remove_account()
    tenant.cloud.change({"resourcePools": [twin]})
    tenant.put_key(projectId=other)
    tenant.create_account(projectId=other)
    tenant.until_ready("training-a", "IdentityMismatch", "False")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "IdentityMismatch")
    assert tenant.cloud.project_id in message
    since = tenant.cloud.last
    tenant.annotate("training-a", reconcile_at="1")
    tenant.until("training-a", lambda found: found["metadata"]["annotations"], "annotated")
    assert not tenant.cloud.requests(tenant.resource_pool, since=since)
    tenant.run_as_told(message, "patch")
    tenant.until_gone("training-a")
    assert not tenant.deletes()


Change = Callable[[Tenant], Any]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"accessKey": "AK"}, "CredentialsUnavailable"),
        ({"accessKey": "AK", "secretKey": "  "}, "CredentialsUnavailable"),
    ],
    ids=["no secretKey", "empty secretKey"],
)
def test_a_broken_secret_holds_the_deletion_and_names_the_key(
    tenant: Tenant, keys: dict[str, str], reason: str
) -> None:
    tenant.mirrored("training-a")
    tenant.put_secret(**keys)
    tenant.until_ready("training-a", reason, "False")
    tenant.delete("training-a")
    assert "secretKey" in tenant.until_blocked("training-a", reason)
    assert not tenant.deletes()
    tenant.put_secret(accessKey=tenant.cloud.hello["accessKey"], secretKey=tenant.cloud.hello["secretKey"])
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
