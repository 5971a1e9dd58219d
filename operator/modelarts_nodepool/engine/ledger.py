"""Enters releases into the account's recentDeletions before the finalizer goes: the audit trail outlives objects.

Called by engine/deletion.py; written by engine/accounts.py, which batches entries to one write a second.
"""

import asyncio
import logging
from datetime import timedelta

from modelarts_nodepool.engine.accounts import Accounts
from modelarts_nodepool.engine.tools import Tools, log_fields
from modelarts_nodepool.resource.account import RecentDeletion
from modelarts_nodepool.resource.objects import NodePool

logger = logging.getLogger(__name__)

# Where no DELETE was sent, log and Event stand for the entry if the account cannot be written.
BEST_EFFORT = timedelta(seconds=10)


class Ledger:
    """Waits for entries to be written."""

    def __init__(self, tools: Tools, accounts: Accounts) -> None:
        """`accounts` writes them."""
        self._tools = tools
        self._accounts = accounts

    async def enter(self, node_pool: NodePool, entry: RecentDeletion | None) -> None:
        """Return when the entry is written: surely where a DELETE was sent and the account exists."""
        name = node_pool.spec.account_ref.name
        if entry is None or name not in self._tools.registry.accounts:
            return
        written = self._accounts.enter(name, entry)
        if entry.sent_time is not None:
            await written
            return
        try:
            async with asyncio.timeout(BEST_EFFORT.total_seconds()):
                await written
        except TimeoutError:
            logger.warning("the release is not in the account's recentDeletions", extra=log_fields(node_pool))
