"""Sends one DELETE: credentials and a slot, the write-ahead, the fence, the call, the answer into memory.

Called by reconciler.py when the table says Send; the only caller of delete_node_pool. At each fence everything is
gathered again and the table is asked again: before the slot, before the write-ahead, and right before the request.
"""

import asyncio
import logging
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.access.rate_limiter import Slot
from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers import audit
from modelarts_nodepool.controllers.audit import AuditTrail
from modelarts_nodepool.controllers.deletion.fetch import Fetch
from modelarts_nodepool.controllers.deletion.gather import Gather, Memory
from modelarts_nodepool.controllers.workqueue import KeyedLocks
from modelarts_nodepool.controllers.writes import Write, Writes
from modelarts_nodepool.decide.deletion.audit_entry import build_sent
from modelarts_nodepool.decide.deletion.decision import Send
from modelarts_nodepool.decide.deletion.record import accept, fail
from modelarts_nodepool.decide.deletion.status import build_write_ahead
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import AccountView, DeletionObserved
from modelarts_nodepool.errors import CloudError, CredentialsUnavailable, InvalidName
from modelarts_nodepool.kube.events import EventRecorder, EventType
from modelarts_nodepool.ports import Accepted, Clock, ModelArts, Moment

logger = logging.getLogger(__name__)

# A write-ahead that is older than this does not mean "about to be sent" any more (monotonic seconds).
FENCE_SECONDS = 30.0


