"""Gathers everything that one decision about a deletion depends on: from the cache, the newest LIST and the memory.

Called by reconciler.py before the table is asked, and by send.py and release.py when it is asked again. It changes
only the memory of this deletion and the cache of deletions in flight; gathering twice gives the same. fetch.py gets
the facts that cost calls.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from modelarts_nodepool.api.node_pool import DeletionPolicy, DeletionRecord, Identity
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache, Duplicates
from modelarts_nodepool.controllers.audit import AuditTrail
from modelarts_nodepool.controllers.writes import Write
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.deletion.record import cap_future, record_of, record_progress
from modelarts_nodepool.decide.observed import AccountView, DeletionObserved, Evidence, Fact, Failure
from modelarts_nodepool.errors import ClockSkew, CredentialsRejected, CredentialsUnavailable, NotFound
from modelarts_nodepool.polling import Pollers
from modelarts_nodepool.ports import Clock, Moment, NodePoolListing

Snapshot = Evidence[NodePoolListing]

# A fact that gets too old between the write-ahead and the request wastes the write-ahead and delays the DELETE.
SPARE = timedelta(seconds=5)
# Only the newest few of each deletion matter: the one in its status, the one read last, and the one before it.
SENT_REMEMBERED = 20
_LOGIN_FAILURES = CredentialsRejected | CredentialsUnavailable | ClockSkew


@dataclass(frozen=True, slots=True)
class Attempted:
    """The write that a decision leads to; `release` is the decision if it is a Release."""

    observed: DeletionObserved
    write: Write
    release: Release | None = None


@dataclass(slots=True)
class Memory:
    """What this process knows about one deletion beyond the cache. A restart loses it without harm.

    - `facts`: the fetched facts, by kind. `fetches`: how many fetches in a row led to no other decision.
    - `first_absent`: the first of the unbroken run of LISTs that do not show the node pool.
    - `record`: status.deletion, updated with what this process knows; `stored`: as it was last read or written.
    - `sent_seen`: when each sent_time was first seen.
    - `audited`: the sent_time of the DELETE that certainly has an entry in the account's recentDeletions.
    - `send_finished`, `last_failure_at`, `went_past`, `queued_since`: monotonic seconds; see DeletionObserved.
    - `held`: whether the current hold is transient, and since when (monotonic seconds).
    """

    facts: dict[Fact, Evidence[Any]] = field(default_factory=dict)
    fetches: int = 0
    first_absent: Snapshot | None = None
    record: DeletionRecord = field(default_factory=DeletionRecord)
    stored: DeletionRecord | None = None
    sent_seen: dict[datetime, Moment] = field(default_factory=dict)
    went_past: float | None = None
    audited: datetime | None = None
    send_finished: float | None = None
    last_failure: Failure | None = None
    last_failure_at: float | None = None
    held: tuple[bool, float] | None = None
    queued_since: float | None = None
    attempted: Attempted | None = None

    def record_written(self, record: DeletionRecord | None) -> None:
        """Our own write put this record into the object's status."""
        self.stored = record or DeletionRecord()

    def update(
        self,
        stored: DeletionRecord,
        identity: Identity | None,
        listing: Snapshot | None,
        asked: float | None,
        deletion_seen: float,
        moment: Moment,
    ) -> None:
        """Update from the object's status and the newest LIST. `asked` is DeletionObserved.reconcile_requested."""
        self._adopt(stored, moment)
        self._forget_login_failure(listing)
        self.went_past = self.went_past if asked is None else asked
        counts_from = deletion_seen if self.send_finished is None else max(deletion_seen, self.send_finished)
        self._remember_absence(listing, identity, counts_from)
        shown = (
            listing.value.node_pools.get(identity.node_pool_name) if listing and listing.value and identity else None
        )
        self.record = record_progress(self.record, shown.counts if shown else None, moment.utc)

    def _adopt(self, stored: DeletionRecord, moment: Moment) -> None:
        """Adopt the object's record if another process wrote it, or this one before a restart."""
        if stored != self.stored:
            self.stored = stored
            self.record = stored
        if self.record.sent_time is None:
            return
        first = self.sent_seen.setdefault(self.record.sent_time, moment)
        self.record = cap_future(self.record, first.utc)
        if self.record.sent_time is not None:
            # Move it to the end, known or not: the request that counts is never the oldest.
            self.sent_seen[self.record.sent_time] = self.sent_seen.pop(self.record.sent_time, first)
        for old in list(self.sent_seen)[:-SENT_REMEMBERED]:
            # A DELETE that is refused for years is sent every hour.
            del self.sent_seen[old]

    def _forget_login_failure(self, listing: Snapshot | None) -> None:
        """A later success shows that signatures are accepted again: a repaired Secret or clock counts at once."""
        if not isinstance(self.last_failure, _LOGIN_FAILURES) or listing is None:
            return
        if listing.value is not None and self.last_failure_at is not None and listing.begun > self.last_failure_at:
            self.last_failure, self.last_failure_at = None, None

    def _remember_absence(self, listing: Snapshot | None, identity: Identity | None, counts_from: float) -> None:
        """Keep the first LIST of the unbroken run with the same result: not shown, or no such resource pool."""
        if self.first_absent is not None and self.first_absent.begun < counts_from:
            self.first_absent = None
        if listing is None or identity is None or listing.begun < counts_from:
            return
        is_lost = isinstance(listing.failure, NotFound)
        if listing.value is not None and identity.node_pool_name in listing.value.node_pools:
            self.first_absent = None
        elif listing.value is not None or is_lost:
            is_one_run = self.first_absent and isinstance(self.first_absent.failure, NotFound) is is_lost
            self.first_absent = self.first_absent if is_one_run else listing


