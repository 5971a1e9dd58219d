"""Enters DELETEs and releases into the account's recentDeletions: the audit trail outlives objects.

Called by controllers/deletion/reconciler.py. A release is written before its finalizer goes; a DELETE whose entry is
missing, after a crash or a change of the leader, is entered when its object is first decided on.
controllers/deletion/send.py enters those it sends.
"""

import asyncio
import logging
from datetime import timedelta

from modelarts_nodepool.api.account import RecentDeletion
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.controllers.deletion.gather import Facts
from modelarts_nodepool.controllers.tools import Tools, log_fields
from modelarts_nodepool.controllers.writes import Write
from modelarts_nodepool.decide.deletion.audit_entry import build_sent, is_recorded_by, keep_finished_time
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable

logger = logging.getLogger(__name__)

# Where no DELETE was sent, log and Event stand for the entry if the account cannot be written.
BEST_EFFORT = timedelta(seconds=10)
# The account has a backoff of its own: to ask whether it was written costs nothing.
PATIENCE = timedelta(seconds=5)


class EntryNotWritten(ClusterUnavailable):
    """The account cannot be written, so the object cannot go yet: why, and for how long that lasts."""

    def __init__(self, error: ClusterError, lasts: timedelta) -> None:
        """Keep both."""
        super().__init__(str(error), status=error.status)
        self.error = error
        self.lasts = lasts


class Ledger:
    """Waits for entries to be written."""

    def __init__(self, tools: Tools) -> None:
        """`tools.entries` has them written."""
        self._tools = tools

    def adopt(self, facts: Facts, observed: DeletionObserved) -> None:
        """Enter the DELETE that the object's record tells of, where the account says nothing of it.

        Once for each DELETE and process: what the account had to evict is not entered again and again.
        """
        record, identity, name = observed.record, observed.identity, observed.node_pool.spec.account_ref.name
        if record.sent_time is None or record.sent_time == facts.entered or identity is None:
            return
        account = self._tools.registry.accounts.get(name)
        entry = build_sent(observed.node_pool, identity, record, self._tools.clock.now())
        if account is None or entry is None:
            return
        facts.entered = record.sent_time
        if not is_recorded_by(self._tools.entries.find(account, entry.uid), entry):
            self._tools.entries.enter_if_missing(name, entry)

    async def enter(self, node_pool: NodePool, entry: RecentDeletion | None) -> None:
        """Return when the entry of a release is written: surely where a DELETE was sent and the account exists.

        Raises EntryNotWritten where the account cannot be written; controllers/account.py goes on trying.
        """
        name, entries = node_pool.spec.account_ref.name, self._tools.entries
        account = self._tools.registry.accounts.get(name)
        if entry is None or account is None:
            return
        # A release that the API server refuses is tried again, and costs the account no further write.
        entry = keep_finished_time(entries.find(account, entry.uid), entry)
        if entries.is_written(account, entry):
            return
        written = entries.finish(name, entry)
        if entry.sent_time is None:
            await asyncio.wait({written}, timeout=BEST_EFFORT.total_seconds())
            if not written.done() and self._tools.writes.may_say("entries"):
                logger.warning("the release is not in the account's recentDeletions", extra=log_fields(node_pool))
            return
        while not written.done():
            await asyncio.wait({written}, timeout=PATIENCE.total_seconds())
            lasting = self._tools.writes.lasting(account.metadata.uid, Write.STATUS)
            if lasting is not None and not written.done():
                raise EntryNotWritten(*lasting)
