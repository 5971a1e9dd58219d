"""Retain by hand on an object that Flux applies, through to the prune: the node pool lives.

What Flux does at a sync stands in tests/support/flux.py.
"""

from typing import Any

import pytest

from modelarts_nodepool.api.names import API_VERSION
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.decide import remedies
from tests.support.flux import Flux
from tests.support.side_by_side import side_by_side
from tests.support.tenant import Tenant


def in_git(tenant: Tenant, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelArtsNodePool",
        "metadata": {"name": "training-a", "namespace": tenant.name},
        "spec": {"poolName": tenant.resource_pool, "accountRef": {"name": tenant.name}} | spec,
    }


def synced(tenant: Tenant, **spec: Any) -> Flux:  # noqa: ANN401 - JSON
    tenant.in_cloud("training-a")
    flux = Flux(tenant.api, tenant.path("training-a"))
    flux.sync(in_git(tenant, **spec))
    tenant.until_ready("training-a")
    return flux


@pytest.mark.parametrize("by_hand", ["as printed", "with kubectl's own manager"])
def test_retain_by_hand_keeps_the_node_pool_through_syncs_and_prune(tenant: Tenant, by_hand: str) -> None:
    flux = synced(tenant)
    command = remedies.retain(NodePool.from_body(tenant.get("training-a")))
    is_printed = by_hand == "as printed"
    tenant.run_as_told(command if is_printed else command.replace(" --field-manager=on-call", ""), "patch")
    for _ in range(2):
        flux.sync(in_git(tenant))
    flux.prune()
    tenant.until_gone("training-a")
    # That the other one is lost shows what the field manager is for.
    assert tenant.deletes() == ([] if is_printed else ["accepted"])


@side_by_side
def test_a_held_deletion_of_an_object_that_git_says_delete_of_is_let_go_by_the_printed_command(tenant: Tenant) -> None:
    tenant.change_account(requireConfirmation=True)
    flux = synced(tenant, deletionPolicy="Delete")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "ConfirmationRequired")
    flux.sync(in_git(tenant, deletionPolicy="Delete"))
    tenant.run_as_told(message, "patch")
    tenant.until_gone("training-a")
    # Flux creates it again, and it refers to the same node pool.
    flux.sync(in_git(tenant, deletionPolicy="Delete"))
    tenant.until_ready("training-a")
    assert not tenant.deletes()


@side_by_side
def test_a_living_object_in_trouble_names_git_before_the_command(tenant: Tenant) -> None:
    flux = synced(tenant)
    tenant.cloud.remove_node_pool(tenant.resource_pool, "training-a")
    tenant.until_ready("training-a", "NodePoolNotFound", "False")
    (ready,) = [each for each in tenant.get("training-a")["status"]["conditions"] if each["type"] == "Ready"]
    assert "or delete this one in Git (Flux Kustomization flux-system/apps); a manual change" in ready["message"]
    tenant.patch("training-a", {"metadata": {"annotations": {"modelarts.huaweicloud.com/paused": "true"}}})
    flux.sync(in_git(tenant))
    paused = (
        "remove the annotation in Git (Flux Kustomization flux-system/apps); a manual change may be reverted: kubectl"
    )
    tenant.until("training-a", lambda found: paused in str(found["status"]["conditions"]), "paused, and where")
