"""The deletion of one object: gather, decide, act, until the object is gone. One task per deleted uid.

From the deletionTimestamp on this task alone writes to the object. Its finalizer leaves in one place only
(`_release`), and only because the table said Release: an exception, foreseen or not, leads back to the table.
"""

import asyncio
import logging
from datetime import timedelta

from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.controllers.counting import counted
from modelarts_nodepool.controllers.deletion import fetch, refused, telling
from modelarts_nodepool.controllers.deletion.gather import Facts
from modelarts_nodepool.controllers.deletion.homeless import warn_of_homeless
from modelarts_nodepool.controllers.deletion.ledger import PATIENCE, EntryNotWritten, Ledger
from modelarts_nodepool.controllers.deletion.send import Sender
from modelarts_nodepool.controllers.tools import Tools, log_fields, seconds
from modelarts_nodepool.controllers.writes import Write
from modelarts_nodepool.decide.deletion.audit_entry import build_entry
from modelarts_nodepool.decide.deletion.decision import Hold, Look, Release, Send, Wait
from modelarts_nodepool.decide.deletion.status import (
    GRACE,
    TRANSIENT_GRACE,
    decide_deleting_status,
    is_worth_a_write,
    queued,
)
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved, Fact
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import patches, paths

logger = logging.getLogger(__name__)

FIRST_BACKOFF = timedelta(seconds=1)
LONGEST_BACKOFF = timedelta(minutes=1)
LOOKS_IN_A_ROW = 10  # A deletion needs three at most before it is decided.
SEE_THROUGH_SECONDS = 1.0
# Whoever stands in line is woken when it is their turn; after so long it is shown, and a wake that was lost is no harm.
IN_LINE = TRANSIENT_GRACE


