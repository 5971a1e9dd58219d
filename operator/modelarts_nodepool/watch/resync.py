"""Relists and resyncs the cache: every few minutes a LIST of metadata finds what the watch has missed.

watch/supervisor.py calls it, and relists whole objects with it before each start of the watch. It queues objects and
drops those that are gone; it releases nothing, decides nothing about the cloud and writes nothing. If the watch does
not deliver within `patience` what the LIST shows, the watch is broken; the supervisor then starts a new one after a
relist.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from modelarts_nodepool import metrics
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from modelarts_nodepool.cache.objects import Cache, is_older
from modelarts_nodepool.kube import paths
from modelarts_nodepool.ports import Clock, Cluster, MetadataCluster


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


def kinds_of(cache: Cache) -> tuple[Kind, Kind, Kind]:
    """Namespaces, accounts and node pools, in the order in which they have to be listed."""
    return (
        Kind(paths.NAMESPACES, cache.upsert_namespace, lambda: _namespaces(cache), cache.drop_namespace_of),
        Kind(paths.ACCOUNTS, cache.upsert_account, lambda: _accounts(cache), cache.drop_account_of),
        Kind(paths.NODE_POOLS, cache.upsert_node_pool, lambda: _node_pools(cache), cache.drop_node_pool),
    )


async def list_everything(cluster: Cluster, cache: Cache, clock: Clock, absent: Collection[str] = frozenset()) -> None:
    """Put all namespaces, accounts and node pools into the cache; drop what a complete LIST does not show any more.

    `absent` are paths of kinds without a CRD: there is nothing to list, and no object is left.
    Raises errors.ClusterError; objects that were listed before stay in the cache.
    """
    for kind in kinds_of(cache):
        begun = clock.monotonic()
        found = [] if kind.path in absent else await cluster.list_as(kind.path, partial(_upsert, kind))
        for uid in kind.vanished({uid for uid, _ in found}, begun):
            kind.drop(uid)
        if kind.path == paths.NODE_POOLS:
            # Only after the last page: before that, a duplicate that takes over the node pool may be unknown.
            for uid, is_deleted in found:
                if is_deleted:
                    cache.observe_deletion(uid)


def _upsert(kind: Kind, body: Mapping[str, Any]) -> tuple[str, bool]:
    kind.take(body)
    return str(body["metadata"]["uid"]), bool(body["metadata"].get("deletionTimestamp"))


def _namespaces(cache: Cache) -> dict[str, Kept]:
    return {
        namespace.uid: Kept(name, namespace.resource_version, cache.namespace_seen[name])
        for name, namespace in cache.namespaces.items()
    }


def _accounts(cache: Cache) -> dict[str, Kept]:
    kept = {
        account.metadata.uid: Kept(name, account.metadata.resource_version, cache.account_seen[name])
        for name, account in cache.accounts.items()
    }
    return kept | _unreadable(cache, is_namespaced=False)


def _node_pools(cache: Cache) -> dict[str, Kept]:
    kept = {
        uid: Kept(node_pool.title, node_pool.metadata.resource_version, cache.first_seen[uid])
        for uid, node_pool in cache.node_pools.items()
    }
    return kept | _unreadable(cache, is_namespaced=True)


def _unreadable(cache: Cache, *, is_namespaced: bool) -> dict[str, Kept]:
    """Objects that do not match our schema are in the cache, too."""
    return {
        uid: Kept(found.metadata.name, found.metadata.resource_version, found.seen)
        for uid, found in cache.unreadable.items()
        if found.is_node_pool is is_namespaced
    }


logger = logging.getLogger(__name__)

_MAX_NAMED = 5


class Repair(StrEnum):
    """What a resync repairs; the label `kind` of sweep_repairs_total."""

    MISSED = "missed"  # in the cluster, but the watch did not deliver it
    OUTDATED = "outdated"  # the cluster has a newer version than the watch delivered
    VANISHED = "vanished"  # in the cache, but not in the cluster any more
    UNPROTECTED = "unprotected"  # not being deleted, and without our finalizer
    UNATTENDED = "unattended"  # being deleted with our finalizer, but no worker deletes it


MISSED_BY_WATCH = frozenset({Repair.MISSED, Repair.OUTDATED})


class Workers(Protocol):
    """Works on objects: the controllers."""

    def requeue(self, uid: str) -> None:
        """Reconcile this object again."""

    def is_queued(self, uid: str) -> bool:
        """Whether it is being reconciled, waits for that, or is planned for later."""


@dataclass(frozen=True, slots=True)
class Found:
    """One difference between the cluster and the cache."""

    repair: Repair
    kind: Kind
    uid: str
    name: str


@dataclass(slots=True)
class Resync:
    """`once` does one resync; `patience` is how far the watch may lag behind a LIST."""

    cluster: MetadataCluster
    cache: Cache
    workers: Workers
    clock: Clock
    patience: timedelta

    async def once(self) -> tuple[Found, ...]:
        """List, wait for the watch, repair and return the remaining differences. Raises errors.ClusterError."""
        lists = [await self._list(kind) for kind in kinds_of(self.cache)]
        if any(self._compare(one) for one in lists):
            await asyncio.sleep(self.patience.total_seconds())
        found = tuple(difference for one in lists for difference in self._compare(one))
        for one in found:
            metrics.SWEEP_REPAIRS.labels(one.repair.value).inc()
            self._repair(one)
        if found:
            names = ", ".join(f"{one.name} ({one.repair})" for one in found[:_MAX_NAMED])
            logger.warning("the resync found %d differences: %s", len(found), names)
        return found

    async def _list(self, kind: Kind) -> "_List":
        begun = self.clock.monotonic()
        listed = await self.cluster.list_metadata(kind.path, Listed.from_body)
        return _List(kind, begun, {one.uid: one for one in listed})

    def _compare(self, complete: "_List") -> list[Found]:
        kept = complete.kind.kept()
        found = [
            Found(Repair.VANISHED, complete.kind, uid, kept[uid].name)
            for uid in complete.kind.vanished(complete.listed, complete.begun)
        ]
        for uid, listed in complete.listed.items():
            known = kept.get(uid)
            if known is None:
                repair = None if self.cache.is_gone(uid) else Repair.MISSED
            elif is_older(known.version, listed.version):
                repair = Repair.OUTDATED
            else:
                repair = self._find_idle(uid) if complete.kind.path == paths.NODE_POOLS else None
            if repair is not None:
                found.append(Found(repair, complete.kind, uid, listed.name))
        return found

    def _find_idle(self, uid: str) -> Repair | None:
        """Whether work for this object is missing, judged by its newest known version."""
        node_pool = self.cache.node_pools.get(uid)
        if node_pool is None:
            return None
        if node_pool.metadata.deleted is None:
            return None if node_pool.is_protected else Repair.UNPROTECTED
        return Repair.UNATTENDED if node_pool.is_protected and not self.workers.is_queued(uid) else None

    def _repair(self, found: Found) -> None:
        match found.repair:
            case Repair.VANISHED:
                found.kind.drop(found.uid)
            case Repair.UNPROTECTED:
                self.workers.requeue(found.uid)
            case Repair.UNATTENDED:
                self.cache.observe_deletion(found.uid)
                self.workers.requeue(found.uid)
            case Repair.MISSED | Repair.OUTDATED:
                # The relist before the next watch brings the whole object.
                pass


@dataclass(frozen=True, slots=True)
class _List:
    """A complete LIST of one kind that began at `begun` (monotonic seconds)."""

    kind: Kind
    begun: float
    listed: Mapping[str, Listed]
