"""What /metrics says of objects, nodes and accounts: computed at each scrape from what the engine holds.

Called in the HTTP server's thread while the engine's event loop goes on. So it copies each collection at once (one
step of the interpreter, which no other thread can come between) and reads values that never change in place.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum

from modelarts_nodepool import metrics
from modelarts_nodepool.api.conditions import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.names import ACCOUNT_KIND, NODE_POOL_KIND
from modelarts_nodepool.api.node_pool import Counts
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import Misfit
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.writes import Writes
from modelarts_nodepool.metrics import Sample
from modelarts_nodepool.polling.pollers import Pollers
from modelarts_nodepool.watch.supervisor import EventSource

_OTHER = "Other"
_KNOWN_REASONS = frozenset(reason.value for reason in Reason)


class ObjectState(StrEnum):
    """The label `state` of objects: the first that applies."""

    BLOCKED = "blocked"  # being deleted, and held
    DELETING = "deleting"  # being deleted
    NAMESPACE_GONE = "namespace_gone"  # no write to it is possible, its status says what was
    NEW = "new"  # nothing was said of it yet
    STALLED = "stalled"
    READY = "ready"
    STALE = "stale"  # the cloud has not been seen for too long
    PROGRESSING = "progressing"
    NOT_READY = "not_ready"
    INVALID = "invalid"  # cannot be read by this version


class Gauges:
    """The samples of one leadership: what it leads goes with it."""

    def __init__(self, registry: Registry, pollers: Pollers, watch: EventSource, writes: Writes) -> None:
        """Only read, never written to."""
        self._registry = registry
        self._writes = writes
        self._pollers = pollers
        self._watch = watch

    def unwritable(self) -> str:
        """What /readyz says of objects that cannot be written, "" where that are few."""
        return self._writes.problem(len(self._registry.node_pools) + len(self._registry.misfits))

    def samples(self) -> Iterator[Sample]:
        """All of them."""
        node_pools = tuple(self._registry.node_pools.values())
        misfits = tuple(misfit for misfit in tuple(self._registry.misfits.values()) if misfit.is_node_pool)
        yield from _samples_of_objects(node_pools, misfits, tuple(self._registry.namespaces))
        yield from _samples_of_nodes(node_pools)
        yield from _samples_of_accounts(tuple(self._registry.accounts.values()))
        unwritable = self._writes.unwritable()
        for kind in (NODE_POOL_KIND, ACCOUNT_KIND):
            yield metrics.OBJECTS_UNWRITABLE, (kind,), unwritable[kind]
        for where, count in self._pollers.unreadable().items():
            yield metrics.UNREADABLE_NODE_POOLS, where, count
        yield metrics.POLL_LAG, (), self._pollers.lag().total_seconds()
        yield metrics.WATCH_AGE, (), self._watch.silence().total_seconds()


def _samples_of_objects(
    node_pools: Iterable[NodePool], misfits: Collection[Misfit], namespaces: Iterable[str]
) -> Iterator[Sample]:
    states, reasons, confirmed, standing = Counter[ObjectState](), Counter[str](), 0, frozenset(namespaces)
    for node_pool in node_pools:
        state = state_of(node_pool)
        if node_pool.metadata.namespace not in standing:
            # No write to it is possible, so its status cannot say so.
            state = ObjectState.NAMESPACE_GONE
            if node_pool.metadata.deleted is not None:
                state = ObjectState.BLOCKED
                reasons[Reason.NAMESPACE_TERMINATING.value] += 1
        elif state is ObjectState.BLOCKED:
            held = find_condition(node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
            # What stands in a status may have been written by anybody.
            reasons[held.reason if held and held.reason in _KNOWN_REASONS else _OTHER] += 1
        states[state] += 1
        confirmed += node_pool.metadata.deleted is None and node_pool.confirmation == node_pool.node_pool_name
    states[ObjectState.INVALID] = len(misfits)
    held_misfits = sum(misfit.metadata.deleted is not None and misfit.is_protected for misfit in misfits)
    if held_misfits:
        reasons[Reason.INVALID_OBJECT.value] += held_misfits
    for state in ObjectState:
        yield metrics.OBJECTS, (state.value,), states[state]
    for reason, count in reasons.items():
        yield metrics.DELETION_BLOCKED, (reason,), count
    yield metrics.STANDING_CONFIRMATIONS, (), confirmed


def _samples_of_nodes(node_pools: Iterable[NodePool]) -> Iterator[Sample]:
    """By the pinned identity: two objects of one node pool count once, and what was never seen does not count."""
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
        # Nothing is known of an account that was not tried yet: a 0 would call somebody for nothing.
        if ready is not None and ready.status is not ConditionStatus.UNKNOWN:
            yield metrics.ACCOUNT_READY, (account.metadata.name,), float(ready.status is ConditionStatus.TRUE)


def state_of(node_pool: NodePool) -> ObjectState:
    """Where an object stands, as its status says."""
    told = {condition.type: condition.status for condition in node_pool.status.conditions}
    if node_pool.metadata.deleted is not None:
        is_held = told.get(ConditionType.DELETION_BLOCKED) is ConditionStatus.TRUE
        return ObjectState.BLOCKED if is_held else ObjectState.DELETING
    ready = told.get(ConditionType.READY)
    if ready is None:
        return ObjectState.NEW
    if told.get(ConditionType.STALLED) is ConditionStatus.TRUE:
        return ObjectState.STALLED
    if ready is ConditionStatus.TRUE:
        return ObjectState.READY
    if ready is ConditionStatus.UNKNOWN:
        return ObjectState.STALE
    is_reconciling = told.get(ConditionType.RECONCILING) is ConditionStatus.TRUE
    return ObjectState.PROGRESSING if is_reconciling else ObjectState.NOT_READY
