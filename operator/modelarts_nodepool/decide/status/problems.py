"""Rows 2b and 3 of the status table: what is wrong with an object that lives, if anything, and who can mend it."""

from collections.abc import Iterable
from dataclasses import dataclass

from modelarts_nodepool.api.names import is_valid_node_pool_name, is_valid_resource_pool_name
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.failures import needs_a_person, not_protected, reason_of
from modelarts_nodepool.decide.observed import LiveObserved
from modelarts_nodepool.errors import NotFound

_NAMED_NODE_POOLS = 5
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Trouble:
    """A reason with what to do about it."""

    reason: Reason
    message: str


def find_trouble(observed: LiveObserved) -> Trouble | None:
    """The first that applies, None where nothing is wrong or the cloud is only out of reach."""
    return (
        _protection_trouble(observed)
        or _account_trouble(observed)
        or _identity_trouble(observed)
        or _name_trouble(observed)
        or _failure_trouble(observed)
        or _absence_trouble(observed)
    )


def _protection_trouble(observed: LiveObserved) -> Trouble | None:
    if observed.finalizer_refused is None:
        return None
    return Trouble(Reason.NOT_PROTECTED, not_protected(observed.finalizer_refused))


def _account_trouble(observed: LiveObserved) -> Trouble | None:
    node_pool, view = observed.node_pool, observed.account
    name = node_pool.spec.account_ref.name
    if view is None:
        words = f"ModelArtsAccount {name} does not exist; create it: {remedies.create_account()}"
        return Trouble(Reason.ACCOUNT_NOT_FOUND, words)
    if view.account.is_terminating and node_pool.status.identity is None:
        words = (
            f"ModelArtsAccount {name} is being deleted and takes no new objects; delete this one and create it again "
            f"with another spec.accountRef{remedies.by_hand(node_pool.metadata, remedies.delete(node_pool))}"
        )
        return Trouble(Reason.ACCOUNT_TERMINATING, words)
    if not view.is_granted:
        words = (
            f"ModelArtsAccount {name} grants namespace {node_pool.metadata.namespace} no access to resource pool "
            f"{node_pool.spec.pool_name}; add it to "
            f"spec.grants{remedies.by_hand(view.account.metadata, remedies.edit_account(name))}"
        )
        return Trouble(Reason.NOT_GRANTED, words)
    return None


def _identity_trouble(observed: LiveObserved) -> Trouble | None:
    node_pool, view = observed.node_pool, observed.account
    pinned = node_pool.status.identity
    if pinned is not None and view is not None and pinned != view.identity:
        words = (
            f"the object stands for node pool {pinned.node_pool_name} of resource pool {pinned.pool_name} in project "
            f"{pinned.project_id} ({pinned.region}); account or spec now say another {view.changed_from(pinned)}; "
            "create the account again as it was; or delete this object and create another, and to keep the node pool "
            f"first set spec.deletionPolicy to Retain{remedies.by_hand(node_pool.metadata, remedies.retain(node_pool))}"
        )
        return Trouble(Reason.IDENTITY_MISMATCH, words)
    if observed.older_duplicate is not None:
        words = (
            f"{observed.older_duplicate} is older and stands for the same node pool; delete one of the two objects, "
            "the node pool stays while the other "
            f"lives{remedies.by_hand(node_pool.metadata, remedies.delete(node_pool))}"
        )
        return Trouble(Reason.DUPLICATE_OBJECT, words)
    return None


def _name_trouble(observed: LiveObserved) -> Trouble | None:
    node_pool = observed.node_pool
    is_valid = is_valid_resource_pool_name(node_pool.spec.pool_name)
    if is_valid and is_valid_node_pool_name(node_pool.node_pool_name):
        return None
    words = (
        "spec.poolName or the node pool's name is not a valid ModelArts name: it would change the URL of the call, so "
        "nothing is asked; names cannot be changed: create another object; before you delete this one, set "
        f"spec.deletionPolicy to Retain{remedies.by_hand(node_pool.metadata, remedies.retain(node_pool))}"
    )
    return Trouble(Reason.INVALID_OBJECT, words)


def _failure_trouble(observed: LiveObserved) -> Trouble | None:
    failure, node_pool = observed.failure, observed.node_pool
    if isinstance(failure, NotFound):
        words = (
            f"resource pool {node_pool.spec.pool_name} is not in the cloud; check spec.poolName, which is the resource "
            f"pool's ID and not its display name: {remedies.describe(node_pool)}"
        )
        return Trouble(Reason.RESOURCE_POOL_NOT_FOUND, words)
    if failure is None or not needs_a_person(failure):
        return None
    said = str(failure).rstrip(". ")
    return Trouble(reason_of(failure), f"{said}; see: {remedies.describe_account(node_pool.spec.account_ref.name)}")


def _absence_trouble(observed: LiveObserved) -> Trouble | None:
    if observed.seen is None or observed.failure is not None:
        return None
    node_pool = observed.node_pool
    name = node_pool.node_pool_name
    if name in observed.seen.node_pools:
        return None
    words = (
        f"resource pool {node_pool.spec.pool_name} has no node pool {name} (it has: "
        f"{_names_shown(observed.seen.node_pools, name)}); correct the name in a new object, or delete this "
        f"one{remedies.by_hand(node_pool.metadata, remedies.delete(node_pool))}"
    )
    return Trouble(Reason.NODE_POOL_NOT_FOUND, words)


def _names_shown(names: Iterable[str], wanted: str) -> str:
    """Up to five names that the cloud shows, the most alike first: a capital is easily overlooked.

    A name that no call can carry is quoted in ASCII and cut short, since it is the cloud's own text.
    """
    found = sorted(
        names, key=lambda name: (name.casefold() != wanted.casefold(), not is_valid_node_pool_name(name), name)
    )
    shown = [name if is_valid_node_pool_name(name) else _quoted(name) for name in found[:_NAMED_NODE_POOLS]]
    return ", ".join([*shown, "…"] if len(found) > len(shown) else shown) or "no node pools"


def _quoted(name: str) -> str:
    shown = ascii(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")
    return f"{shown}, which no call can name"
