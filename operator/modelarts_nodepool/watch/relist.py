"""LISTs of everything that the operator watches: whole objects to begin with, names and versions for the sweep.

Called by watch/supervisor.py before each life of the watch and by watch/resync.py. They fill the registry and
decide nothing.
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
    """One object as a LIST of metadata shows it."""

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
    """One object as the registry holds it: `seen` is when it came (monotonic seconds)."""

    name: str
    version: str
    seen: float


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind that is watched: its LIST, how one is taken, what the registry holds by uid, how one is dropped."""

    path: str
    take: Callable[[Mapping[str, Any]], object]
    kept: Callable[[], Mapping[str, Kept]]
    drop: Callable[[str], None]

    def vanished(self, listed: Collection[str], begun: float) -> list[str]:
        """The uids of what is held although a complete LIST, begun then (monotonic seconds), does not show it."""
        return [uid for uid, kept in self.kept().items() if uid not in listed and kept.seen < begun]


def kinds_of(registry: Registry) -> tuple[Kind, Kind, Kind]:
    """Namespaces, accounts and node pools, in the order in which they are to be listed."""
    return (
        Kind(paths.NAMESPACES, registry.take_namespace, lambda: _namespaces(registry), registry.drop_namespace_of),
        Kind(paths.ACCOUNTS, registry.take_account, lambda: _accounts(registry), registry.drop_account_of),
        Kind(paths.NODE_POOLS, registry.take_node_pool, lambda: _node_pools(registry), registry.drop_node_pool),
    )


async def list_everything(
    cluster: Cluster, registry: Registry, clock: Clock, absent: Collection[str] = frozenset()
) -> None:
    """Take all namespaces, accounts and objects; drop what a complete LIST no longer shows.

    `absent` are paths of kinds that have no CRD: there is nothing to list, and nothing of them is left.
    Raises errors.ClusterError; what was taken until then stays.
    """
    for kind in kinds_of(registry):
        begun = clock.monotonic()
        found = [] if kind.path in absent else await cluster.list_as(kind.path, partial(_take, kind))
        for uid in kind.vanished({uid for uid, _ in found}, begun):
            kind.drop(uid)
        if kind.path == paths.NODE_POOLS:
            # Only now: before the last page an object that is to take over may not be known yet.
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
    return kept | _misfits(registry, is_namespaced=False)


def _node_pools(registry: Registry) -> dict[str, Kept]:
    kept = {
        uid: Kept(node_pool.title, node_pool.metadata.resource_version, registry.first_seen[uid])
        for uid, node_pool in registry.node_pools.items()
    }
    return kept | _misfits(registry, is_namespaced=True)


def _misfits(registry: Registry, *, is_namespaced: bool) -> dict[str, Kept]:
    """Objects that were told but do not have our schema are not missed."""
    return {
        uid: Kept(misfit.metadata.name, misfit.metadata.resource_version, misfit.seen)
        for uid, misfit in registry.misfits.items()
        if misfit.is_node_pool is is_namespaced
    }
