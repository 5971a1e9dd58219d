"""Answers that look like "gone" and are not: no object is ever released by them."""

from typing import Any

import pytest

from tests.support.tenant import Tenant

pytestmark = pytest.mark.long

# By the name of the object that is lied about.
LIES: dict[str, dict[str, Any]] = {
    "forbidden": {"status": 403},
    "unauthorised": {"status": 403, "errorCode": "ModelArts.0210"},
    "gateway-404": {"status": 404, "errorCode": "APIG.0101"},
    "page-404": {"status": 404, "body": "html"},
    "empty-404": {"status": 404, "body": "empty"},
    "codeless-404": {"status": 404, "errorCode": "404"},
    "redirect": {"redirect": "https://example.com/"},
    "page": {"body": "html"},
    "empty": {"body": "empty"},
    "truncated": {"body": "truncated"},
    "null": {"body": "null"},
    "error": {"status": 500},
    "throttled": {"status": 429},
    "dropped": {"drop": "before"},
    "bad-request": {"status": 400, "errorMsg": "The network is not found"},
}
LIST_LIES = LIES | {
    "no-items": {"body": "itemsMissing"},
    "null-items": {"body": "itemsNull"},
    "no-resource-pool": {"status": 404, "errorCode": "ModelArts.50015001"},
}
SHOW_LIES = LIES | {"conflict": {"status": 409}}


def lie(tenant: Tenant, operation: str, resource_pool: str, fault: dict[str, Any]) -> None:
    tenant.cloud.fault(operation=operation, resourcePool=resource_pool, **fault)


def still_held(tenant: Tenant, names: dict[str, str]) -> None:
    """After some more looks at each resource pool."""
    tenant.cloud.wait_for_looks(names.values(), 4)
    assert not [name for name in names if not tenant.is_held(name)], f"released by a lie\n{tenant.report()}"
    assert not [pool for pool in names.values() if tenant.cloud.deletes(pool)], "deleted on a lie"


def test_no_lie_of_list_node_pools_releases_or_deletes_anything(tenant: Tenant) -> None:
    names = tenant.everywhere(LIST_LIES)
    for name, resource_pool in names.items():
        lie(tenant, "list_node_pools", resource_pool, LIST_LIES[name])
    tenant.delete(*names)
    still_held(tenant, names)
    tenant.cloud.clear_faults()
    for name in names:
        tenant.annotate(name, reconcile_at="1")
    tenant.until_gone(*names)
    assert all(
        [request["effect"] for request in tenant.cloud.deletes(resource_pool)] == ["accepted"]
        for resource_pool in names.values()
    )


def test_no_lie_of_show_node_pool_is_the_second_witness(tenant: Tenant) -> None:
    names = tenant.everywhere(SHOW_LIES)
    for name, resource_pool in names.items():
        lie(tenant, "show_node_pool", resource_pool, SHOW_LIES[name])
        tenant.cloud.remove_node_pool(resource_pool, name)
    tenant.delete(*names)
    still_held(tenant, names)
    tenant.cloud.clear_faults()
    for name in names:
        tenant.annotate(name, reconcile_at="1")
    tenant.until_gone(*names)
    assert not [pool for pool in names.values() if tenant.cloud.deletes(pool)]


def test_no_lie_of_show_pool_proves_that_a_resource_pool_is_gone(tenant: Tenant) -> None:
    names = tenant.everywhere(SHOW_LIES)
    for name, resource_pool in names.items():
        lie(tenant, "show_pool", resource_pool, SHOW_LIES[name])
        tenant.cloud.remove_resource_pool(resource_pool)
    tenant.delete(*names)
    still_held(tenant, names)
    tenant.cloud.clear_faults()
    for name in names:
        tenant.annotate(name, reconcile_at="1")
    tenant.until_gone(*names)


def test_a_resource_pool_that_list_pools_still_shows_is_not_gone(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    gone = {"status": 404, "errorCode": "ModelArts.50015001"}
    lie(tenant, "list_node_pools", tenant.resource_pool, gone)
    lie(tenant, "show_pool", tenant.resource_pool, gone)
    tenant.delete("training-a")
    still_held(tenant, {"training-a": tenant.resource_pool})
    tenant.cloud.remove_resource_pool(tenant.resource_pool)
    tenant.cloud.clear_faults()
    tenant.until_gone("training-a")
    assert not tenant.deletes()


def test_a_project_to_which_access_was_lost_is_no_proof(tenant: Tenant) -> None:
    tenant.put_key()
    tenant.mirrored("training-a")
    tenant.cloud.put_key(f"AK{tenant.name}", allow=[])
    tenant.until_ready("training-a", "PermissionDenied", "False")
    tenant.delete("training-a")
    tenant.until_blocked("training-a", "PermissionDenied")
    assert not tenant.deletes()
