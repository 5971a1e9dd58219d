"""The deletion of one object: gather, ask the table, act once; repeated until the object is gone.

From the deletionTimestamp on, only this reconciler writes to the object. An exception requeues the key; it never
releases. The order of the steps is in this file; the steps are gather.py (what is known), fetch.py (facts that cost
calls), send.py (the DELETE) and release.py (our finalizer).
"""

from contextlib import suppress
from datetime import timedelta

from modelarts_nodepool.api.meta import ConditionType, find_condition
from modelarts_nodepool.api.node_pool import Identity, NodePoolStatus
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.audit import AuditTrail
from modelarts_nodepool.controllers.deletion.fetch import Fetch, is_preparing
from modelarts_nodepool.controllers.deletion.gather import Attempted, Gather, Memory, may_observe
from modelarts_nodepool.controllers.deletion.release import PATIENCE, EntryNotWritten, Releaser
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.workqueue import AGAIN, GroupLimit, Outcome, Result
from modelarts_nodepool.controllers.writes import LONGEST_PAUSE, Write, Writes
from modelarts_nodepool.decide.deletion.audit_entry import build_sent, is_recorded_by
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Release, Send, Wait
from modelarts_nodepool.decide.deletion.status import (
    GRACE,
    TRANSIENT_GRACE,
    decide_deleting_status,
    is_worth_a_write,
    queued,
)
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.failures import release_refused, write_ahead_refused
from modelarts_nodepool.decide.observed import DeletionObserved, Fact
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.kube.events import EventRecorder, EventType
from modelarts_nodepool.polling import Pollers
from modelarts_nodepool.ports import Clock, Moment

FETCHES_IN_A_ROW = 10  # A deletion needs three at most before it is decided.
PAUSE_AFTER_FETCHES = timedelta(seconds=10)
# A deletion in the queue is requeued when it is admitted. After this time its status says that it waits, and a lost
# requeue does no harm.
QUEUED_FOR = TRANSIENT_GRACE


