"""A cloud that says "too many" or says nothing: few calls, no status lost, no deletion lost, and over by itself."""

import math
import time
from datetime import datetime

import pytest

from tests.support.api import Object
from tests.support.operator import OperatorProcess
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long
NAMES = tuple(f"training-{number}" for number in range(8))
# Polls come every second. Nothing can be waited for where the point is that nothing comes.
SOME_POLLS_SECONDS = 8
RETRY_AFTER_SECONDS = 15


def looks(tenant: Tenant, pools: dict[str, str], since: int, seconds: float = math.inf) -> list[int]:
    """The statuses of all looks at these resource pools since then, or in so many seconds after the first."""
    found = tenant.cloud.requests(operation="list_node_pools", since=since)
    asked = [request for request in found if request["pool"] in pools.values()]
    times = [datetime.fromisoformat(request["time"]) for request in asked]
    return [
        request["status"]
        for request, time_ in zip(asked, times, strict=True)
        if (time_ - times[0]).total_seconds() < seconds
    ]


def versions(tenant: Tenant, pools: dict[str, str]) -> dict[str, str]:
    return {name: tenant.get(name)["metadata"]["resourceVersion"] for name in pools}


def show_news(tenant: Tenant, pools: dict[str, str]) -> None:
    """Something new in each resource pool, and each object shows it."""

    def is_shown(found: Object) -> bool:
        return bool(found["status"]["counts"]["abnormal"] == 1)

    for name, resource_pool in pools.items():
        tenant.in_cloud(name, {"states": {"available": 1, "abnormal": 1}}, resource_pool)
    for name in pools:
        tenant.until(name, is_shown, "showing the abnormal node")


def test_storm_of_429_pauses_the_polls_of_its_key_and_lets_a_deletion_through(tenant: Tenant) -> None:
    tenant.put_key()
    pools = tenant.everywhere(NAMES)
    tenant.mirrored("goes")
    shared = with_another_account(tenant)
    for resource_pool in pools.values():
        tenant.cloud.fault(
            operation="list_node_pools", resourcePool=resource_pool, status=429, retryAfter=RETRY_AFTER_SECONDS
        )
    since = tenant.cloud.last
    tenant.until_true(lambda: 429 in looks(tenant, pools, since), "the first 429")
    before = versions(tenant, pools)
    tenant.delete("goes")
    tenant.until_gone("goes")
    assert tenant.deletes("goes") == ["accepted"]
    # All that were under way at the first 429, and not one more; the other account has the same key.
    # When that time is over, they are asked again: on a busy machine the deletion takes longer.
    assert len(looks(tenant, pools, since, RETRY_AFTER_SECONDS)) <= 2 * len(pools)
    assert len(looks(tenant, shared, since, RETRY_AFTER_SECONDS)) <= 3
    assert versions(tenant, pools) == before
    tenant.cloud.clear_faults()
    show_news(tenant, pools)


def test_outage_is_asked_little_changes_no_status_and_ends_by_itself(tenant: Tenant) -> None:
    pools = tenant.everywhere(NAMES)
    for resource_pool in pools.values():
        tenant.cloud.fault(resourcePool=resource_pool, status=503)
    tenant.until_true(lambda: is_reported(tenant.operator, tenant.name), "a warning in the log")
    before, since = versions(tenant, pools), tenant.cloud.last
    time.sleep(SOME_POLLS_SECONDS)
    # At one poll a second for each resource pool it would be 64; some were under way, and few are probes.
    assert len(looks(tenant, pools, since)) <= len(pools) + 4
    assert versions(tenant, pools) == before
    gone = NAMES[0]
    tenant.delete(gone)
    time.sleep(SOME_POLLS_SECONDS / 2)
    assert tenant.is_held(gone)
    assert not tenant.cloud.deletes(pools[gone])
    tenant.cloud.clear_faults()
    tenant.until_gone(gone)
    assert [request["effect"] for request in tenant.cloud.deletes(pools[gone])] == ["accepted"]
    show_news(tenant, {name: pool for name, pool in pools.items() if name != gone})


def with_another_account(tenant: Tenant) -> dict[str, str]:
    """One more object, of another account with the same key."""
    account, resource_pool = f"{tenant.name}-shared", tenant.another_resource_pool("shared")
    tenant.create_account(account)
    tenant.in_cloud("shared", resource_pool=resource_pool)
    tenant.create("shared", accountRef={"name": account}, poolName=resource_pool)
    tenant.until_ready("shared")
    return {"shared": resource_pool}


def is_reported(operator: OperatorProcess, account: str) -> bool:
    return any(
        line["message"].startswith("ModelArts does not answer this account") and line.get("account") == account
        for line in operator.lines()
    )
