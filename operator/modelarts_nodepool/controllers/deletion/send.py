"""Sending one DELETE: credentials and a slot in hand, write-ahead, the fence, the call, the answer into memory.

Called by controllers/deletion/reconciler.py when the table says Send, and the only caller of delete_node_pool.
"""

import asyncio
import logging
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

from modelarts_nodepool.access.rate_limiter import Slot
from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.controllers import audit
from modelarts_nodepool.controllers.deletion import fetch
from modelarts_nodepool.controllers.deletion.gather import Facts
from modelarts_nodepool.controllers.deletion.turns import Turns
from modelarts_nodepool.controllers.tools import Tools, log_fields
from modelarts_nodepool.controllers.writes import Write
from modelarts_nodepool.decide.deletion.audit_entry import build_sent
from modelarts_nodepool.decide.deletion.decision import Send
from modelarts_nodepool.decide.deletion.record import accept, fail
from modelarts_nodepool.decide.deletion.status import build_write_ahead
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import AccountView, DeletionObserved
from modelarts_nodepool.errors import CloudError, CredentialsUnavailable, InvalidName
from modelarts_nodepool.kube.events import EventType
from modelarts_nodepool.ports import Accepted, ModelArts

logger = logging.getLogger(__name__)

# A write-ahead older than this no longer stands for "about to be sent" (monotonic seconds).
FENCE_SECONDS = 30.0


@dataclass(slots=True)
class Attempt:
    """One DELETE: what it was decided on, and the record from before its write-ahead.

    `slot` is the right to make one request now. `written_at`: when the write-ahead was begun (monotonic). `is_sent`:
    whether anything may have left this process.
    """

    observed: DeletionObserved
    identity: Identity
    before: DeletionRecord
    slot: Slot
    written_at: float
    is_sent: bool = False


