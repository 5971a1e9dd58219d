"""The sweep: a LIST of metadata alone, every few minutes, that finds what the watch has missed.

Called by watch/supervisor.py. It puts work into the queues and drops what is gone; it releases nothing, decides
nothing about the cloud and writes nothing. What LIST shows and the watch does not tell within some patience proves
that the watch is blind; the supervisor then begins a new one, with a LIST of everything.
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

_NAMED = 5


class Repair(StrEnum):
    """What a sweep sets right; the label `kind` of sweep_repairs_total."""

    MISSED = "missed"  # in the cluster, never told by the watch
    OUTDATED = "outdated"  # a newer version is in the cluster than the watch told
    VANISHED = "vanished"  # told by the watch, gone from the cluster
    UNPROTECTED = "unprotected"  # lives without our finalizer
    UNATTENDED = "unattended"  # deleted and held by our finalizer, but nobody is at work on its deletion


IS_BLIND = frozenset({Repair.MISSED, Repair.OUTDATED})


class Workers(Protocol):
    """Who works on objects: the controller."""

    def requeue(self, uid: str) -> None:
        """Have somebody look at this object again."""

    def is_deleting(self, uid: str) -> bool:
        """Whether somebody is at work on its deletion."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing amiss."""

    repair: Repair
    kind: Kind
    uid: str
    name: str


@dataclass(slots=True)
class Sweep:
    """`once` is one sweep; `patience` is how long the watch may lag behind a LIST before it counts as blind."""

    cluster: MetadataCluster
    registry: Registry
    workers: Workers
    clock: Clock
    patience: timedelta

    async def once(self) -> tuple[Found, ...]:
        """Look, give the watch its time, set right what is still amiss; what that was. Raises errors.ClusterError."""
        looks = [await self._look(kind) for kind in kinds_of(self.registry)]
        if any(self._compare(look) for look in looks):
            await asyncio.sleep(self.patience.total_seconds())
        found = tuple(one for look in looks for one in self._compare(look))
        for one in found:
            metrics.SWEEP_REPAIRS.labels(one.repair.value).inc()
            self._set_right(one)
        if found:
            words = ", ".join(f"{one.name} ({one.repair})" for one in found[:_NAMED])
            logger.warning("the sweep found %d amiss: %s", len(found), words)
        return found

    async def _look(self, kind: Kind) -> "_Look":
        begun = self.clock.monotonic()
        listed = await self.cluster.list_metadata(kind.path, Listed.from_body)
        return _Look(kind, begun, {one.uid: one for one in listed})

    def _compare(self, look: "_Look") -> list[Found]:
        kept = look.kind.kept()
        found = [
            Found(Repair.VANISHED, look.kind, uid, kept[uid].name)
            for uid in look.kind.vanished(look.listed, look.begun)
        ]
        for uid, listed in look.listed.items():
            known = kept.get(uid)
            if known is None:
                repair = None if self.registry.is_gone(uid) else Repair.MISSED
            elif is_older(known.version, listed.version):
                repair = Repair.OUTDATED
            else:
                repair = self._find_idle(uid) if look.kind.path == paths.NODE_POOLS else None
            if repair is not None:
                found.append(Found(repair, look.kind, uid, listed.name))
        return found

    def _find_idle(self, uid: str) -> Repair | None:
        """Whether nobody does what has to be done for this object; judged by its newest version that is known."""
        node_pool = self.registry.node_pools.get(uid)
        if node_pool is None:
            return None
        if node_pool.metadata.deleted is None:
            return None if node_pool.is_protected else Repair.UNPROTECTED
        return Repair.UNATTENDED if node_pool.is_protected and not self.workers.is_deleting(uid) else None

    def _set_right(self, found: Found) -> None:
        """What the watch did not tell is not touched: the LIST of everything that follows brings it whole."""
        match found.repair:
            case Repair.VANISHED:
                found.kind.drop(found.uid)
            case Repair.UNPROTECTED:
                self.workers.requeue(found.uid)
            case Repair.UNATTENDED:
                self.registry.tell_deletion(found.uid)
                self.workers.requeue(found.uid)
            case Repair.MISSED | Repair.OUTDATED:
                pass


@dataclass(frozen=True, slots=True)
class _Look:
    """A complete LIST of one kind, begun then (monotonic seconds)."""

    kind: Kind
    begun: float
    listed: Mapping[str, Listed]
