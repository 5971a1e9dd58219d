"""What one deletion learned from the cloud, kept with the moment each look began.

The keeper's `observe` is the gather step of controllers/deletion/reconciler.py: it decides nothing.
controllers/deletion/fetch.py looks things up.
"""

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from modelarts_nodepool.api.node_pool import DeletionPolicy, DeletionRecord
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.decide.deletion.audit_entry import recently_deleted
from modelarts_nodepool.decide.deletion.in_flight import shown_counts
from modelarts_nodepool.decide.deletion.record import cap_future, note_progress, record_of
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact, Failure
from modelarts_nodepool.errors import (
    ClockSkew,
    CredentialsRejected,
    CredentialsUnavailable,
    NotFound,
)
from modelarts_nodepool.polling.poller import Poller
from modelarts_nodepool.ports import Moment, NodePoolListing

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Of each deletion only the newest few matter: the one in its status, its reading, and the one before it.
SENT_REMEMBERED = 20


@dataclass(slots=True)
class Facts:
    """The memory of one deletion: facts, the record, and what this process did.

    `entered`: the sent_time of the DELETE that this process has seen to be in the account's recentDeletions.
    """

    tools: Tools
    uid: str
    found: dict[Fact, Evidence[Any]] = field(default_factory=dict)
    first_absent: Evidence[NodePoolListing] | None = None
    record: DeletionRecord = field(default_factory=DeletionRecord)
    stored: DeletionRecord | None = None
    sent_seen: dict[datetime, Moment] = field(default_factory=dict)
    went_past: float | None = None
    entered: datetime | None = None
    send_finished: float | None = None
    last_failure: Failure | None = None
    last_failure_at: float | None = None

    def observe(self, node_pool: NodePool) -> DeletionObserved:
        """Everything that is known now."""
        registry = self.tools.registry
        self._adopt(record_of(node_pool))
        view = self.tools.account_view(node_pool)
        poller = self.poller(node_pool)
        self._forget_login_failure(poller.latest if poller else None)
        asked = registry.reconcile_seen.get(self.uid)
        is_new = asked is not None and asked[0] != node_pool.status.last_handled_reconcile_at
        self.went_past = asked[1] if asked is not None and is_new else self.went_past
        observed = DeletionObserved(
            node_pool=node_pool,
            account=view,
            deletion_seen=registry.deletion_seen[self.uid],
            retain_seen=self.uid in registry.retain_seen,
            record=self.record,
            send_finished=self.send_finished,
            last_failure=self.last_failure,
            last_failure_at=self.last_failure_at,
            sent_seen=self._sent_seen(self.record),
            reconcile_requested=asked[1] if asked is not None and is_new else None,
            went_past=self.went_past,
            listing=poller.latest if poller else None,
            earlier_listing=self.first_absent,
            shown=self.found.get(Fact.NODE_POOL),
            resource_pool=self.found.get(Fact.RESOURCE_POOL),
            resource_pools=self.found.get(Fact.RESOURCE_POOLS),
            nodes=self.found.get(Fact.NODES),
            definition=self.found.get(Fact.DEFINITION),
            namespace=self.found.get(Fact.NAMESPACE),
            owners=self.found.get(Fact.OWNERS),
        )
        self._remember_absence(observed)
        self.record = note_progress(self.record, shown_counts(observed), self.tools.clock.now())
        return self._among_others(replace(observed, record=self.record, earlier_listing=self.first_absent))

    def observe_before(self, node_pool: NodePool, record: DeletionRecord) -> DeletionObserved:
        """The same, as if `record` still stood: what was written ahead since is left out."""
        return replace(self.observe(node_pool), record=record, sent_seen=self._sent_seen(record))

    def _sent_seen(self, record: DeletionRecord) -> float | None:
        first = self.sent_seen.get(record.sent_time) if record.sent_time else None
        return first.monotonic if first else None

    def _among_others(self, observed: DeletionObserved) -> DeletionObserved:
        """With what the other objects and deletions mean for this one."""
        tools, identity, view = self.tools, observed.identity, observed.account
        # What is entered and not written yet counts as well.
        accounts = {name: tools.entries.applied_to(account) for name, account in tools.registry.accounts.items()}
        now = tools.clock.now()
        tools.ongoing.note(observed.node_pool, identity, observed.record)
        if identity is None or view is None:
            return observed
        return replace(
            observed,
            duplicates=tools.duplicates(observed.node_pool, identity),
            unplaced_duplicate=tools.unplaced_duplicate(observed.node_pool, identity),
            unreadable_duplicate=tools.unreadable_duplicate(observed.node_pool, identity),
            leaving=tools.ongoing.leaving(self.uid, identity) | recently_deleted(accounts.values(), identity, now),
            budget=tools.ongoing.budget(accounts[view.account.metadata.name], self.uid, now),
        )

    def poller(self, node_pool: NodePool) -> Poller | None:
        """The poller of the resource pool; none where account, grant, identity or Retain forbid to look."""
        if node_pool.spec.deletion_policy is DeletionPolicy.RETAIN:
            return None
        view = self.tools.account_view(node_pool)
        pinned = node_pool.status.identity
        if view is None or not view.is_granted or (pinned is not None and pinned != view.identity):
            return None
        return self.tools.pollers.join(self.uid, view.account, node_pool.spec.pool_name, is_deleting=True)

    def written(self, record: DeletionRecord | None) -> None:
        """This record stands in the object's status now, by our own write."""
        self.stored = record or DeletionRecord()

    def _adopt(self, stored: DeletionRecord) -> None:
        """What stands in the object wins over memory where somebody else wrote it (another process, a restart)."""
        if stored != self.stored:
            self.stored = stored
            self.record = stored
        if self.record.sent_time is None:
            return
        now = self.tools.moment()
        first = self.sent_seen.setdefault(self.record.sent_time, now)
        self.record = cap_future(self.record, first.utc)
        if self.record.sent_time is not None:
            # To the end, known or not: the one that counts is never the oldest.
            self.sent_seen[self.record.sent_time] = self.sent_seen.pop(self.record.sent_time, first)
        for old in list(self.sent_seen)[:-SENT_REMEMBERED]:
            # A deletion that is refused for years is sent again each hour.
            del self.sent_seen[old]

    def _forget_login_failure(self, listing: Evidence[NodePoolListing] | None) -> None:
        """A later look that worked shows that signing does again: a mended Secret or clock is used at once."""
        login_failures = CredentialsRejected | CredentialsUnavailable | ClockSkew
        if not isinstance(self.last_failure, login_failures) or listing is None:
            return
        if listing.value is not None and self.last_failure_at is not None and listing.begun > self.last_failure_at:
            self.last_failure, self.last_failure_at = None, None

    def _remember_absence(self, observed: DeletionObserved) -> None:
        """Keep the first LIST of the unbroken run of those that say the same: not shown, or no such resource pool."""
        listing, identity = observed.listing, observed.identity
        counts_from = observed.witnesses_count_from
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
