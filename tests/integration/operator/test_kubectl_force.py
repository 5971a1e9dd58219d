"""`--force` of kubectl deletes an object and creates it again: what becomes of the node pool where no policy asks.

With the policy: tests/integration/admission/test_confirm_delete.py.
"""

import json

import pytest

from modelarts_nodepool.api.names import API_VERSION
from tests.support.conditions import condition_of
from tests.support.side_by_side import side_by_side
from tests.support.tenant import Tenant


def manifest(tenant: Tenant, **spec: str) -> str:
    metadata = {"name": "training-a", "namespace": tenant.name}
    wanted = {"poolName": tenant.resource_pool, "accountRef": {"name": tenant.name}} | spec
    return json.dumps({"apiVersion": API_VERSION, "kind": "ModelArtsNodePool", "metadata": metadata, "spec": wanted})


def forced(tenant: Tenant, verb: str, before: str, after: str) -> str:
    """What kubectl said. `apply` waits for no deletion: it fails, unless the object was released before it looked."""
    tenant.in_cloud("training-a")
    kubectl = tenant.plane.kubectl
    kubectl.run("apply", "-f", "-", stdin=before)
    uid = tenant.until_ready("training-a")["metadata"]["uid"]
    done = kubectl.run(verb, "--force", "-f", "-", stdin=after, check=False)
    if verb == "replace" or done.code == 0:
        assert tenant.get("training-a")["metadata"]["uid"] != uid
    else:
        tenant.until_gone("training-a")
    return done.stderr


@side_by_side
def test_replace_with_force_deletes_the_node_pool_though_nothing_was_changed(tenant: Tenant) -> None:
    forced(tenant, "replace", manifest(tenant), manifest(tenant))
    assert tenant.deletes() == ["accepted"]
    tenant.until_ready("training-a", "NodePoolNotFound", "False")
    assert "has no node pool training-a" in str(condition_of(tenant.get("training-a"), "Ready")["message"])


@side_by_side
def test_apply_with_force_deletes_the_node_pool_for_a_typo(tenant: Tenant) -> None:
    typo = manifest(tenant, poolName=f"{tenant.resource_pool}-typo")
    assert "context deadline exceeded" in forced(tenant, "apply", manifest(tenant), typo)
    assert tenant.deletes() == ["accepted"]


@pytest.mark.parametrize("verb", ["replace", "apply"])
def test_retain_keeps_the_node_pool_through_force(tenant: Tenant, verb: str) -> None:
    before = manifest(tenant, deletionPolicy="Retain")
    after = before if verb == "replace" else manifest(tenant, deletionPolicy="Retain", poolName="rp-typo")
    forced(tenant, verb, before, after)
    assert tenant.deletes() == []
    assert tenant.cloud.state_of(tenant.resource_pool)["training-a"]