class Deletion:
    """One object's way out."""

    def __init__(self, uid: str, tools: Tools, sender: Sender, ledger: Ledger) -> None:
        """Run it as a task; `wake` it when the object, its account or the cloud changed."""
        self._uid = uid
        self._tools = tools
        self._sender = sender
        self._ledger = ledger
        self._facts = Facts(tools, uid)
        # Ten thousand of these wait at once: an asyncio.Event each would be 10 MiB.
        self._has_news = False
        self._waiting: asyncio.Future[None] | None = None
        self._held: tuple[bool, float] | None = None
        self._in_line_since: float | None = None
        self._backoff = FIRST_BACKOFF
        self._looks = 0
        self._tried: refused.Tried | None = None
        self._is_calm = False

    @property
    def is_calm(self) -> bool:
        """Whether a look at the resource pool that shows nothing new of the node pool is nothing to it."""
        return self._is_calm

    def wake(self) -> None:
        """Something changed: decide again."""
        self._has_news = True
        self._end_wait()

    async def run(self) -> None:
        """Until the object is gone, was replaced, or is out of our hands."""
        try:
            await self._until_gone()
        finally:
            self._tools.places.leave(self._uid)
            if self._uid not in self._tools.registry.misfits:
                # Of one that cannot be read any more the DELETE may be in effect all the same.
                self._tools.ongoing.forget(self._uid)

    async def _until_gone(self) -> None:
        while True:
            node_pool = self._tools.registry.node_pools.get(self._uid)
            if node_pool is None or not node_pool.is_protected:
                return
            self._has_news = False
            try:
                self._tried = None
                with counted():
                    pause = await self._step(node_pool)
            except (ObjectChanged, ObjectGone) as error:
                pause = await self._refresh(node_pool)
                if isinstance(error, ObjectGone):
                    await warn_of_homeless(self._tools, node_pool)
            except ClusterError as error:
                pause = await self._tell_refused(node_pool, error)
            except Exception:
                # Nobody foresaw it: the object stays as it is, and the table is asked again.
                logger.exception("a deletion failed and is tried again", extra=log_fields(node_pool))
                pause = self._back_off()
            await self._wait(pause)

    async def _step(self, node_pool: NodePool) -> timedelta:
        """Decide once and act on it; how long to wait for news then."""
        observed = self._facts.observe(node_pool)
        self._ledger.adopt(self._facts, observed)
        decision = decide_deletion(observed, self._tools.moment())
        is_waiting = isinstance(decision, Hold) and decision.reason is Reason.DELETION_BUDGET_EXHAUSTED
        self._tools.ongoing.wait_for_budget(self._uid, is_waiting=is_waiting)
        is_preparing = isinstance(decision, Send) or (
            isinstance(decision, Look) and fetch.is_preparing(observed, decision.facts)
        )
        if isinstance(decision, Send | Wait) or (isinstance(decision, Hold) and not decision.is_transient):
            # It is not let go any more: whoever removes the finalizer after a release that was refused, it is not us.
            self._tools.ongoing.release(self._uid, is_releasing=False)
        self._begin(observed, is_preparing=is_preparing)
        self._is_calm = isinstance(decision, Wait)
        pause = timedelta()
        match decision:
            case Look(facts):
                return await self._look(observed, facts, is_preparing=is_preparing)
            case Release():
                self._tried = refused.Tried(observed, Write.FINALIZER, decision)
                # Before the audit entry: a release that has to wait costs the account no write.
                self._tools.writes.check(self._uid, Write.FINALIZER)
                await self._release(observed, decision)
            case Send():
                self._held = None
                await self._sender.send(self._facts, node_pool)
            case Hold(_, _, retry_after, is_transient):
                self._looks = 0
                held_for = self._held_for(is_transient=is_transient)
                await self._show(observed, decision, held_for)
                grace = TRANSIENT_GRACE if is_transient else GRACE
                pause = min(retry_after, grace - held_for) if held_for < grace else retry_after
            case Wait():
                self._held, self._looks = None, 0
                await self._show(observed, decision, timedelta())
                pause = decision.retry_after
        # A look is no success: what it leads to may be the write that fails again and again.
        self._backoff = FIRST_BACKOFF
        return pause

    def _begin(self, observed: DeletionObserved, *, is_preparing: bool) -> None:
        """Nothing is looked up for a DELETE that could not be written ahead. Raises errors.WriteHeldBack."""
        if is_preparing:
            self._tried = refused.Tried(observed, Write.WRITE_AHEAD)
            self._tools.writes.check(self._uid, Write.WRITE_AHEAD)
        else:
            self._tools.places.leave(self._uid)
            self._in_line_since = None

    async def _look(self, observed: DeletionObserved, facts: frozenset[Fact], *, is_preparing: bool) -> timedelta:
        """Look, if it is our turn and cannot wait for the next poll."""
        identity = observed.identity
        if identity is not None and is_preparing:
            place = (identity.region, identity.project_id, identity.pool_name)
            if not self._tools.places.enter(place, self._uid, self.wake):
                return await self._stand_in_line(observed, identity)
            self._in_line_since = None
        patience = fetch.patience(self._facts, observed, facts)
        if patience > timedelta():
            return patience
        await fetch.look(self._facts, observed, facts)
        return self._pause_after_look()

    async def _stand_in_line(self, observed: DeletionObserved, identity: Identity) -> timedelta:
        """Say so once it has lasted: the object would else show what it showed while it lived."""
        self._is_calm = True
        now = self._tools.clock.monotonic()
        if self._in_line_since is None:
            self._in_line_since = now
        stood = timedelta(seconds=now - self._in_line_since)
        if stood < IN_LINE:
            return IN_LINE - stood
        await self._show(observed, queued(identity, IN_LINE), stood)
        return IN_LINE

    async def _show(self, observed: DeletionObserved, decision: Hold | Wait, held_for: timedelta) -> None:
        status = decide_deleting_status(observed, decision, held_for, self._tools.clock.now())
        if status is None or not is_worth_a_write(observed.node_pool.status, status):
            return
        await self._tools.write_status(observed.node_pool, status)
        self._facts.written(status.deletion)
        telling.tell_blocked(self._tools, observed.node_pool, status)

    async def _release(self, observed: DeletionObserved, decision: Release) -> None:
        """Let go, and see it through: news that the object is gone ends this task before its own answer is in."""
        release = asyncio.create_task(self._let_go_in_turn(observed, decision), name=f"release {self._uid}")
        try:
            await asyncio.shield(release)
        except asyncio.CancelledError:
            # Bounded: at the end of the process nobody may be left to write what it waits for.
            done, late = await asyncio.wait({release}, timeout=SEE_THROUGH_SECONDS)
            for task in late:
                task.cancel()
            for task in done:
                refused.log_unread(task, observed.node_pool)
            raise

    async def _let_go_in_turn(self, observed: DeletionObserved, decision: Release) -> None:
        """Two objects of one node pool must not be handed over to each other: each for itself could be right."""
        if decision.heir is None or observed.identity is None:
            await self._let_go(observed, decision)
            return
        async with self._tools.turns.of(*observed.identity.place):
            # The heir as it is now: a watch that lags shows one that lives and is long being deleted.
            await self._tools.refresh(decision.heir)
            node_pool = self._tools.registry.node_pools.get(self._uid)
            if node_pool is None or not node_pool.is_protected:
                return
            again = self._facts.observe(node_pool)
            confirmed = decide_deletion(again, self._tools.moment())
            heir = confirmed.heir if isinstance(confirmed, Release) else None
            is_same = heir is None or heir.metadata.uid == decision.heir.metadata.uid
            if isinstance(confirmed, Release) and is_same:
                await self._let_go(again, confirmed)

    async def _let_go(self, observed: DeletionObserved, decision: Release) -> None:
        """The one place where our finalizer leaves. The patch tests uid and resourceVersion."""
        node_pool = observed.node_pool
        await self._ledger.enter(node_pool, build_entry(observed, decision, self._tools.clock.now()))
        if decision.heir is not None and not self._sender.may_send():
            # Whoever leads now may be handing the heir over to this very object.
            raise ClusterUnavailable("the Lease is not held: nothing is handed over")
        patch = patches.build_finalizer_removed(node_pool)
        was_unanswered = self._tools.ongoing.is_releasing(self._uid)
        self._tools.ongoing.release(self._uid, is_releasing=True)
        try:
            body = await self._tools.writes.patch(node_pool, Write.FINALIZER, paths.path_of(node_pool), patch)
        except ObjectChanged:
            # Refused for certain: whoever removes the finalizer now, it is not us.
            self._tools.ongoing.release(self._uid, is_releasing=False)
            raise
        except ObjectGone:
            # Not us, unless an earlier patch of ours went through and its answer was lost.
            self._tools.ongoing.release(self._uid, is_releasing=was_unanswered)
            raise
        telling.tell_release(self._tools, observed, decision)
        if body["metadata"].get("finalizers"):
            self._tools.registry.take_node_pool(body)
        else:
            # Gone with the last finalizer. This body carries the version it had before: a watch that lags would
            # bring that one back, finalizer and all.
            self._tools.registry.drop_node_pool(self._uid)

    def _pause_after_look(self) -> timedelta:
        """None, unless looks follow each other without ever leading anywhere: the cloud must not pay for that."""
        self._looks += 1
        if self._looks <= LOOKS_IN_A_ROW:
            return timedelta()
        self._tools.places.leave(self._uid)
        return FIRST_BACKOFF * 10

    def _held_for(self, *, is_transient: bool) -> timedelta:
        now = self._tools.clock.monotonic()
        if self._held is None or self._held[0] != is_transient:
            self._held = (is_transient, now)
        return timedelta(seconds=now - self._held[1])

    async def _refresh(self, node_pool: NodePool) -> timedelta:
        """The object is not what was decided on: read it again, then decide again."""
        try:
            await self._tools.refresh(node_pool)
        except ClusterError as error:
            self._tools.writes.warn(node_pool, error)
            return self._back_off()
        return timedelta()  # Nothing spins where it changes all the time: the next write has its backoff.

    async def _tell_refused(self, node_pool: NodePool, error: ClusterError) -> timedelta:
        """Say what the API server does not take; how long to wait then."""
        self._tools.places.leave(self._uid)
        await refused.tell(self._tools, self._facts, node_pool, self._tried, error)
        if isinstance(error, EntryNotWritten):
            return PATIENCE
        if self._tools.writes.is_failing(self._uid):
            return self._tools.writes.pause(self._uid)
        # No write of this object: a look at another one, or the Lease.
        self._tools.writes.warn(node_pool, error)
        return self._back_off()

    def _back_off(self) -> timedelta:
        self._tools.places.leave(self._uid)
        pause = self._backoff
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        return pause

    async def _wait(self, pause: timedelta) -> None:
        if pause <= timedelta():
            await asyncio.sleep(0)  # Others get their turn, even if a decision keeps asking.
            return
        if self._has_news:
            return
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(seconds(pause), self._end_wait)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None

    def _end_wait(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