@dataclass(slots=True)
class Attempt:
    """One DELETE: its observation, and the record from before its write-ahead.

    `slot` is the right to make one request now. `written_at`: when the write-ahead began (monotonic). `is_sent`:
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

    def __init__(
        self,
        cache: Cache,
        gather: Gather,
        fetch: Fetch,
        clouds: Gateway,
        writes: Writes,
        trail: AuditTrail,
        in_flight: InFlight,
        recorder: EventRecorder,
        clock: Clock,
        may_act: Callable[[], bool],
    ) -> None:
        """`may_act`: whether this process still holds the Lease, in the term that this object belongs to."""
        self._cache = cache
        self._gather = gather
        self._fetch = fetch
        self._clouds = clouds
        self._writes = writes
        self._trail = trail
        self._in_flight = in_flight
        self._recorder = recorder
        self._clock = clock
        self._may_act = may_act
        self._locks = KeyedLocks()

    async def send(self, memory: Memory, node_pool: NodePool, identity: Identity) -> None:
        """Send, if the table still says so when the lock is held. Raises errors.ClusterError of the write-ahead."""
        uid = node_pool.metadata.uid
        async with self._locks.of(identity.region, identity.project_id, identity.pool_name):
            slot = await self._slot(memory, uid)
            if slot is None:
                return
            try:
                await self._send_with(slot, memory, uid, identity)
            finally:
                slot.release()

    async def _send_with(self, slot: Slot, memory: Memory, uid: str, identity: Identity) -> None:
        """From here on nothing waits for a limit: the write-ahead must not be too old before the DELETE."""
        observed = await self._prepared(memory, uid)
        if observed is None or observed.account is None:
            return
        # Before the write: its age counts from the earliest moment at which it can have happened.
        attempt = Attempt(observed, identity, memory.record, slot, self._clock.monotonic())
        await self._write_ahead(memory, observed, identity)
        await self._delete(memory, attempt, observed.account)

    async def _slot(self, memory: Memory, uid: str) -> Slot | None:
        """The first fence: a slot, with checked credentials, if the table still says Send."""
        observed = self._decide_again(memory, uid)
        if observed is None or observed.account is None:
            return None
        try:
            return await self._clouds.acquire_slot(observed.account.account)
        except (CloudError, CredentialsUnavailable) as failure:
            self._record_failure(memory, failure)
            return None

    async def _prepared(self, memory: Memory, uid: str) -> DeletionObserved | None:
        """The second fence: CRD and namespace were just read, and the table still says Send.

        From here to the write-ahead no other task runs.
        """
        current = self._cache.node_pools.get(uid)
        if current is None:
            return None
        await self._fetch.read_containers(memory, current)
        return self._decide_again(memory, uid)

    def _check(self, memory: Memory, attempt: Attempt) -> None:
        """The third fence, right before the request, all in memory. Raises Unsent."""
        age = self._clock.monotonic() - attempt.written_at
        if not self._may_act() or age >= FENCE_SECONDS:
            raise Unsent("the write-ahead was too old or the Lease gone before the DELETE could be sent")
        uid = attempt.observed.node_pool.metadata.uid
        if uid not in self._cache.node_pools:
            raise Unsent("the object was gone before the DELETE could be sent")
        # The table again, with the record from before the write-ahead: every other change since then counts.
        observed = self._decide_again(memory, uid, attempt.before)
        if observed is None or observed.identity != attempt.identity:
            raise Unsent("the object, its account or the cloud changed before the DELETE could be sent")

    def _decide_again(self, memory: Memory, uid: str, record: DeletionRecord | None = None) -> DeletionObserved | None:
        """What is observed now, if the table still says Send; else None."""
        current = self._cache.node_pools.get(uid)
        if current is None:
            return None
        observed = self._gather.observe(memory, current, record)
        return observed if isinstance(decide_deletion(observed, Moment.of(self._clock)), Send) else None

    async def _write_ahead(self, memory: Memory, observed: DeletionObserved, identity: Identity) -> None:
        in_flight, node_pool = self._in_flight, observed.node_pool
        uid = node_pool.metadata.uid
        status = build_write_ahead(observed, self._clock.now())
        in_flight.reserve(uid, is_reserved=True)
        try:
            await self._writes.write_status(node_pool, status, Write.WRITE_AHEAD)
            record = status.deletion or DeletionRecord()
            memory.record_written(record)
            memory.record = record
            in_flight.record(node_pool, identity, record)
            self._add_entry(memory, node_pool, identity)
        finally:
            in_flight.reserve(uid, is_reserved=False)

    async def _delete(self, memory: Memory, attempt: Attempt, view: AccountView) -> None:
        identity, finished_before = attempt.identity, memory.send_finished

        async def delete(cloud: ModelArts) -> Accepted:
            # Reading the Secret can take time: check right before the request.
            self._check(memory, attempt)
            attempt.is_sent, memory.went_past = True, None
            return await cloud.delete_node_pool(identity.pool_name, identity.node_pool_name)

        answer: Accepted | CloudError
        try:
            answer = await self._clouds.delete(view.account, delete, attempt.slot)
        except asyncio.CancelledError:
            self._audit(memory, attempt, None)
            raise
        except (CloudError, CredentialsUnavailable, InvalidName) as failure:
            answer = failure if isinstance(failure, CloudError) else _never_sent(failure)
        finally:
            # Also after a cancellation: no LIST from before this moment proves anything.
            memory.send_finished = self._clock.monotonic()
        self._record_answer(memory, attempt, answer, finished_before)
        if attempt.observed.node_pool.metadata.uid in self._cache.node_pools:
            # If the object is gone, controllers/orphans.py has completed its entry already.
            self._add_entry(memory, attempt.observed.node_pool, attempt.identity)
        self._audit(memory, attempt, answer)

    def _add_entry(self, memory: Memory, node_pool: NodePool, identity: Identity) -> None:
        """Add the entry of the DELETE to the account's recentDeletions. Nothing waits for that write.

        From the write-ahead on: an object whose finalizer is removed by hand while its DELETE is in flight has its
        entry.
        """
        account, now = node_pool.spec.account_ref.name, self._clock.now()
        entry = build_sent(node_pool, identity, memory.record, now)
        memory.audited = memory.record.sent_time
        if entry is None:
            self._trail.withdraw(account, node_pool.metadata.uid)
        else:
            self._trail.add(account, entry)

    def _record_answer(
        self, memory: Memory, attempt: Attempt, answer: Accepted | CloudError, finished_before: float | None
    ) -> None:
        """The answer into memory; the next write of the object carries it."""
        now = self._clock.now()
        if isinstance(answer, Accepted):
            memory.record = accept(memory.record, answer.request_id, now)
            node_pool, name = attempt.observed.node_pool, attempt.identity.node_pool_name
            words = f"ModelArts accepted the DELETE of node pool {name} (request {answer.request_id})"
            if node_pool.confirmed_by is not None:
                words += f", confirmed by {node_pool.confirmed_by}"
            self._recorder.record(node_pool, EventType.NORMAL, "DeleteAccepted", words)
            return
        memory.record = fail(memory.record, attempt.before, answer, now)
        if answer.had_no_effect:
            # Only an earlier DELETE can still be in effect.
            memory.send_finished = finished_before
        self._record_failure(memory, answer)

    @staticmethod
    def _audit(memory: Memory, attempt: Attempt, answer: Accepted | CloudError | None) -> None:
        node_pool = attempt.observed.node_pool
        if attempt.is_sent:
            audit.log_delete(node_pool, attempt.identity, memory.record, answer)
        else:
            logger.warning("the DELETE was not sent: %s", answer or "stopped before", extra=node_pool.log_fields)

    def _record_failure(self, memory: Memory, failure: CloudError | CredentialsUnavailable) -> None:
        # Without its traceback, as in fetch.py.
        memory.last_failure = copy(failure)
        memory.last_failure_at = self._clock.monotonic()


def _never_sent(failure: CredentialsUnavailable | InvalidName) -> CloudError:
    """Credentials or name stopped the call before anything was sent: it certainly had no effect."""
    return Unsent(str(failure))


class Unsent(CloudError):
    """Nothing left this process."""

    reason = "CloudUnavailable"
    had_no_effect = True
    is_transient = True