class Gather:
    """Builds the observation that the table decides on."""

    def __init__(
        self,
        cache: Cache,
        duplicates: Duplicates,
        pollers: Pollers,
        in_flight: InFlight,
        audit: AuditTrail,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._duplicates = duplicates
        self._pollers = pollers
        self._in_flight = in_flight
        self._audit = audit
        self._clock = clock

    def observe(self, memory: Memory, node_pool: NodePool, record: DeletionRecord | None = None) -> DeletionObserved:
        """Everything that is known now. Right before the DELETE, `record` is the one from before the write-ahead."""
        uid, moment = node_pool.metadata.uid, Moment.of(self._clock)
        view = self._duplicates.account_view(node_pool)
        identity = node_pool.status.identity or (view.identity if view else None)
        listing, asked = self._listing(node_pool, view), self._asked(node_pool)
        deletion_seen = self._cache.deletion_seen[uid]
        memory.update(record_of(node_pool), identity, listing, asked, deletion_seen, moment)
        self._in_flight.record(node_pool, identity, memory.record)
        spare = SPARE if record is None else timedelta()
        record, facts = record or memory.record, memory.facts
        first_sent = memory.sent_seen.get(record.sent_time) if record.sent_time else None
        observed = DeletionObserved(
            node_pool=node_pool,
            account=view,
            deletion_seen=deletion_seen,
            retain_seen=uid in self._cache.retain_seen,
            record=record,
            send_finished=memory.send_finished,
            last_failure=memory.last_failure,
            last_failure_at=memory.last_failure_at,
            sent_seen=first_sent.monotonic if first_sent else None,
            reconcile_requested=asked,
            went_past=memory.went_past,
            listing=listing,
            earlier_listing=memory.first_absent,
            shown=facts.get(Fact.NODE_POOL),
            resource_pool=facts.get(Fact.RESOURCE_POOL),
            resource_pools=facts.get(Fact.RESOURCE_POOLS),
            nodes=facts.get(Fact.NODES),
            workloads=facts.get(Fact.WORKLOADS),
            definition=facts.get(Fact.DEFINITION),
            namespace=facts.get(Fact.NAMESPACE),
            owners=facts.get(Fact.OWNERS),
            spare=spare,
        )
        return observed if view is None or identity is None else self._add_others(observed, view, identity, moment)

    def _add_others(
        self, observed: DeletionObserved, view: AccountView, identity: Identity, moment: Moment
    ) -> DeletionObserved:
        """Add what other objects and deletions mean for this one."""
        uid = observed.node_pool.metadata.uid
        duplicates = self._duplicates.of(observed.node_pool, identity)
        return replace(
            observed,
            duplicates=duplicates.granted,
            unplaced_duplicate=duplicates.unplaced,
            unreadable_duplicate=self._duplicates.unreadable(observed.node_pool, identity),
            leaving=self._in_flight.leaving(uid, identity)
            | self._audit.recently_deleted(self._cache.accounts.values(), identity, moment.utc),
            budget=self._in_flight.budget(self._audit.applied_to(view.account), uid, moment.utc),
        )

    def _asked(self, node_pool: NodePool) -> float | None:
        """When a reconcile-at that is not handled yet was first seen (monotonic)."""
        asked = self._cache.reconcile_seen.get(node_pool.metadata.uid)
        is_new = asked is not None and asked[0] != node_pool.status.last_handled_reconcile_at
        return asked[1] if asked is not None and is_new else None

    def _listing(self, node_pool: NodePool, view: AccountView | None) -> Snapshot | None:
        """The newest LIST of the resource pool, failed ones included."""
        if view is None or not may_observe(node_pool, view):
            return None
        poller = self._pollers.find(view.account, node_pool.spec.pool_name)
        return poller.latest if poller else None


def may_observe(node_pool: NodePool, view: AccountView | None) -> bool:
    """Whether account, grant, identity and policy let the resource pool be listed for this object."""
    if view is None or not view.is_granted or node_pool.spec.deletion_policy is DeletionPolicy.RETAIN:
        return False
    pinned = node_pool.status.identity
    return pinned is None or pinned == view.identity
