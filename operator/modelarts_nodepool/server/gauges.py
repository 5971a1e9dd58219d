"""The gauges of /metrics about objects, nodes and accounts, computed from the cache at each scrape.

They run in the HTTP server's thread while the event loop of the controllers runs. So they copy each collection in one
step of the interpreter, which no other thread can interrupt, and read values that never change in place.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum

from modelarts_nodepool import metrics
from modelarts_nodepool.api.meta import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.names import ACCOUNT_KIND, NODE_POOL_KIND
from modelarts_nodepool.api.node_pool import Counts
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.writes import Writes
from modelarts_nodepool.decide.deletion.status import ShownHold, shown_hold
from modelarts_nodepool.metrics import Sample
from modelarts_nodepool.polling import Pollers
from modelarts_nodepool.ports import Clock, Moment
from modelarts_nodepool.watch.supervisor import EventSource

_OTHER = "Other"
_KNOWN_REASONS = frozenset(reason.value for reason in Reason)


class ObjectState(StrEnum):
    """The label `state` of objects: the first state that applies."""

    BLOCKED = "blocked"  # being deleted, and held
    DELETING = "deleting"  # being deleted
    NAMESPACE_GONE = "namespace_gone"  # writes fail, so its status is old
    NEW = "new"  # without a Ready condition
    STALLED = "stalled"
    READY = "ready"
    STALE = "stale"  # without an answer of the cloud for too long
    PROGRESSING = "progressing"
    NOT_READY = "not_ready"
    INVALID = "invalid"  # this version cannot read it


class Gauges:
    """The samples of one term as leader."""

    def __init__(self, cache: Cache, pollers: Pollers, watch: EventSource, writes: Writes, clock: Clock) -> None:
        """Reads these, never changes them."""
        self._cache = cache
        self._writes = writes
        self._pollers = pollers
        self._watch = watch
        self._clock = clock
        # Before that, another process counted.
        self._charged = Moment.of(clock)

    def unwritable(self) -> str:
        """The problem for /readyz if too many objects cannot be written, else ""."""
        return self._writes.problem(len(self._cache.node_pools) + len(self._cache.unreadable))

    def samples(self) -> Iterator[Sample]:
        """All samples."""
        node_pools = tuple(self._cache.node_pools.values())
        unreadable = tuple(found for found in tuple(self._cache.unreadable.values()) if found.is_node_pool)
        namespaces = frozenset(tuple(self._cache.namespaces))
        self._charge_holds(node_pools, namespaces)
        yield from _samples_of_objects(node_pools, unreadable, namespaces)
        yield from _samples_of_nodes(node_pools)
        yield from _samples_of_accounts(tuple(self._cache.accounts.values()))
        unwritable = self._writes.unwritable()
        for kind in (NODE_POOL_KIND, ACCOUNT_KIND):
            yield metrics.OBJECTS_UNWRITABLE, (kind,), unwritable[kind]
        for where, count in self._pollers.unreadable().items():
            yield metrics.UNREADABLE_NODE_POOLS, where, count
        yield metrics.POLL_LAG, (), self._pollers.lag().total_seconds()
        yield metrics.WATCH_AGE, (), self._watch.silence().total_seconds()

    def _charge_holds(self, node_pools: Iterable[NodePool], namespaces: Collection[str]) -> None:
        """Advance the counter by what each held node pool has cost since the last scrape, or since it is held.

        No object has a memory of its own: a hold that ends between two scrapes loses the time after the first one.
        """
        now = Moment.of(self._clock)
        elapsed, self._charged = now.age_of(self._charged.monotonic).total_seconds(), now
        charged = set[tuple[str, ...]]()
        for node_pool in node_pools:
            hold, status = _hold_of(node_pool, namespaces), node_pool.status
            if hold is None or status.identity is None or status.counts is None or status.identity.place in charged:
                continue
            # Two objects of one node pool count once.
            charged.add(status.identity.place)
            # The wall clock may jump, so no hold is charged for longer than the monotonic clock shows.
            seconds = min(max((now.utc - hold.since).total_seconds(), 0.0), elapsed)
            counter = metrics.HELD_NODE_SECONDS.labels(node_pool.spec.account_ref.name, _known(hold.reason))
            counter.inc(status.counts.total * seconds)


def _hold_of(node_pool: NodePool, namespaces: Collection[str]) -> ShownHold | None:
    """What holds a deletion. Without the namespace, no write reaches the status, so it cannot show that."""
    hold, deleted = shown_hold(node_pool), node_pool.metadata.deleted
    if deleted is not None and node_pool.is_protected and node_pool.metadata.namespace not in namespaces:
        return ShownHold(Reason.NAMESPACE_TERMINATING, hold.since if hold else deleted)
    return hold


def _known(reason: str) -> str:
    """The reason as a label: any client may have written the status."""
    return reason if reason in _KNOWN_REASONS else _OTHER


def _samples_of_objects(
    node_pools: Iterable[NodePool], unreadable: Collection[UnreadableObject], namespaces: Collection[str]
) -> Iterator[Sample]:
    states, reasons, confirmed = Counter[ObjectState](), Counter[str](), 0
    for node_pool in node_pools:
        state = state_of(node_pool)
        if node_pool.metadata.namespace not in namespaces:
            # Writes to it fail, so its status cannot show this.
            state = ObjectState.NAMESPACE_GONE
            if node_pool.metadata.deleted is not None:
                state = ObjectState.BLOCKED
                reasons[Reason.NAMESPACE_TERMINATING.value] += 1
        elif state is ObjectState.BLOCKED:
            held = find_condition(node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
            reasons[_known(held.reason) if held else _OTHER] += 1
        states[state] += 1
        confirmed += node_pool.metadata.deleted is None and node_pool.confirmation == node_pool.node_pool_name
    states[ObjectState.INVALID] = len(unreadable)
    held_unreadable = sum(found.metadata.deleted is not None and found.is_protected for found in unreadable)
    if held_unreadable:
        reasons[Reason.INVALID_OBJECT.value] += held_unreadable
    for state in ObjectState:
        yield metrics.OBJECTS, (state.value,), states[state]
    for reason, count in reasons.items():
        yield metrics.DELETION_BLOCKED, (reason,), count
    yield metrics.STANDING_CONFIRMATIONS, (), confirmed


def _samples_of_nodes(node_pools: Iterable[NodePool]) -> Iterator[Sample]:
    """By the pinned identity: duplicates count once, and a node pool that was never seen does not count."""
    counts: dict[tuple[str, str, str], Counts] = {}
    for node_pool in node_pools:
        identity = node_pool.status.identity
        if identity is not None and node_pool.status.counts is not None:
            where = (node_pool.spec.account_ref.name, identity.pool_name, identity.node_pool_name)
            counts[where] = node_pool.status.counts
    nodes = Counter[tuple[str, str, str]]()
    for (account, resource_pool, _), of_one in counts.items():
        for state in ("creating", "available", "abnormal", "deleting"):
            nodes[account, resource_pool, state] += getattr(of_one, state)
    for labels, count in nodes.items():
        yield metrics.NODES, labels, count


def _samples_of_accounts(accounts: Iterable[Account]) -> Iterator[Sample]:
    for account in accounts:
        ready = find_condition(account.status.conditions, ConditionType.READY)
        # An account that was not verified yet has no sample: a 0 would raise a false alert.
        if ready is not None and ready.status is not ConditionStatus.UNKNOWN:
            yield metrics.ACCOUNT_READY, (account.metadata.name,), float(ready.status is ConditionStatus.TRUE)


def state_of(node_pool: NodePool) -> ObjectState:
    """The state of an object by its status."""
    statuses = {condition.type: condition.status for condition in node_pool.status.conditions}
    if node_pool.metadata.deleted is not None:
        is_held = statuses.get(ConditionType.DELETION_BLOCKED) is ConditionStatus.TRUE
        return ObjectState.BLOCKED if is_held else ObjectState.DELETING
    ready = statuses.get(ConditionType.READY)
    if ready is None:
        return ObjectState.NEW
    if statuses.get(ConditionType.STALLED) is ConditionStatus.TRUE:
        return ObjectState.STALLED
    if ready is ConditionStatus.TRUE:
        return ObjectState.READY
    if ready is ConditionStatus.UNKNOWN:
        return ObjectState.STALE
    is_reconciling = statuses.get(ConditionType.RECONCILING) is ConditionStatus.TRUE
    return ObjectState.PROGRESSING if is_reconciling else ObjectState.NOT_READY