class Sender:
    """Sends DELETEs, one at a time for each resource pool."""

    def __init__(self, tools: Tools, may_send: Callable[[], bool]) -> None:
        """`may_send`: whether the time of leading that this sender belongs to goes on right now."""
        self._tools = tools
        self.may_send = may_send
        self._turns = Turns()

    async def send(self, facts: Facts, node_pool: NodePool) -> None:
        """Send, if the table still says so once it is our turn. Raises errors.ClusterError of the write-ahead."""
        identity = facts.observe(node_pool).identity
        if identity is None:
            return
        async with self._turns.of(identity.region, identity.project_id, identity.pool_name):
            slot = await self._slot(facts, node_pool.metadata.uid)
            if slot is None:
                return
            try:
                await self._send_with(slot, facts, node_pool.metadata.uid, identity)
            finally:
                slot.give_back()

    async def _send_with(self, slot: Slot, facts: Facts, uid: str, identity: Identity) -> None:
        """From here on no limit is waited for: the write-ahead must not grow old before the DELETE."""
        observed = await self._prepared(facts, uid)
        if observed is None or observed.account is None:
            return
        # Taken before the write: the write counts as old from when it may have happened first.
        attempt = Attempt(observed, identity, facts.record, slot, self._tools.clock.monotonic())
        await self._write_ahead(facts, observed, identity)
        await self._delete(facts, attempt, observed.account)

    def _check(self, facts: Facts, attempt: Attempt) -> None:
        """The last look before the request, all in memory; raises Unsent."""
        age = self._tools.clock.monotonic() - attempt.written_at
        if not self.may_send() or age >= FENCE_SECONDS:
            raise Unsent("the write-ahead was too old or the Lease gone before the DELETE could be sent")
        current = self._tools.registry.node_pools.get(facts.uid)
        if current is None:
            raise Unsent("the object was gone before the DELETE could be sent")
        # The table once more, as if nothing had been written ahead: what changed since then counts.
        observed = facts.observe_before(current, attempt.before)
        is_meant = isinstance(decide_deletion(observed, self._tools.moment()), Send)
        if not is_meant or observed.identity != attempt.identity:
            raise Unsent("the object, its account or the cloud changed before the DELETE could be sent")

    async def _slot(self, facts: Facts, uid: str) -> Slot | None:
        """Credentials and a slot in hand, if the table says Send now that it is our turn; else None."""
        observed = self._decided_again(facts, uid)
        if observed is None or observed.account is None:
            return None
        try:
            return await self._tools.clouds.ready(observed.account.account)
        except (CloudError, CredentialsUnavailable) as failure:
            self._note_failure(facts, failure)
            return None

    async def _prepared(self, facts: Facts, uid: str) -> DeletionObserved | None:
        """CRD and namespace just read, and the table still says Send; else None.

        From here to the write-ahead nothing else gets a turn.
        """
        current = self._tools.registry.node_pools.get(uid)
        if current is None:
            return None
        await fetch.read_containers(facts, current)
        return self._decided_again(facts, uid)

    def _decided_again(self, facts: Facts, uid: str) -> DeletionObserved | None:
        """Time has passed: what was observed now, if the table still says Send; else None."""
        current = self._tools.registry.node_pools.get(uid)
        if current is None:
            return None
        observed = facts.observe(current)
        return observed if isinstance(decide_deletion(observed, self._tools.moment()), Send) else None

    async def _write_ahead(self, facts: Facts, observed: DeletionObserved, identity: Identity) -> None:
        ongoing, node_pool = self._tools.ongoing, observed.node_pool
        status = build_write_ahead(observed, self._tools.clock.now())
        ongoing.reserve(facts.uid, is_reserved=True)
        try:
            await self._tools.write_status(node_pool, status, Write.WRITE_AHEAD)
            record = status.deletion or DeletionRecord()
            facts.written(record)
            facts.record = record
            ongoing.note(node_pool, identity, record)
            self._enter(facts, node_pool, identity)
        finally:
            ongoing.reserve(facts.uid, is_reserved=False)

    async def _delete(self, facts: Facts, attempt: Attempt, view: AccountView) -> None:
        identity, finished_before = attempt.identity, facts.send_finished

        async def delete(cloud: ModelArts) -> Accepted:
            # Reading the Secret may have taken its time: looked at right before the request.
            self._check(facts, attempt)
            attempt.is_sent, facts.went_past = True, None
            return await cloud.delete_node_pool(identity.pool_name, identity.node_pool_name)

        answer: Accepted | CloudError
        try:
            answer = await self._tools.clouds.delete(view.account, delete, attempt.slot)
        except asyncio.CancelledError:
            self._audit(facts, attempt, None)
            raise
        except (CloudError, CredentialsUnavailable, InvalidName) as failure:
            answer = failure if isinstance(failure, CloudError) else _never_sent(failure)
        finally:
            # Whatever happens, cancellation too: no look from before this moment proves anything.
            facts.send_finished = self._tools.clock.monotonic()
        self._take(facts, attempt, answer, finished_before)
        self._enter(facts, attempt.observed.node_pool, attempt.identity)
        self._audit(facts, attempt, answer)

    def _enter(self, facts: Facts, node_pool: NodePool, identity: Identity) -> None:
        """What is known of the DELETE now, for the account's recentDeletions. Nobody waits for that to be written.

        From the write-ahead on: an object that somebody strips while its DELETE is under way is entered already.
        """
        account, now = node_pool.spec.account_ref.name, self._tools.clock.now()
        entry = build_sent(node_pool, identity, facts.record, now)
        facts.entered = facts.record.sent_time
        if entry is None:
            self._tools.entries.take_back(account, facts.uid)
        else:
            self._tools.entries.enter(account, entry)

    def _take(
        self, facts: Facts, attempt: Attempt, answer: Accepted | CloudError, finished_before: float | None
    ) -> None:
        """The answer into memory; the next write of the object carries it."""
        now = self._tools.clock.now()
        if isinstance(answer, Accepted):
            facts.record = accept(facts.record, answer.request_id, now)
            name = attempt.identity.node_pool_name
            words = f"ModelArts accepted the DELETE of node pool {name} (request {answer.request_id})"
            self._tools.recorder.record(attempt.observed.node_pool, EventType.NORMAL, "DeleteAccepted", words)
            return
        facts.record = fail(facts.record, attempt.before, answer, now)
        if answer.had_no_effect:
            # As if it had never been sent: only an earlier DELETE is still to be waited for.
            facts.send_finished = finished_before
        self._note_failure(facts, answer)

    @staticmethod
    def _audit(facts: Facts, attempt: Attempt, answer: Accepted | CloudError | None) -> None:
        node_pool = attempt.observed.node_pool
        if attempt.is_sent:
            audit.log_delete(node_pool, attempt.identity, facts.record, answer)
        else:
            logger.warning("the DELETE was not sent: %s", answer or "stopped before", extra=log_fields(node_pool))

    def _note_failure(self, facts: Facts, failure: CloudError | CredentialsUnavailable) -> None:
        # Without its traceback, as in controllers/deletion/fetch.py.
        facts.last_failure = copy(failure)
        facts.last_failure_at = self._tools.clock.monotonic()


def _never_sent(failure: CredentialsUnavailable | InvalidName) -> CloudError:
    """Credentials or name stopped the call before anything was sent: proven to have had no effect."""
    return Unsent(str(failure))


class Unsent(CloudError):
    """Nothing left this process."""

    reason = "CloudUnavailable"
    had_no_effect = True
    is_transient = True
