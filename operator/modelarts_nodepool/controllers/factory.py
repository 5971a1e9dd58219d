"""Builds the controllers of one term as the leader: the only place where their constructors are called.

The order shows the dependencies: the cache, the queue, the listener that adds keys, then what changes the cache and
what calls the cloud, then the reconcilers.
"""

from collections.abc import Callable
from dataclasses import dataclass

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache, Duplicates
from modelarts_nodepool.controllers.abnormal_nodes import AbnormalNodesReader
from modelarts_nodepool.controllers.account import AccountCalls, AccountCheck, AccountReconciler
from modelarts_nodepool.controllers.audit import AuditTrail
from modelarts_nodepool.controllers.deletion.fetch import Fetch
from modelarts_nodepool.controllers.deletion.gather import Gather
from modelarts_nodepool.controllers.deletion.reconciler import DeletionReconciler
from modelarts_nodepool.controllers.deletion.release import Releaser
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.manager import EventMap, Lanes, Manager
from modelarts_nodepool.controllers.node_pool import NodePoolReconciler
from modelarts_nodepool.controllers.orphans import Orphans
from modelarts_nodepool.controllers.unreadable import UnreadableReconciler
from modelarts_nodepool.controllers.workqueue import GroupLimit, Key, Kind, Workqueue
from modelarts_nodepool.controllers.writes import Writes
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.polling import Pollers
from modelarts_nodepool.ports import Clock, Cluster

# Facts that let a DELETE pass are valid for a minute, and the DELETEs of one resource pool are sent one after another.
# If ten thousand deletions fetched their facts at once, the first facts would be too old when the last ones arrive, and
# all would fetch again, without end. One deletion sends while the others fetch: a fetch and a DELETE take about the
# same time.
PREPARED_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the reconcilers share. Fill `cache`: it reports its changes to `events`."""

    cache: Cache
    queue: Workqueue
    duplicates: Duplicates
    in_flight: InFlight
    trail: AuditTrail
    calls: AccountCalls
    events: EventMap
    pollers: Pollers
    writes: Writes
    recorder: EventRecorder
    clock: Clock
    cluster: Cluster
    clouds: Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Controllers:
    """The parts that app.py and tests need."""

    manager: Manager
    cache: Cache
    queue: Workqueue
    pollers: Pollers
    writes: Writes
    trail: AuditTrail
    in_flight: InFlight
    preparing: GroupLimit
    duplicates: Duplicates
    gather: Gather
    deletions: DeletionReconciler


def build_controllers(
    cache: Cache,
    clouds: Gateway,
    cluster: Cluster,
    recorder: EventRecorder,
    clock: Clock,
    may_act: Callable[[], bool],
) -> Controllers:
    """`may_act`: whether the term as the leader still lasts; asked right before each DELETE."""
    shared = _build_shared(cache, clouds, cluster, recorder, clock)
    queue = shared.queue
    preparing = GroupLimit(PREPARED_AT_ONCE, lambda uid: queue.add(Key(Kind.NODE_POOL, uid)))
    gather = Gather(shared.cache, shared.duplicates, shared.pollers, shared.in_flight, shared.trail, clock)
    deletions = _build_deletions(shared, gather, preparing, may_act)
    return Controllers(
        manager=_build_manager(shared, deletions),
        cache=shared.cache,
        queue=queue,
        pollers=shared.pollers,
        writes=shared.writes,
        trail=shared.trail,
        in_flight=shared.in_flight,
        preparing=preparing,
        duplicates=shared.duplicates,
        gather=gather,
        deletions=deletions,
    )


def _build_shared(cache: Cache, clouds: Gateway, cluster: Cluster, recorder: EventRecorder, clock: Clock) -> Shared:
    queue, duplicates, in_flight = Workqueue(Lanes(cache)), Duplicates(cache), InFlight()
    trail = AuditTrail(clock, queue.add_after)
    calls = AccountCalls(cache, queue, clock)
    orphans = Orphans(cache, duplicates, in_flight, trail, recorder, clock)
    events = EventMap(cache, queue, in_flight, calls, orphans)
    cache = Cache(clock, events, cache.content)
    return Shared(
        cache=cache,
        queue=queue,
        duplicates=duplicates,
        in_flight=in_flight,
        trail=trail,
        calls=calls,
        events=events,
        pollers=Pollers(cache, clouds, clock, events.snapshot_taken),
        writes=Writes(cluster, clock, cache, recorder),
        recorder=recorder,
        clock=clock,
        cluster=cluster,
        clouds=clouds,
    )


def _build_deletions(
    shared: Shared, gather: Gather, preparing: GroupLimit, may_act: Callable[[], bool]
) -> DeletionReconciler:
    cache, writes, trail, in_flight = shared.cache, shared.writes, shared.trail, shared.in_flight
    recorder, clock = shared.recorder, shared.clock
    fetch = Fetch(cache, shared.pollers, shared.clouds, shared.cluster, clock)
    return DeletionReconciler(
        cache=cache,
        gather=gather,
        fetch=fetch,
        sender=Sender(cache, gather, fetch, shared.clouds, writes, trail, in_flight, recorder, clock, may_act),
        releaser=Releaser(cache, gather, writes, trail, in_flight, recorder, clock, may_act),
        pollers=shared.pollers,
        writes=writes,
        trail=trail,
        in_flight=in_flight,
        preparing=preparing,
        recorder=recorder,
        clock=clock,
    )


def _build_manager(shared: Shared, deletions: DeletionReconciler) -> Manager:
    cache, duplicates, pollers, writes = shared.cache, shared.duplicates, shared.pollers, shared.writes
    calls, recorder, clock, clouds = shared.calls, shared.recorder, shared.clock, shared.clouds
    abnormal = AbnormalNodesReader(cache, shared.queue, clouds, clock)
    return Manager(
        cache=cache,
        queue=shared.queue,
        events=shared.events,
        node_pools=NodePoolReconciler(cache, duplicates, pollers, abnormal, writes, recorder, clock),
        deletions=deletions,
        unreadable=UnreadableReconciler(cache, writes, recorder, clock),
        accounts=AccountReconciler(cache, calls, pollers, clouds, writes, shared.trail, shared.cluster, clock),
        checks=AccountCheck(cache, calls, pollers, clouds),
        abnormal=abnormal,
        pollers=pollers,
        in_flight=shared.in_flight,
        writes=writes,
    )
