"""What the workers of the engine share: memory, pollers, clients, cluster, clock, and how to write."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from modelarts_nodepool import metrics
from modelarts_nodepool.access.gateway import Clouds
from modelarts_nodepool.api.account import AccountSpec
from modelarts_nodepool.api.node_pool import Identity, NodePoolStatus
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import Misfit
from modelarts_nodepool.cache.in_flight import Ongoing
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.deletion.places import Places
from modelarts_nodepool.controllers.deletion.shared import Shared
from modelarts_nodepool.controllers.deletion.turns import Turns
from modelarts_nodepool.controllers.entries import Entries
from modelarts_nodepool.controllers.writes import Write, Writes
from modelarts_nodepool.decide.failures import write_refused
from modelarts_nodepool.decide.observed import AccountView
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube import patches, paths
from modelarts_nodepool.kube.events import EventRecorder, EventType
from modelarts_nodepool.polling.pollers import Pollers
from modelarts_nodepool.ports import Clock, Cluster, Moment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Everything a worker of the engine needs, joined in app.py.

    `turns`: one hand-over at a time per node pool; `places`: who may prepare a DELETE; `shared`: looks of many;
    `entries`: what is still to be written of the accounts' recentDeletions; `writes`: patches of objects, and which
    of them fail.
    """

    registry: Registry
    pollers: Pollers
    clouds: Clouds
    cluster: Cluster
    clock: Clock
    recorder: EventRecorder
    ongoing: Ongoing = field(default_factory=Ongoing)
    turns: Turns = field(default_factory=Turns)
    places: Places = field(default_factory=Places)
    shared: Shared = field(default_factory=Shared)
    entries: Entries = field(init=False)
    writes: Writes = field(init=False)

    def __post_init__(self) -> None:
        """By the same clock; whoever writes shares one memory of what fails."""
        object.__setattr__(self, "entries", Entries(self.clock))
        object.__setattr__(self, "writes", Writes(self.cluster, self.clock))

    def moment(self) -> Moment:
        """Both clocks, read at once."""
        return Moment(self.clock.now(), self.clock.monotonic())

    def account_view(self, node_pool: NodePool) -> AccountView | None:
        """The account that the object names, with what it means for it; None where there is none."""
        account = self.registry.accounts.get(node_pool.spec.account_ref.name)
        if account is None:
            return None
        granted = self._is_granted(account, node_pool.metadata.namespace, node_pool.spec.pool_name)
        return AccountView(account=account, is_granted=granted, identity=identity_of(account.spec, node_pool))

    def duplicates(self, node_pool: NodePool, identity: Identity) -> tuple[NodePool, ...]:
        """Other objects that stand for the same node pool, granted and with their account, by whatever account."""
        found = []
        for twin in self._naming(node_pool, identity):
            view = self.account_view(twin)
            pinned = twin.status.identity
            if view is not None and view.is_granted and (pinned is None or pinned.place == identity.place):
                found.append(twin)
        return tuple(sorted(found, key=lambda twin: (twin.metadata.created, twin.metadata.uid)))

    def unplaced_duplicate(self, node_pool: NodePool, identity: Identity) -> NodePool | None:
        """Another object that names the same node pool, in a namespace whose labels are not known yet.

        Whether it is granted cannot be said: the watch of namespaces may lag behind that of objects.
        """
        for twin in self._naming(node_pool, identity):
            view = self.account_view(twin)
            is_granted = view is not None and view.is_granted
            if not is_granted and twin.metadata.namespace not in self.registry.namespaces:
                return twin
        return None

    def unreadable_duplicate(self, node_pool: NodePool, identity: Identity) -> Misfit | None:
        """Another object that names the same node pool and cannot be read: nobody knows what it stands for.

        Whoever may not be granted it, as far as is known, or is being deleted without our finalizer, is none.
        """
        for misfit in self.registry.misfits.values():
            named = (misfit.pool_name, misfit.node_pool_name)
            is_other = misfit.metadata.uid != node_pool.metadata.uid
            if not is_other or not misfit.is_in_our_hands or named != (identity.pool_name, identity.node_pool_name):
                continue
            account = self.registry.accounts.get(misfit.account or "")
            if account is None or self._may_name(account, misfit, identity):
                return misfit
        return None

    def _may_name(self, account: Account, misfit: Misfit, identity: Identity) -> bool:
        if (account.spec.region, account.spec.project_id) != (identity.region, identity.project_id):
            return False
        namespace = misfit.metadata.namespace
        return namespace not in self.registry.namespaces or self._is_granted(account, namespace, identity.pool_name)

    def _is_granted(self, account: Account, namespace: str, resource_pool: str) -> bool:
        known = self.registry.namespaces.get(namespace)
        labels = dict(known.labels) if known else {}
        return any(grant.allows(namespace, labels, resource_pool) for grant in account.spec.grants)

    def _naming(self, node_pool: NodePool, identity: Identity) -> Iterator[NodePool]:
        """Other objects whose spec and account name the same node pool: the same URL, in whatever workspace."""
        for name, account in self.registry.accounts.items():
            if (account.spec.region, account.spec.project_id) != (identity.region, identity.project_id):
                continue
            for twin in self.registry.naming(name, identity.pool_name, identity.node_pool_name):
                if twin.metadata.uid != node_pool.metadata.uid:
                    yield twin

    async def write_status(
        self, node_pool: NodePool, status: NodePoolStatus, write: Write = Write.STATUS
    ) -> NodePool | None:
        """Replace the whole status of exactly this version. Raises errors.ClusterError."""
        patch = patches.build_status(node_pool, status)
        body = await self.writes.patch(node_pool, write, paths.status_path_of(node_pool), patch)
        metrics.STATUS_WRITES.inc()
        return self.registry.take_node_pool(body)

    async def add_finalizer(self, node_pool: NodePool) -> NodePool | None:
        """Protect exactly this version of the object. Raises errors.ClusterError."""
        patch = patches.build_finalizer_added(node_pool)
        body = await self.writes.patch(node_pool, Write.FINALIZER, paths.path_of(node_pool), patch)
        logger.info("protected: the finalizer is on the object", extra=log_fields(node_pool))
        return self.registry.take_node_pool(body)

    def tell_unwritten(self, thing: NodePool | Account | Misfit, write: Write = Write.STATUS) -> None:
        """One Event, once such a write has failed for some time: the object itself cannot say it."""
        lasting = self.writes.lasting(thing.metadata.uid, write)
        if lasting is None or not self.writes.tell_once(thing.metadata.uid, write):
            return
        words = write_refused(lasting[0], is_status=write is Write.STATUS)
        self.recorder.record(thing, EventType.WARNING, Reason.REFUSED_BY_API_SERVER, words)

    async def refresh(self, node_pool: NodePool | Misfit) -> None:
        """Read the object again after a refused write. Raises errors.ClusterError."""
        try:
            body = await self.cluster.get(paths.path_of(node_pool))
        except ObjectGone:
            self.registry.drop_node_pool(node_pool.metadata.uid)
            return
        self.registry.take_node_pool(body)
        if body["metadata"]["uid"] != node_pool.metadata.uid:
            self.registry.drop_node_pool(node_pool.metadata.uid)


def identity_of(spec: AccountSpec, node_pool: NodePool) -> Identity:
    """The node pool in the cloud that spec and account name now."""
    return Identity(
        region=spec.region,
        project_id=spec.project_id,
        workspace=spec.workspace,
        pool_name=node_pool.spec.pool_name,
        node_pool_name=node_pool.node_pool_name,
    )


def log_fields(node_pool: NodePool) -> dict[str, object]:
    """What every log line about an object carries."""
    return {
        "object": node_pool.title,
        "uid": node_pool.metadata.uid,
        "nodePool": f"{node_pool.spec.pool_name}/{node_pool.node_pool_name}",
    }


def seconds(span: timedelta) -> float:
    """For asyncio, which counts in seconds; never zero, so that no loop can spin."""
    return max(span.total_seconds(), 0.05)
