"""Objects with ownerReferences: Kubernetes' own garbage collector deletes them, and no node pool goes with them.

The collector of the control plane does it here; it knows of CRDs only some time after they were installed.
"""

from typing import Any

from modelarts_nodepool.api.names import API_VERSION
from tests.support.api import ACCOUNTS, NAMESPACES, Object
from tests.support.side_by_side import side_by_side
from tests.support.tenant import Tenant


def owned_by(tenant: Tenant, *owners: dict[str, Any]) -> None:
    """From now on the object has these owners."""
    tenant.patch("training-a", {"metadata": {"ownerReferences": list(owners)}})


def owner(api_version: str, kind: str, name: str, uid: str = "11111111-2222-4333-8444-555555555555") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}


def uid_of(found: Object | None) -> str:
    assert found is not None
    return str(found["metadata"]["uid"])


def until_collected(tenant: Tenant, reason: str) -> str:
    """The message, once the collector has deleted the object and the operator holds it."""
    tenant.until("training-a", lambda found: found["metadata"].get("deletionTimestamp"), "deleted")
    return tenant.until_blocked("training-a", reason)


def is_held_until_it_is_confirmed(tenant: Tenant, name: str) -> str:
    tenant.mirrored("training-a")
    owned_by(tenant, owner(API_VERSION, "ModelArtsAccount", name))
    message = until_collected(tenant, "OwnerGone")
    assert f"ModelArtsAccount {name} of {API_VERSION} does not exist" in message
    tenant.wait_for_looks(3)
    assert not tenant.deletes()
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    return message


@side_by_side
def test_what_the_garbage_collector_deletes_is_held_until_a_person_confirms_it(tenant: Tenant) -> None:
    is_held_until_it_is_confirmed(tenant, f"{tenant.name}-was-never-here")


@side_by_side
def test_an_owner_that_was_created_again_is_another_one(tenant: Tenant) -> None:
    assert "what has its name has another uid" in is_held_until_it_is_confirmed(tenant, tenant.name)


@side_by_side
def test_an_owner_that_the_operator_may_not_read_is_named_and_holds(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    owned_by(tenant, owner("v1", "ConfigMap", "stale"))
    message = until_collected(tenant, "OwnedObject")
    assert "ConfigMap stale of v1 could not be read: the operator may not read it" in message
    tenant.wait_for_looks(3)
    assert not tenant.deletes()
    tenant.run_as_told(message, "patch")
    tenant.until_gone("training-a")
    assert not tenant.deletes()


@side_by_side
def test_what_a_person_deletes_is_held_as_well_where_it_has_owners_and_they_are_named(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    account, namespace = tenant.api.get(f"{ACCOUNTS}/{tenant.name}"), tenant.api.get(f"{NAMESPACES}/{tenant.name}")
    # By a version that is not served any more, and by a kind that nothing here serves: the collector leaves both alone.
    old_version = API_VERSION.replace("v1alpha1", "v1alpha0")
    owned_by(
        tenant,
        owner("v1", "Namespace", tenant.name, uid_of(namespace)),
        owner(old_version, "ModelArtsAccount", tenant.name, uid_of(account)),
    )
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "OwnedObject")
    assert f"Namespace {tenant.name} of v1 exists, ModelArtsAccount {tenant.name} of {old_version} exists)" in message
    tenant.wait_for_looks(3)
    assert not tenant.deletes()


@side_by_side
def test_an_owner_of_a_kind_that_nothing_here_serves_is_gone(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    owned_by(tenant, owner("nobody.example.com/v1", "Claim", "claim-a"))
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "OwnerGone")
    assert "Claim claim-a of nobody.example.com/v1 does not exist: nothing in this cluster serves its kind" in message
    assert not tenant.deletes()
    owned_by(tenant)
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"], "without owners it is a deletion like any other"