class DeletionReconciler:
    """Deletes node pools and releases their objects."""

    def __init__(
        self,
        cache: Cache,
        gather: Gather,
        fetch: Fetch,
        sender: Sender,
        releaser: Releaser,
        pollers: Pollers,
        writes: Writes,
        trail: AuditTrail,
        in_flight: InFlight,
        preparing: GroupLimit,
        recorder: EventRecorder,
        clock: Clock,
    ) -> None:
        """`preparing` limits how many deletions of one resource pool prepare a DELETE at once, by uid."""
        self._cache = cache
        self._gather = gather
        self._fetch = fetch
        self._sender = sender
        self._releaser = releaser
        self._pollers = pollers
        self._writes = writes
        self._trail = trail
        self._in_flight = in_flight
        self._preparing = preparing
        self._recorder = recorder
        self._clock = clock
        self._memories: dict[str, Memory] = {}

    def __len__(self) -> int:
        """How many deletions are in progress."""
        return len(self._memories)

    def is_in_progress(self, uid: str) -> bool:
        """Whether this object's deletion was decided on, and the object exists and is readable."""
        return uid in self._memories

    def forget(self, uid: str) -> None:
        """The object is gone, has become unreadable, or has no finalizer of ours."""
        self._memories.pop(uid, None)
        self._preparing.release(uid)

    async def reconcile(self, node_pool: NodePool) -> Result:
        """One step of the deletion. Raises errors.ClusterError after it is reported, for a retry."""
        uid = node_pool.metadata.uid
        memory = self._memories.setdefault(uid, Memory())
        memory.attempted = None
        try:
            return await self._step(node_pool, memory)
        except (ObjectChanged, ObjectGone) as error:
            try:
                await self._writes.refresh(node_pool, error)
            except ClusterError:
                self._preparing.release(uid)
                raise
            # An object that changes all the time causes no busy loop: the next write has its backoff.
            return Result(AGAIN, Outcome.CONFLICT)
        except ClusterError as error:
            self._preparing.release(uid)
            return await self._report_refused(memory, node_pool, error)
        except Exception:
            self._preparing.release(uid)
            raise

    async def _step(self, node_pool: NodePool, memory: Memory) -> Result:
        uid = node_pool.metadata.uid
        observed = self._gather.observe(memory, node_pool)
        view = observed.account
        if view is not None and may_observe(node_pool, view):
            self._pollers.acquire(uid, view.account, node_pool.spec.pool_name, is_deleting=True)
        self._add_missing_entry(memory, observed)
        decision = decide_deletion(observed, Moment.of(self._clock))
        self._record(uid, decision)
        is_prepared_for = self._is_preparing(observed, decision)
        if is_prepared_for:
            # Nothing is fetched for a DELETE that could not be written ahead.
            memory.attempted = Attempted(observed, Write.WRITE_AHEAD)
            self._writes.check(uid, Write.WRITE_AHEAD)
        else:
            self._preparing.release(uid)
            memory.queued_since = None
        match decision:
            case Look(facts):
                return await self._fetch_facts(memory, observed, facts, is_prepared_for=is_prepared_for)
            case Release():
                memory.attempted = Attempted(observed, Write.FINALIZER, decision)
                # Before the audit entry: a release that has to wait costs the account no write.
                self._writes.check(uid, Write.FINALIZER)
                await self._releaser.release(memory, observed, decision)
                return Result(AGAIN)
            case Send():
                memory.held = None
                if observed.identity is not None:
                    await self._sender.send(memory, node_pool, observed.identity)
                return Result(AGAIN)
            case Hold() | Wait():
                memory.fetches = 0
                return await self._show(memory, observed, decision)

    def _add_missing_entry(self, memory: Memory, observed: DeletionObserved) -> None:
        """Add the entry of the DELETE in the object's record, if recentDeletions do not have it.

        Once for each DELETE and process: an entry that the account evicted is not added repeatedly.
        """
        record, identity, name = observed.record, observed.identity, observed.node_pool.spec.account_ref.name
        if record.sent_time is None or record.sent_time == memory.audited or identity is None:
            return
        account = self._cache.accounts.get(name)
        entry = build_sent(observed.node_pool, identity, record, self._clock.now())
        if account is None or entry is None:
            return
        memory.audited = record.sent_time
        if not is_recorded_by(self._trail.find(account, entry.uid), entry):
            self._trail.add_if_missing(name, entry)

    def _record(self, uid: str, decision: Decision) -> None:
        """Record what other deletions and the report of orphans must know of this decision."""
        is_waiting = isinstance(decision, Hold) and decision.reason is Reason.DELETION_BUDGET_EXHAUSTED
        self._in_flight.wait_for_budget(uid, is_waiting=is_waiting)
        if isinstance(decision, Send | Wait) or (isinstance(decision, Hold) and not decision.is_transient):
            # It is not released now: if its finalizer goes after a refused release, another client removed it.
            self._in_flight.release(uid, is_releasing=False)

    @staticmethod
    def _is_preparing(observed: DeletionObserved, decision: Decision) -> bool:
        return isinstance(decision, Send) or (isinstance(decision, Look) and is_preparing(observed, decision.facts))

    async def _fetch_facts(
        self, memory: Memory, observed: DeletionObserved, facts: frozenset[Fact], *, is_prepared_for: bool
    ) -> Result:
        """Fetch the facts, if the deletion is admitted and they cannot wait for the next poll."""
        identity = observed.identity
        if identity is not None and is_prepared_for:
            group = (identity.region, identity.project_id, identity.pool_name)
            if not self._preparing.acquire(group, observed.node_pool.metadata.uid):
                return await self._queue_up(memory, observed, identity)
            memory.queued_since = None
        patience = self._fetch.patience(memory, observed, facts)
        if patience > timedelta():
            return Result(patience)
        await self._fetch.fetch(memory, observed, facts)
        memory.fetches += 1
        if memory.fetches <= FETCHES_IN_A_ROW:
            return Result(AGAIN)
        # Fetches that never lead to a decision must not load the cloud.
        self._preparing.release(observed.node_pool.metadata.uid)
        return Result(PAUSE_AFTER_FETCHES)

    async def _queue_up(self, memory: Memory, observed: DeletionObserved, identity: Identity) -> Result:
        """After 5 minutes in the queue, report it; otherwise status is stale."""
        now = self._clock.monotonic()
        if memory.queued_since is None:
            memory.queued_since = now
        waited = timedelta(seconds=now - memory.queued_since)
        if waited < QUEUED_FOR:
            return Result(QUEUED_FOR - waited, is_calm=True)
        await self._write_status(memory, observed, queued(identity, QUEUED_FOR), waited)
        return Result(QUEUED_FOR, is_calm=True)

    async def _show(self, memory: Memory, observed: DeletionObserved, decision: Hold | Wait) -> Result:
        """Write the status of the decision. A hold is shown only after a while."""
        if isinstance(decision, Wait):
            memory.held = None
            await self._write_status(memory, observed, decision, timedelta())
            return Result(decision.retry_after, is_calm=True)
        held_for = self._held_for(memory, decision)
        await self._write_status(memory, observed, decision, held_for)
        grace = TRANSIENT_GRACE if decision.is_transient else GRACE
        return Result(min(decision.retry_after, grace - held_for) if held_for < grace else decision.retry_after)

    def _held_for(self, memory: Memory, hold: Hold) -> timedelta:
        now = self._clock.monotonic()
        if memory.held is None or memory.held[0] != hold.is_transient:
            memory.held = (hold.is_transient, now)
        return timedelta(seconds=now - memory.held[1])

    async def _write_status(
        self, memory: Memory, observed: DeletionObserved, decision: Hold | Wait, held_for: timedelta
    ) -> None:
        node_pool = observed.node_pool
        status = decide_deleting_status(observed, decision, held_for, self._clock.now())
        if status is None or not is_worth_a_write(node_pool.status, status):
            return
        await self._writes.write_status(node_pool, status)
        memory.record_written(status.deletion)
        self._report_blocked(node_pool, status)

    def _report_blocked(self, before: NodePool, after: NodePoolStatus) -> None:
        """One Event when a deletion is held, or is held for a new reason."""
        old = find_condition(before.status.conditions, ConditionType.DELETION_BLOCKED)
        new = find_condition(after.conditions, ConditionType.DELETION_BLOCKED)
        if new is not None and (old is None or old.reason != new.reason):
            words = f"{new.reason}: {new.message}"
            self._recorder.record(before, EventType.WARNING, Reason.DELETION_BLOCKED, words)

    async def _report_refused(self, memory: Memory, node_pool: NodePool, error: ClusterError) -> Result:
        """Report a write that the API server refuses; when to retry. Raises the error if it was another request."""
        uid = node_pool.metadata.uid
        attempted = memory.attempted
        if isinstance(error, EntryNotWritten):
            if attempted is not None:
                await self._show_refused(memory, attempted, error.error, error.lasts)
            return Result(PATIENCE, Outcome.UNAVAILABLE)
        lasting = self._writes.lasting(uid, attempted.write) if attempted else None
        if lasting is None or attempted is None:
            self._writes.report_lasting(node_pool)
        else:
            await self._show_refused(memory, attempted, *lasting)
        if self._writes.is_failing(uid):
            return Result(self._writes.pause(uid), Outcome.UNAVAILABLE)
        # Not a write of this object: a read of another one, or the Lease.
        self._writes.warn(node_pool, error)
        raise error

    async def _show_refused(self, memory: Memory, attempted: Attempted, error: ClusterError, lasts: timedelta) -> None:
        """Report it in the status, if it can be written, and by one Event."""
        node_pool = attempted.observed.node_pool
        if attempted.release is not None:
            hold = release_refused(attempted.release, error, LONGEST_PAUSE)
        else:
            hold = write_ahead_refused(node_pool, error, LONGEST_PAUSE)
        # If the status cannot be written either, people see only the Event.
        if self._writes.report_once(node_pool.metadata.uid, attempted.write):
            shown = find_condition(node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
            if shown is None or shown.reason != hold.reason:
                words = f"{hold.reason}: {hold.message}"
                self._recorder.record(node_pool, EventType.WARNING, Reason.DELETION_BLOCKED, words)
        status = decide_deleting_status(attempted.observed, hold, lasts, self._clock.now())
        if status is None or not is_worth_a_write(node_pool.status, status):
            return
        # Writes records a failure, and the next reconcile decides again.
        with suppress(ClusterError):
            await self._writes.write_status(node_pool, status)
            memory.record_written(status.deletion)
            if not self._writes.is_failing(node_pool.metadata.uid):
                self._report_blocked(node_pool, status)
