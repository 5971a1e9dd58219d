"""The problems that a person must fix, each with its reason: from NotProtected to NodePoolNotFound."""

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
class Problem:
    """A reason, with a message that says how to fix it."""

    reason: Reason
    message: str


def find_problem(observed: LiveObserved) -> Problem | None:
    """The first problem that applies. None if there is none, or if ModelArts only cannot be reached."""
    return (
        _protection_problem(observed)
        or _account_problem(observed)
        or _identity_problem(observed)
        or _name_problem(observed)
        or _failure_problem(observed)
        or _absence_problem(observed)
    )


def _protection_problem(observed: LiveObserved) -> Problem | None:
    if observed.finalizer_refused is None:
        return None
    return Problem(Reason.NOT_PROTECTED, not_protected(observed.finalizer_refused))


def _account_problem(observed: LiveObserved) -> Problem | None:
    node_pool, view = observed.node_pool, observed.account
    name = node_pool.spec.account_ref.name
    if view is None:
        words = f"ModelArtsAccount {name} does not exist; create it: {remedies.create_account()}"
        return Problem(Reason.ACCOUNT_NOT_FOUND, words)
    if view.account.is_terminating and node_pool.status.identity is None:
        words = (
            f"ModelArtsAccount {name} is being deleted and accepts no new objects; delete this object and create it "
            f"again with another spec.accountRef{remedies.by_hand(node_pool.metadata, remedies.delete(node_pool))}"
        )
        return Problem(Reason.ACCOUNT_TERMINATING, words)
    if not view.is_granted:
        words = (
            f"ModelArtsAccount {name} grants namespace {node_pool.metadata.namespace} no access to resource pool "
            f"{node_pool.spec.pool_name}; add it to "
            f"spec.grants{remedies.by_hand(view.account.metadata, remedies.edit_account(name))}"
        )
        return Problem(Reason.NOT_GRANTED, words)
    return None


def _identity_problem(observed: LiveObserved) -> Problem | None:
    node_pool, view = observed.node_pool, observed.account
    pinned = node_pool.status.identity
    if pinned is not None and view is not None and pinned != view.identity:
        words = (
            f"the object refers to node pool {pinned.node_pool_name} of resource pool {pinned.pool_name} in project "
            f"{pinned.project_id} ({pinned.region}), but account and spec now give another "
            f"{view.changed_from(pinned)}; create the account again with the old values; or delete this object and "
            "create another one; to keep the node pool, first set spec.deletionPolicy to "
            f"Retain{remedies.by_hand(node_pool.metadata, remedies.retain(node_pool))}"
        )
        return Problem(Reason.IDENTITY_MISMATCH, words)
    if observed.older_duplicate is not None:
        words = (
            f"{observed.older_duplicate} is older and refers to the same node pool; delete one of the two objects; the "
            "node pool is kept while the other object "
            f"exists{remedies.by_hand(node_pool.metadata, remedies.delete(node_pool))}"
        )
        return Problem(Reason.DUPLICATE_OBJECT, words)
    return None


def _name_problem(observed: LiveObserved) -> Problem | None:
    node_pool = observed.node_pool
    is_valid = is_valid_resource_pool_name(node_pool.spec.pool_name)
    if is_valid and is_valid_node_pool_name(node_pool.node_pool_name):
        return None
    words = (
        "spec.poolName or spec.nodePoolName is not a valid ModelArts name; no request was sent; names are immutable: "
        "create another object; before you delete this one, set spec.deletionPolicy to "
        f"Retain{remedies.by_hand(node_pool.metadata, remedies.retain(node_pool))}"
    )
    return Problem(Reason.INVALID_OBJECT, words)


def _failure_problem(observed: LiveObserved) -> Problem | None:
    failure, node_pool = observed.failure, observed.node_pool
    if isinstance(failure, NotFound):
        words = (
            f"resource pool {node_pool.spec.pool_name} does not exist in ModelArts; check spec.poolName, which is the "
            f"resource pool's ID and not its display name: {remedies.describe(node_pool)}"
        )
        return Problem(Reason.RESOURCE_POOL_NOT_FOUND, words)
    if failure is None or not needs_a_person(failure):
        return None
    said = str(failure).rstrip(". ")
    return Problem(reason_of(failure), f"{said}; see: {remedies.describe_account(node_pool.spec.account_ref.name)}")


def _absence_problem(observed: LiveObserved) -> Problem | None:
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
    return Problem(Reason.NODE_POOL_NOT_FOUND, words)


def _names_shown(names: Iterable[str], wanted: str) -> str:
    """Up to five names that ModelArts shows, the most similar first: a wrong capital is easy to miss.

    A name that is not valid in a request is quoted in ASCII and shortened.
    """
    found = sorted(
        names, key=lambda name: (name.casefold() != wanted.casefold(), not is_valid_node_pool_name(name), name)
    )
    shown = [name if is_valid_node_pool_name(name) else _quoted(name) for name in found[:_NAMED_NODE_POOLS]]
    return ", ".join([*shown, "…"] if len(found) > len(shown) else shown) or "no node pools"


def _quoted(name: str) -> str:
    shown = ascii(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")
    return f"{shown}, which is not a valid name"
