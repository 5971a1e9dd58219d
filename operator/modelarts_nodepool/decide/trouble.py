"""Row 3 of the status table: what is wrong with an object that lives, if anything, and who can mend it."""

from dataclasses import dataclass

from modelarts_nodepool.decide import commands
from modelarts_nodepool.decide.observed import LiveObserved
from modelarts_nodepool.errors import CloudError, NotFound
from modelarts_nodepool.resource.names import ACCOUNT_SHORT, NODE_POOL_SHORT
from modelarts_nodepool.resource.reasons import Reason


@dataclass(frozen=True, slots=True)
class Trouble:
    """A reason with what to do about it."""

    reason: Reason
    message: str


def find_trouble(observed: LiveObserved) -> Trouble | None:
    """The first that applies, None where nothing is wrong or the cloud is only out of reach."""
    return (
        _account_trouble(observed)
        or _identity_trouble(observed)
        or _failure_trouble(observed)
        or _absence_trouble(observed)
    )


def _account_trouble(observed: LiveObserved) -> Trouble | None:
    node_pool, view = observed.node_pool, observed.account
    name = node_pool.spec.account_ref.name
    if view is None:
        words = f"ModelArtsAccount {name} does not exist; create it: kubectl apply -f account.yaml"
        return Trouble(Reason.ACCOUNT_NOT_FOUND, words)
    if view.account.is_terminating and node_pool.status.identity is None:
        words = f"ModelArtsAccount {name} is being deleted and takes no new objects; name another in spec.accountRef"
        return Trouble(Reason.ACCOUNT_TERMINATING, words)
    if not view.is_granted:
        words = (
            f"ModelArtsAccount {name} grants namespace {node_pool.metadata.namespace} no access to resource pool "
            f"{node_pool.spec.pool_name}; add it to spec.grants: kubectl edit {ACCOUNT_SHORT} {name}"
        )
        return Trouble(Reason.NOT_GRANTED, words)
    return None


def _identity_trouble(observed: LiveObserved) -> Trouble | None:
    node_pool, view = observed.node_pool, observed.account
    pinned = node_pool.status.identity
    if pinned is not None and view is not None and pinned != view.identity:
        changed = [key for key, value in pinned if value != getattr(view.identity, key)]
        words = (
            f"the object stands for node pool {pinned.node_pool_name} of resource pool {pinned.pool_name} in project "
            f"{pinned.project_id} ({pinned.region}); account or spec now say another {', '.join(changed)}; put the "
            "account back as it was, or delete this object with deletionPolicy Retain and create another"
        )
        return Trouble(Reason.IDENTITY_MISMATCH, words)
    if observed.older_twin is not None:
        words = (
            f"{observed.older_twin} is older and stands for the same node pool; delete one of the two objects: the "
            "node pool stays while the other lives"
        )
        return Trouble(Reason.DUPLICATE_OBJECT, words)
    return None


def _failure_trouble(observed: LiveObserved) -> Trouble | None:
    failure = observed.failure
    if failure is None or (isinstance(failure, CloudError) and failure.is_transient):
        return None
    name = observed.node_pool.spec.account_ref.name
    if isinstance(failure, NotFound):
        words = (
            f"resource pool {observed.node_pool.spec.pool_name} is not in the cloud ({failure}); check "
            f"spec.poolName, which is the resource pool's ID and not its display name; "
            f"{commands.describe(observed.node_pool)}"
        )
        return Trouble(Reason.RESOURCE_POOL_NOT_FOUND, words)
    if failure.reason not in set(Reason):
        return Trouble(Reason.CLOUD_UNAVAILABLE, str(failure))
    return Trouble(Reason(failure.reason), f"{failure}; see kubectl describe {ACCOUNT_SHORT} {name}")


def _absence_trouble(observed: LiveObserved) -> Trouble | None:
    if observed.seen is None or observed.failure is not None:
        return None
    name = observed.node_pool.node_pool_name
    if name in observed.seen.node_pools:
        return None
    resource_pool = observed.node_pool.spec.pool_name
    shown = ", ".join(sorted(observed.seen.node_pools)[:5]) or "none"
    words = (
        f"resource pool {resource_pool} has no node pool {name} (it has: {shown}); correct the name in a new object, "
        f"or delete this one: kubectl delete -n {observed.node_pool.metadata.namespace} {NODE_POOL_SHORT} "
        f"{observed.node_pool.metadata.name}"
    )
    return Trouble(Reason.NODE_POOL_NOT_FOUND, words)
