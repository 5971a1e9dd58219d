"""Which objects stand for the same node pool, and what an account means for an object. Reads the cache, no more.

Used by controllers/: a node pool that another object stands for is handed over, not deleted.
"""

from collections.abc import Iterator

from modelarts_nodepool.api.account import AccountSpec
from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.decide.observed import AccountView


class Duplicates:
    """Answers from the indexes of the cache."""

    def __init__(self, cache: Registry) -> None:
        self._cache = cache

    def account_view(self, node_pool: NodePool) -> AccountView | None:
        """The account that the object names, with what it means for it; None where there is none."""
        account = self._cache.accounts.get(node_pool.spec.account_ref.name)
        if account is None:
            return None
        granted = self._is_granted(account, node_pool.metadata.namespace, node_pool.spec.pool_name)
        return AccountView(account=account, is_granted=granted, identity=identity_of(account.spec, node_pool))

    def of(self, node_pool: NodePool, identity: Identity) -> tuple[NodePool, ...]:
        """Other objects that stand for the same node pool, granted and with their account, by whatever account."""
        found = []
        for other in self._naming(node_pool, identity):
            view = self.account_view(other)
            pinned = other.status.identity
            if view is not None and view.is_granted and (pinned is None or pinned.place == identity.place):
                found.append(other)
        return tuple(sorted(found, key=lambda other: (other.metadata.created, other.metadata.uid)))

    def in_unknown_namespace(self, node_pool: NodePool, identity: Identity) -> NodePool | None:
        """Another object that names the same node pool, in a namespace whose labels are not known yet.

        Whether it is granted cannot be said: the watch of namespaces may lag behind that of objects.
        """
        for other in self._naming(node_pool, identity):
            view = self.account_view(other)
            is_granted = view is not None and view.is_granted
            if not is_granted and other.metadata.namespace not in self._cache.namespaces:
                return other
        return None

    def unreadable(self, node_pool: NodePool, identity: Identity) -> UnreadableObject | None:
        """Another object that names the same node pool and cannot be read: it may stand for it.

        Not where it cannot be granted, as far as is known, nor where it is being deleted without our finalizer.
        """
        for other in self._cache.unreadable.values():
            named = (other.pool_name, other.node_pool_name)
            is_other = other.metadata.uid != node_pool.metadata.uid
            if not is_other or not other.is_in_our_hands or named != (identity.pool_name, identity.node_pool_name):
                continue
            account = self._cache.accounts.get(other.account or "")
            if account is None or self._may_name(account, other, identity):
                return other
        return None

    def _may_name(self, account: Account, other: UnreadableObject, identity: Identity) -> bool:
        if (account.spec.region, account.spec.project_id) != (identity.region, identity.project_id):
            return False
        namespace = other.metadata.namespace
        return namespace not in self._cache.namespaces or self._is_granted(account, namespace, identity.pool_name)

    def _is_granted(self, account: Account, namespace: str, resource_pool: str) -> bool:
        known = self._cache.namespaces.get(namespace)
        labels = dict(known.labels) if known else {}
        return any(grant.allows(namespace, labels, resource_pool) for grant in account.spec.grants)

    def _naming(self, node_pool: NodePool, identity: Identity) -> Iterator[NodePool]:
        """Other objects whose spec and account name the same node pool: the same URL, in whatever workspace."""
        for name, account in self._cache.accounts.items():
            if (account.spec.region, account.spec.project_id) != (identity.region, identity.project_id):
                continue
            for other in self._cache.naming(name, identity.pool_name, identity.node_pool_name):
                if other.metadata.uid != node_pool.metadata.uid:
                    yield other


def identity_of(spec: AccountSpec, node_pool: NodePool) -> Identity:
    """The node pool in the cloud that spec and account name now."""
    return Identity(
        region=spec.region,
        project_id=spec.project_id,
        workspace=spec.workspace,
        pool_name=node_pool.spec.pool_name,
        node_pool_name=node_pool.node_pool_name,
    )
