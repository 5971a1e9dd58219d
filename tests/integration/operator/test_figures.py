"""What the operator costs, counted by the API server's audit log and the cloud's request log, not by itself."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from lab.controlplane import AuditLog
from tests.support.operator import USER, OperatorProcess
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long

NODE_POOLS = "modelartsnodepools"
NAMES = tuple(f"training-{letter}" for letter in "abcdefghij")


def writes(tenant: Tenant, since: datetime) -> AuditLog:
    """The operator's writes in the tenant's namespace, refused ones included."""
    own = tenant.plane.audit().by_user(USER).since(since).writes()
    return own.where(lambda event: event.namespace == tenant.name)


def patches(tenant: Tenant, since: datetime) -> list[tuple[str, int]]:
    return [(event.subresource, event.code) for event in writes(tenant, since).on(NODE_POOLS)]


def resource_versions(tenant: Tenant, *names: str) -> dict[str, str]:
    return {name: tenant.get(name)["metadata"]["resourceVersion"] for name in names}


def two_resource_pools(tenant: Tenant) -> list[str]:
    """Twenty objects, ten in each of two resource pools, all mirrored."""
    other = tenant.another_resource_pool("b")
    for resource_pool in (tenant.resource_pool, other):
        for name in NAMES:
            tenant.cloud.put_node_pool(resource_pool, name, states={"available": 2})
    for name in NAMES:
        tenant.create(name)
        tenant.create(f"{name}-2", poolName=other, nodePoolName=name)
    names = [*NAMES, *(f"{name}-2" for name in NAMES)]
    for name in names:
        tenant.until_ready(name)
    return names


def test_an_object_costs_two_writes_until_it_is_mirrored_and_then_none(tenant: Tenant) -> None:
    begun = datetime.now(UTC)
    names = two_resource_pools(tenant)
    assert Counter(patches(tenant, begun)) == {("", 200): 20, ("status", 200): 20}
    assert len(writes(tenant, begun)) == 40, "a normal creation has no event"
    versions, calm_since, asked = resource_versions(tenant, *names), datetime.now(UTC), tenant.cloud.last
    tenant.wait_for_looks(10)
    assert not writes(tenant, calm_since).events
    assert resource_versions(tenant, *names) == versions
    calls = Counter((request["operation"], request["pool"]) for request in tenant.cloud.requests(since=asked))
    assert {operation for operation, _ in calls} == {"list_node_pools"}
    assert {resource_pool for _, resource_pool in calls} == {tenant.resource_pool, f"{tenant.resource_pool}-b"}
    assert (
        abs(calls["list_node_pools", tenant.resource_pool] - calls["list_node_pools", f"{tenant.resource_pool}-b"]) <= 1
    )


def test_a_deletion_costs_two_writes_one_for_each_change_of_counts_and_one_delete(tenant: Tenant) -> None:
    names = NAMES[:5]
    for name in names:
        tenant.mirrored(name, cloud=SLOW)
    begun = datetime.now(UTC)
    tenant.delete(*names)
    for name in names:
        tenant.until(name, lambda found: found["status"]["counts"]["deleting"] == 2, "showing deleting nodes")
    tenant.finish_delete(*names)
    tenant.until_gone(*names)
    # The write-ahead, the nodes that turn from available to deleting, the finalizer.
    found = Counter((event.name, event.subresource, event.code) for event in writes(tenant, begun).on(NODE_POOLS))
    assert found == {(name, "status", 200): 2 for name in names} | {(name, "", 200): 1 for name in names}
    assert Counter(request["nodePool"] for request in tenant.cloud.deletes(tenant.resource_pool)) == dict.fromkeys(
        names, 1
    )


def test_deletions_cost_their_account_one_write_a_second_however_many_they_are(tenant: Tenant) -> None:
    for name in NAMES:
        tenant.in_cloud(name, {"deleteSeconds": 3})
        tenant.create(name)
    for name in NAMES:
        tenant.until_ready(name)
    begun = datetime.now(UTC)
    tenant.delete(*NAMES)
    tenant.until_gone(*NAMES)
    own = tenant.plane.audit().by_user(USER).since(begun).writes().on("modelartsaccounts", name=tenant.name)
    times = sorted(event.received for event in own)
    assert times, "each DELETE and each release is entered"
    # Received, not sent: a busy API server moves two of them together, never many.
    assert len(times) <= (times[-1] - times[0]).total_seconds() + 2


def test_each_change_of_the_counts_costs_one_write(tenant: Tenant) -> None:
    tenant.mirrored("training-a", cloud={"states": {"available": 3}})
    begun = datetime.now(UTC)
    tenant.cloud.put_node_pool(tenant.resource_pool, "training-a", states={"available": 2, "deleting": 1})
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 1, "showing a deleting node")
    tenant.wait_for_looks(2)
    assert patches(tenant, begun) == [("status", 200)]


def test_one_delete_is_sent_though_the_operator_is_killed_while_it_waits(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    begun = datetime.now(UTC)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "showing deleting nodes")
    for _ in range(2):
        operator.kill()
        operator.start()
        tenant.wait_for_looks(1)
        assert tenant.is_held("training-a")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    assert Counter(patches(tenant, begun)) == {("status", 200): 2, ("", 200): 1}


def test_a_restart_writes_nothing(tenant: Tenant, operator: OperatorProcess) -> None:
    names = [tenant.mirrored(name)["metadata"]["name"] for name in NAMES[:5]]
    tenant.wait_for_looks(1)
    versions, begun = resource_versions(tenant, *names), datetime.now(UTC)
    operator.stop()
    operator.start()
    tenant.wait_for_looks(3)
    own = tenant.plane.audit().by_user(USER).since(begun).writes()
    assert not [(event.resource, event.name) for event in own]
    assert resource_versions(tenant, *names) == versions
