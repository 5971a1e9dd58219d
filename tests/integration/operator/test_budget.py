"""The deletion budget of an account, and what it remembers of what was sent."""

import json
import time
from typing import Any

import pytest

from tests.support.api import ACCOUNTS
from tests.support.side_by_side import side_by_side
from tests.support.tenant import A_SECOND, SLOW, Tenant

pytestmark = pytest.mark.long


def entries(tenant: Tenant) -> list[dict[str, Any]]:
    """recentDeletions of the account."""
    found = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert found is not None
    return list(found["status"].get("recentDeletions", []))


def version_of_account(tenant: Tenant) -> str:
    found = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert found is not None
    return str(found["metadata"]["resourceVersion"])


@side_by_side
def test_no_more_is_deleted_than_the_budget_allows(tenant: Tenant) -> None:
    tenant.change_account(deletionBudget={"unlimited": None, "max": 2, "window": "1h"})
    names = [f"training-{number}" for number in range(5)]
    for name in names:
        tenant.in_cloud(name)
        tenant.create(name)
    for name in names:
        tenant.until_ready(name)
    tenant.delete(*names)
    tenant.until_true(lambda: sum(map(tenant.is_there, names)) == 3, "two gone")
    held = [name for name in names if tenant.is_there(name)]
    for name in held:
        tenant.until_blocked(name, "DeletionBudgetExhausted")
    tenant.wait_for_looks(3)
    assert tenant.deletes() == ["accepted", "accepted"]
    assert sorted(entry["name"] for entry in entries(tenant)) == sorted(set(names) - set(held))
    tenant.change_account(deletionBudget={"max": 4})
    tenant.until_true(lambda: sum(map(tenant.is_there, names)) == 1, "two more gone")
    assert tenant.deletes() == ["accepted"] * 4


@side_by_side
def test_the_budget_frees_by_itself_and_the_oldest_deletion_goes_first(tenant: Tenant) -> None:
    tenant.change_account(deletionBudget={"unlimited": None, "max": 1, "window": "1m"})
    names = ("training-a", "training-b", "training-c")
    for name in names:
        tenant.mirrored(name)
    for name in names:
        tenant.delete(name)
        if name != "training-a":
            time.sleep(A_SECOND)
        else:
            tenant.until_gone(name)
    assert "the next slot frees at" in tenant.until_blocked("training-b", "DeletionBudgetExhausted")
    tenant.until_blocked("training-c", "DeletionBudgetExhausted")
    tenant.until_gone("training-b")
    assert tenant.is_held("training-c")
    assert tenant.deletes() == ["accepted", "accepted"]


def test_the_budget_is_remembered_by_the_account_across_restarts(tenant: Tenant) -> None:
    tenant.change_account(deletionBudget={"unlimited": None, "max": 1, "window": "1h"})
    tenant.mirrored("training-a")
    tenant.mirrored("training-b")
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    tenant.operator.kill()
    tenant.operator.start()
    tenant.delete("training-b")
    tenant.until_blocked("training-b", "DeletionBudgetExhausted")
    assert tenant.deletes() == ["accepted"]


def test_a_delete_counts_in_its_window_whatever_becomes_of_its_object(tenant: Tenant) -> None:
    tenant.change_account(deletionBudget={"unlimited": None, "max": 2, "window": "1h"})
    names = [f"training-{number}" for number in range(4)]
    for name in names:
        tenant.mirrored(name, cloud=SLOW)
    sent, held = names[:2], names[2:]
    tenant.delete(*sent)
    tenant.until_true(lambda: tenant.deletes() == ["accepted", "accepted"], "two DELETEs")
    for name in sent:
        # At once: the account may not have been written yet.
        tenant.api.strip(tenant.path(name))
    tenant.until_gone(*sent)
    tenant.delete(*held)
    for name in held:
        tenant.until_blocked(name, "DeletionBudgetExhausted")
    tenant.until_true(lambda: [entry["outcome"] for entry in entries(tenant)] == ["Orphaned"] * 2, "both entered")
    requests = {request["requestId"] for request in tenant.cloud.deletes(tenant.resource_pool)}
    assert {entry["requestId"] for entry in entries(tenant)} == requests
    assert all(entry["sentTime"] <= entry["finishedTime"] for entry in entries(tenant))
    tenant.operator.kill()
    tenant.operator.start()
    tenant.wait_for_looks(5)
    for name in held:
        tenant.until_blocked(name, "DeletionBudgetExhausted")
    assert tenant.deletes() == ["accepted", "accepted"]
    tenant.change_account(deletionBudget={"max": 4})
    tenant.until_true(lambda: tenant.deletes() == ["accepted"] * 4, "the other two sent")


def test_a_delete_whose_entry_is_missing_is_entered_after_a_restart_and_only_once(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until_true(lambda: [entry["outcome"] for entry in entries(tenant)] == ["Accepted"], "entered")
    tenant.operator.kill()
    # As a version would leave it that enters releases only, or a crash before the entry was written.
    forgotten = json.dumps({"status": {"recentDeletions": None}})
    tenant.kubectl("patch", "maacct", tenant.name, "--subresource=status", "--type=merge", "-p", forgotten)
    assert entries(tenant) == []
    tenant.operator.start()
    tenant.until_true(lambda: len(entries(tenant)) == 1, "entered again")
    (entry,) = entries(tenant)
    sent = tenant.get("training-a")["status"]["deletion"]["sentTime"]
    assert (entry["sentTime"], entry.get("finishedTime")) == (sent, None)
    version = version_of_account(tenant)
    tenant.wait_for_looks(3)
    assert version_of_account(tenant) == version, "what is entered is not written again"
    tenant.operator.kill()
    tenant.operator.start()
    tenant.wait_for_looks(3)
    assert version_of_account(tenant) == version, "nor after a restart"
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert [entry["outcome"] for entry in entries(tenant)] == ["Gone"]


@side_by_side
def test_a_refused_delete_gives_its_slot_back_and_stands_in_the_trail(tenant: Tenant) -> None:
    tenant.change_account(deletionBudget={"unlimited": None, "max": 1, "window": "1h"})
    for name in ("training-a", "training-b"):
        tenant.mirrored(name)
    tenant.cloud.fault(
        operation="delete_node_pool",
        times=1,
        status=400,
        errorCode="ModelArts.50004000",
        resourcePool=tenant.resource_pool,
        nodePool="training-a",
    )
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "RefusedByModelArts")
    tenant.until_true(lambda: [entry["outcome"] for entry in entries(tenant)] == ["Refused"], "the refusal entered")
    (entry,) = entries(tenant)
    assert (entry.get("sentTime"), bool(entry["requestId"]), bool(entry["finishedTime"])) == (None, True, True)
    tenant.delete("training-b")
    tenant.until_gone("training-b")
    tenant.annotate("training-a", reconcile_at="1")
    tenant.until_blocked("training-a", "DeletionBudgetExhausted")
    assert tenant.deletes() == ["none", "accepted"]
