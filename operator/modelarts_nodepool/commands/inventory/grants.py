"""Who may name a resource pool, by the grants of the accounts. Pure."""

from collections.abc import Iterable, Mapping

from modelarts_nodepool.api.grants import Grant
from modelarts_nodepool.api.objects import Account, NodePool

_ANY = "*"


def granting(
    accounts: Iterable[Account], namespace: str, labels: Mapping[str, str], resource_pool: str
) -> list[Account]:
    """Those accounts that let objects of the namespace name the resource pool."""
    return [
        account
        for account in accounts
        if any(grant.allows(namespace, dict(labels), resource_pool) for grant in account.spec.grants)
    ]


def is_granted(node_pool: NodePool, account: Account, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the object's own account lets it name what it names."""
    namespace = node_pool.metadata.namespace
    return bool(granting([account], namespace, namespaces.get(namespace, {}), node_pool.spec.pool_name))


def in_words(accounts: Iterable[Account], resource_pool: str) -> list[str]:
    """The namespaces that may name the resource pool: names, `*`, or labels as `team=ml`."""
    found = {
        word
        for account in accounts
        for grant in account.spec.grants
        if {_ANY, resource_pool} & set(grant.resource_pools)
        for word in _namespaces(grant)
    }
    return sorted(found)


def _namespaces(grant: Grant) -> Iterable[str]:
    if grant.namespace_selector is not None:
        labels = grant.namespace_selector.match_labels
        return [",".join(f"{key}={value}" for key, value in sorted(labels.items()))]
    return grant.namespaces or ()
