"""Relists the kinds that the operator watches.

watch/supervisor.py relists whole objects before each start of the watch; watch/resync.py relists metadata only. Both
fill the cache and decide nothing.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.kube import paths
from modelarts_nodepool.ports import Clock, Cluster


@dataclass(frozen=True, slots=True)
class Listed:
    """One object in a LIST of metadata."""

    uid: str
    name: str
    version: str
    is_deleted: bool
    is_protected: bool

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Listed":
        """From a PartialObjectMetadata."""
        raw = body["metadata"]
        return cls(
            uid=raw["uid"],
            name=f"{raw['namespace']}/{raw['name']}" if raw.get("namespace") else raw["name"],
            version=raw["resourceVersion"],
            is_deleted=bool(raw.get("deletionTimestamp")),
            is_protected=NODE_POOL_FINALIZER in (raw.get("finalizers") or ()),
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """One object in the cache; `seen` is when it came (monotonic seconds)."""

    name: str
    version: str
    seen: float


@dataclass(frozen=True, slots=True)
class Kind:
    """One watched kind.

    `path` is that of its LIST; `take` puts an object into the cache; `kept` gives the cached objects by uid; `drop`
    removes one.
    """

    path: str
    take: Callable[[Mapping[str, Any]], object]
    kept: Callable[[], Mapping[str, Kept]]
    drop: Callable[[str], None]

    def vanished(self, listed: Collection[str], begun: float) -> list[str]:
        """The uids of cached objects that a complete LIST, begun at `begun` (monotonic seconds), does not show."""
        return [uid for uid, kept in self.kept().items() if uid not in listed and kept.seen < begun]


def kinds_of(registry: Registry) -> tuple[Kind, Kind, Kind]:
    """Namespaces, accounts and node pools, in the order in which they have to be listed."""
    return (
        Kind(paths.NAMESPACES, registry.take_namespace, lambda: _namespaces(registry), registry.drop_namespace_of),
        Kind(paths.ACCOUNTS, registry.take_account, lambda: _accounts(registry), registry.drop_account_of),
        Kind(paths.NODE_POOLS, registry.take_node_pool, lambda: _node_pools(registry), registry.drop_node_pool),
    )


async def list_everything(
    cluster: Cluster, registry: Registry, clock: Clock, absent: Collection[str] = frozenset()
) -> None:
    """Put all namespaces, accounts and node pools into the cache; drop what a complete LIST does not show any more.

    `absent` are paths of kinds without a CRD: there is nothing to list, and no object is left.
    Raises errors.ClusterError; objects that were listed before stay in the cache.
    """
    for kind in kinds_of(registry):
        begun = clock.monotonic()
        found = [] if kind.path in absent else await cluster.list_as(kind.path, partial(_take, kind))
        for uid in kind.vanished({uid for uid, _ in found}, begun):
            kind.drop(uid)
        if kind.path == paths.NODE_POOLS:
            # Only after the last page: before that, a duplicate that takes over the node pool may be unknown.
            for uid, is_deleted in found:
                if is_deleted:
                    registry.tell_deletion(uid)


def _take(kind: Kind, body: Mapping[str, Any]) -> tuple[str, bool]:
    kind.take(body)
    return str(body["metadata"]["uid"]), bool(body["metadata"].get("deletionTimestamp"))


def _namespaces(registry: Registry) -> dict[str, Kept]:
    return {
        namespace.uid: Kept(name, namespace.resource_version, registry.namespace_seen[name])
        for name, namespace in registry.namespaces.items()
    }


def _accounts(registry: Registry) -> dict[str, Kept]:
    kept = {
        account.metadata.uid: Kept(name, account.metadata.resource_version, registry.account_seen[name])
        for name, account in registry.accounts.items()
    }
    return kept | _unreadable(registry, is_namespaced=False)


def _node_pools(registry: Registry) -> dict[str, Kept]:
    kept = {
        uid: Kept(node_pool.title, node_pool.metadata.resource_version, registry.first_seen[uid])
        for uid, node_pool in registry.node_pools.items()
    }
    return kept | _unreadable(registry, is_namespaced=True)


def _unreadable(registry: Registry, *, is_namespaced: bool) -> dict[str, Kept]:
    """Objects that do not match our schema are in the cache, too."""
    return {
        uid: Kept(found.metadata.name, found.metadata.resource_version, found.seen)
        for uid, found in registry.unreadable.items()
        if found.is_node_pool is is_namespaced
    }
