"""Resyncs the cache: every few minutes a LIST of metadata finds what the watch has missed.

watch/supervisor.py calls it. It queues objects and drops those that are gone; it releases nothing, decides nothing
about the cloud and writes nothing. If the watch does not deliver within `patience` what the LIST shows, the watch is
broken; the supervisor then starts a new one after a relist.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from modelarts_nodepool import metrics
from modelarts_nodepool.cache.objects import Registry, is_older
from modelarts_nodepool.kube import paths
from modelarts_nodepool.ports import Clock, MetadataCluster
from modelarts_nodepool.watch.relist import Kind, Listed, kinds_of

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
    registry: Registry
    workers: Workers
    clock: Clock
    patience: timedelta

    async def once(self) -> tuple[Found, ...]:
        """List, wait for the watch, repair and return the remaining differences. Raises errors.ClusterError."""
        lists = [await self._list(kind) for kind in kinds_of(self.registry)]
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
                repair = None if self.registry.is_gone(uid) else Repair.MISSED
            elif is_older(known.version, listed.version):
                repair = Repair.OUTDATED
            else:
                repair = self._find_idle(uid) if complete.kind.path == paths.NODE_POOLS else None
            if repair is not None:
                found.append(Found(repair, complete.kind, uid, listed.name))
        return found

    def _find_idle(self, uid: str) -> Repair | None:
        """Whether work for this object is missing, judged by its newest known version."""
        node_pool = self.registry.node_pools.get(uid)
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
                self.registry.tell_deletion(found.uid)
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
