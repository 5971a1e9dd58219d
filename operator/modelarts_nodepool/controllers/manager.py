"""Who works on what: turns every change of the cluster and every look at the cloud into work for the right one.

An object that lives is the mirror's, one that is being deleted has a task of its own. Nothing is decided before
`begin`, which the supervisor calls once our own first LISTs are complete.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime

from modelarts_nodepool.api.account import AccountSpec
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.controllers.account import Accounts
from modelarts_nodepool.controllers.deletion.ledger import Ledger
from modelarts_nodepool.controllers.deletion.reconciler import Deletion
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.node_pool import Mirror
from modelarts_nodepool.controllers.orphans import report_leak
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.controllers.unreadable import Misfits
from modelarts_nodepool.controllers.verifying import Verifying
from modelarts_nodepool.polling.poller import Poller, is_changed

logger = logging.getLogger(__name__)


class Controller:
    """Routes changes to the mirror, to misfits, to deletions, to accounts and to their verification."""

    def __init__(self, tools: Tools, sender: Sender) -> None:
        """Registers itself with the registry and the pollers."""
        self._tools = tools
        self._sender = sender
        self._mirror = Mirror(tools)
        self._misfits = Misfits(tools)
        self._verifying = Verifying(tools)
        self._accounts = Accounts(tools, self._verifying.is_awaited)
        self._verifying.on_tried = self._accounts.note
        self._ledger = Ledger(tools)
        self._deletions: dict[str, tuple[Deletion, asyncio.Task[None]]] = {}
        self._terms: dict[str, tuple[str, datetime | None, AccountSpec]] = {}
        self._begun = False
        self._ended = False
        tools.registry.on_node_pool = self._on_node_pool
        tools.registry.on_vanished = self._on_vanished
        tools.registry.on_account = self._on_account
        tools.registry.on_namespace = self._on_namespace
        tools.pollers.on_snapshot = self._on_look

    @property
    def deletions(self) -> int:
        """How many deletions are under way."""
        return len(self._deletions)

    def begin(self) -> None:
        """The registry is complete: decide about everything in it. Again after each later full LIST."""
        if self._ended:
            return
        self._begun = True
        for uid in (*self._tools.registry.node_pools, *self._tools.registry.misfits):
            self._on_node_pool(uid)
        for name in self._tools.registry.accounts:
            self._verifying.consider(name)
            self._accounts.queue.add(name)

    def requeue(self, uid: str) -> None:
        """Have whoever is responsible look at this object again."""
        self._on_node_pool(uid)

    def is_deleting(self, uid: str) -> bool:
        """Whether a task is at work on this object's deletion."""
        running = self._deletions.get(uid)
        return running is not None and not running[1].done()

    async def run(self) -> None:
        """Work until cancelled; deletions and pollers end with it, whatever they wait for."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._mirror.queue.run(), name="mirror")
                group.create_task(self._misfits.queue.run(), name="misfits")
                group.create_task(self._accounts.queue.run(), name="accounts")
                group.create_task(self._verifying.queue.run(), name="verifying")
        finally:
            # Pollers and watches go on while the deletions end: nothing they tell may begin one more, which nobody
            # would ever end.
            self._begun, self._ended = False, True
            tasks = [task for _, task in self._deletions.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._tools.pollers.stop()

    def _on_node_pool(self, uid: str) -> None:
        if not self._begun:
            return
        node_pool = self._tools.registry.node_pools.get(uid)
        if uid in self._tools.registry.misfits:
            self._misfits.queue.add(uid)
        elif node_pool is None:
            self._tools.ongoing.forget(uid)
            self._tools.writes.forget(uid)
        if node_pool is None or (node_pool.metadata.deleted is not None and not node_pool.is_protected):
            # Gone, not to be read, or out of our hands: released, or never protected.
            self._end_deletion(uid)
            self._tools.pollers.leave(uid)
            self._mirror.forget(uid)
            self._free_accounts()
        elif node_pool.metadata.deleted is not None:
            # Until the watch has told it, an object that is to take over may not be known yet.
            if uid in self._tools.registry.deletion_told:
                self._wake_deletion(uid)
        else:
            self._mirror.queue.add(uid)
        if node_pool is not None:
            self._wake_twins(node_pool)

    def _wake_twins(self, node_pool: NodePool) -> None:
        """What this object is now may decide on others that stand for the same node pool, by whatever account."""
        registry, key = self._tools.registry, (node_pool.spec.pool_name, node_pool.node_pool_name)
        for account in registry.accounts:
            for twin in registry.naming(account, *key):
                if twin.metadata.uid != node_pool.metadata.uid and twin.metadata.deleted is None:
                    self._mirror.queue.add(twin.metadata.uid)

    def _on_vanished(self, node_pool: NodePool) -> None:
        if self._begun:
            report_leak(self._tools, node_pool)
            self._wake_twins(node_pool)

    def _free_accounts(self) -> None:
        """An account that is being deleted may have lost its last object."""
        for name, account in self._tools.registry.accounts.items():
            if account.is_terminating:
                self._accounts.queue.add(name)

    def _wake_deletion(self, uid: str) -> None:
        running = self._deletions.get(uid)
        if running is not None and not running[1].done():
            running[0].wake()
            return
        deletion = Deletion(uid, self._tools, self._sender, self._ledger)
        task = asyncio.create_task(deletion.run(), name=f"delete {uid}")
        task.add_done_callback(lambda done: self._forget(uid, done))
        self._deletions[uid] = (deletion, task)

    def _end_deletion(self, uid: str) -> None:
        running = self._deletions.get(uid)
        if running is not None:
            running[1].cancel()

    def _forget(self, uid: str, done: asyncio.Task[None]) -> None:
        if uid in self._deletions and self._deletions[uid][1] is done:
            del self._deletions[uid]
        with suppress(asyncio.CancelledError):
            error = done.exception()
            if error is not None:
                logger.error("the task of a deletion ended by an error", exc_info=error, extra={"uid": uid})

    def _on_account(self, name: str) -> None:
        if not self._begun:
            return
        self._verifying.consider(name)
        self._accounts.queue.add(name)
        account = self._tools.registry.accounts.get(name)
        before = self._terms.pop(name, None)
        if account is not None:
            self._terms[name] = (account.metadata.uid, account.metadata.deleted, account.spec)
        if before is not None and (account is None or account.metadata.uid != before[0]):
            self._tools.writes.forget(before[0])
        if account is not None and self._terms[name] == before:
            # Only its status: written every second while objects are deleted, and news to nobody but the budget.
            uids = self._tools.ongoing.waiting(name)
        else:
            uids = tuple(self._tools.registry.of_account.of(name))
        for uid in uids:
            self._on_node_pool(uid)

    def _on_namespace(self, name: str) -> None:
        if not self._begun:
            return
        for uid, node_pool in tuple(self._tools.registry.node_pools.items()):
            if node_pool.metadata.namespace == name:
                self._on_node_pool(uid)

    def _on_look(self, poller: Poller) -> None:
        latest, node_pools = poller.latest, self._tools.registry.node_pools
        if latest is None:
            return
        self._verifying.note(poller.key.account, latest.failure, latest.begun)
        for uid in self._tools.pollers.members(poller.key):
            node_pool = node_pools.get(uid)
            is_calm = node_pool is not None and self._is_calm(node_pool)
            if node_pool is None or not is_calm or is_changed(poller.before, latest, node_pool.node_pool_name):
                self._on_node_pool(uid)

    def _is_calm(self, node_pool: NodePool) -> bool:
        """Whether a look that shows of its node pool what the last one did changes nothing for it."""
        uid = node_pool.metadata.uid
        if node_pool.metadata.deleted is None:
            return not self._mirror.is_waiting(uid)
        running = self._deletions.get(uid)
        return running is not None and running[0].is_calm
