"""Killed, stopped and cut off in the middle of deletions: every restart goes on, and nothing is sent twice."""

import random
import signal
from datetime import UTC, datetime
from functools import partial

import pytest

from tests.support.conditions import says
from tests.support.limits import QUICKLY_SECONDS
from tests.support.operator import USER, OperatorProcess
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long


def unanswered_delete(tenant: Tenant) -> None:
    """Until the DELETE has arrived; its answer, and its effect, would take an hour."""
    tenant.cloud.fault(
        operation="delete_node_pool", resourcePool=tenant.resource_pool, nodePool="training-a", delaySeconds=3600
    )
    tenant.delete("training-a")
    tenant.until_true(tenant.deletes, "a DELETE")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_stopped_while_a_delete_waits_for_its_answer_it_ends_quickly_and_sends_no_second(
    tenant: Tenant, operator: OperatorProcess, number: signal.Signals
) -> None:
    uid = tenant.mirrored("training-a")["metadata"]["uid"]
    unanswered_delete(tenant)
    code, seconds = operator.stop(number)
    assert code == 0
    assert seconds < QUICKLY_SECONDS
    (record,) = [line for line in operator.lines() if line.get("audit") == "delete" and line["uid"] == uid]
    assert record["outcome"] == "Unknown"
    operator.start()
    tenant.wait_for_looks(3)
    assert len(tenant.deletes()) == 1
    assert tenant.is_held("training-a")


def test_a_held_deletion_is_held_after_a_restart_and_nothing_is_written_again(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    tenant.cloud.put_resource_pool(tenant.resource_pool, billingMode="1")
    tenant.mirrored("training-a")
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "YearlyMonthlyBilling")
    version = tenant.get("training-a")["metadata"]["resourceVersion"]
    operator.stop()
    operator.start()
    tenant.wait_for_looks(8)
    assert not tenant.deletes()
    assert tenant.get("training-a")["metadata"]["resourceVersion"] == version


def test_a_refusal_is_not_forgotten_by_a_restart(tenant: Tenant, operator: OperatorProcess) -> None:
    tenant.mirrored("training-a", cloud={"inUse": True})
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "RefusedByModelArts")
    operator.kill()
    operator.start()
    tenant.wait_for_looks(5)
    assert tenant.deletes() == ["none"]
    assert says(tenant.get("training-a"), "DeletionBlocked", "True", "RefusedByModelArts")


def test_the_api_server_s_restart_is_survived_by_objects_and_deletions(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.mirrored("training-b")
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    tenant.plane.restart_apiserver_blocking(down_seconds=4)
    tenant.cloud.put_node_pool(tenant.resource_pool, "training-b", states={"available": 1, "abnormal": 1})
    tenant.until("training-b", lambda found: found["status"]["counts"]["abnormal"] == 1, "showing the abnormal node")
    assert tenant.is_held("training-a")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    tenant.mirrored("training-c")
    assert tenant.deletes() == ["accepted"]


def test_killed_at_any_moment_it_deletes_each_node_pool_once(tenant: Tenant, operator: OperatorProcess) -> None:
    names = [f"training-{number}" for number in range(12)]
    for name in names:
        tenant.in_cloud(name, {"deleteSeconds": 2})
        tenant.create(name)
    for name in names:
        tenant.until_ready(name)
    moments = random.Random(7)  # noqa: S311 - the same moments at each run
    for name in names:
        tenant.delete(name)
        if moments.random() < 0.5:
            operator.kill()
            operator.start()
            until = tenant.cloud.last + moments.randrange(6)
            tenant.until_true(partial(has_asked, tenant, until), "some calls")
    # Where it was killed between write-ahead and DELETE nobody knows what was sent: it is looked for two minutes.
    for name in names:
        tenant.until_true(partial(is_settled, tenant, name), f"{name} sent or written ahead")
        if not tenant.deletes(name):
            tenant.cloud.remove_node_pool(tenant.resource_pool, name)
    tenant.until_gone(*names)
    assert all(len(tenant.deletes(name)) <= 1 for name in names)
    assert list(tenant.cloud.state_of(tenant.resource_pool)) == ["stays"]


def has_asked(tenant: Tenant, until: int) -> bool:
    return tenant.cloud.last >= until


def is_settled(tenant: Tenant, name: str) -> bool:
    if not tenant.is_there(name) or tenant.deletes(name):
        return True
    return bool(tenant.get(name)["status"].get("deletion", {}).get("sentTime"))


def test_after_a_restart_nothing_is_decided_before_all_objects_are_known(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    renamed = [f"renamed-{number}" for number in range(15)]
    lone = [f"training-{number}" for number in range(15)]
    for name in (*renamed, *lone):
        tenant.in_cloud(name)
        tenant.create(name)
    for name in (*renamed, *lone):
        tenant.until_ready(name)
    operator.kill()
    for name in renamed:
        tenant.create(f"new-{name}", nodePoolName=name)
    tenant.delete(*renamed, *lone)
    since = datetime.now(UTC)
    operator.start()
    tenant.until_gone(*renamed, *lone)
    assert {name: tenant.deletes(name) for name in renamed} == {name: [] for name in renamed}
    assert {name: tenant.deletes(name) for name in lone} == {name: ["accepted"] for name in lone}
    for name in renamed:
        tenant.until_ready(f"new-{name}")
    written = tenant.plane.audit().by_user(USER).since(since).on("modelartsnodepools", tenant.name)
    assert written.writes()
    assert not [line for line in operator.text_of_this_life().splitlines() if "AccountNotFound" in line]
