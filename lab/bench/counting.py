"""From what is on record to numbers: audit log and calls in, counts and seconds out. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lab.bench.calls import DELETE, LIST, Call
from lab.bench.scale import Place
from lab.controlplane import AuditLog
from lab.harness.operator import OPERATOR_USER
from modelarts_nodepool.api.names import ACCOUNT_PLURAL, NODE_POOL_PLURAL

Key = tuple[str, str]
_SUCCESS = range(200, 300)


def by_operator(audit: AuditLog) -> AuditLog:
    """The operator's own requests, those for its Lease left out."""
    return audit.by_user(OPERATOR_USER).where(lambda event: event.resource != "leases")


def status_written(audit: AuditLog) -> dict[Key, float]:
    """When the first status of each object stood, by namespace and name; seconds since 1970."""
    found: dict[Key, float] = {}
    for event in audit.writes().on(NODE_POOL_PLURAL):
        if event.subresource == "status" and event.code in _SUCCESS:
            found.setdefault((event.namespace, event.name), event.time.timestamp())
    return found


def let_go(audit: AuditLog) -> dict[Key, float]:
    """When our finalizer left each object: the last write that was not of its status."""
    return {
        (event.namespace, event.name): event.time.timestamp()
        for event in audit.writes().on(NODE_POOL_PLURAL)
        if not event.subresource and event.code in _SUCCESS
    }


def writes_by_object(audit: AuditLog) -> Counter[Key]:
    """Writes to each object, refused ones included."""
    return Counter((event.namespace, event.name) for event in audit.writes().on(NODE_POOL_PLURAL))


def write_words(audit: AuditLog, key: Key) -> list[str]:
    """The writes to one object in the order in which they came: what was written, when, and the answer's code."""
    return [
        f"{event.received.strftime('%H:%M:%S.%f')[:-3]} {event.subresource or 'object'} {event.code}"
        for event in audit.writes().on(NODE_POOL_PLURAL, *key)
    ]


def writes_by_resource(audit: AuditLog) -> Counter[str]:
    """All writes by what they were to: objects, accounts, events."""
    return Counter(event.resource for event in audit.writes())


def account_writes(audit: AuditLog) -> Counter[str]:
    """Writes to each account."""
    return Counter(event.name for event in audit.writes().on(ACCOUNT_PLURAL))


def deleted_at(audit: AuditLog, user_prefix: str = "") -> dict[Key, datetime]:
    """When the DELETE of each object came in at the API server, whoever asked for it."""
    return {
        (event.namespace, event.name): event.received
        for event in audit.on(NODE_POOL_PLURAL)
        if event.verb == "delete" and event.user.startswith(user_prefix)
    }


def first_calls(deleted: Mapping[Key, datetime], places: Iterable[Place], calls: Sequence[Call]) -> list[float]:
    """Seconds from each object's deletion to the first call about its resource pool, whatever was asked."""
    by_pool: dict[str, list[float]] = {}
    for call in calls:
        by_pool.setdefault(call.resource_pool, []).append(call.time)
    found = []
    for place in places:
        began = deleted[place.namespace, place.name].timestamp()
        found += [time - began for time in by_pool.get(place.resource_pool, []) if time >= began][:1]
    return found


def delete_calls(deleted: Mapping[Key, datetime], places: Iterable[Place], calls: Sequence[Call]) -> list[float]:
    """Seconds from each object's deletion to the first DELETE of its node pool."""
    sent = {call.node_pool: call.time for call in reversed(calls) if call.operation == DELETE}
    return [
        sent[place.name] - deleted[place.namespace, place.name].timestamp() for place in places if place.name in sent
    ]


def duplicates(calls: Iterable[Call]) -> int:
    """DELETEs beyond the first of each node pool: nothing fails here, so each first one is in effect."""
    sent = Counter(call.node_pool for call in calls if call.operation == DELETE)
    return sum(sent.values()) - len(sent)


def operations(calls: Iterable[Call]) -> Counter[str]:
    """Calls by operation."""
    return Counter(call.operation for call in calls)


def is_only_lists(calls: Iterable[Call], resource_pools: Collection[str]) -> bool:
    """Whether nothing but LISTs of these resource pools was asked."""
    return all(call.operation == LIST and call.resource_pool in resource_pools for call in calls)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


@dataclass(slots=True)
class Tally:
    """The objects that `found_in` finds in the operator's requests from now on, each with its latest time."""

    read: Callable[[], AuditLog]
    found_in: Callable[[AuditLog], Mapping[Key, float]]
    _found: dict[Key, float] = field(default_factory=dict)
    _seen: int = field(init=False)

    def __post_init__(self) -> None:
        """What was answered before is not counted."""
        self._seen = len(self.read())

    def look(self) -> Mapping[Key, float]:
        """By namespace and name, until now."""
        log = self.read()
        new = AuditLog(log.events[self._seen :])
        self._seen = len(log)
        self._found |= self.found_in(by_operator(new))
        return self._found
