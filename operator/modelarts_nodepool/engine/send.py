"""Sending one DELETE: credentials in hand, write-ahead, the fence, the call, the answer into memory.

Called by engine/deletion.py when the table says Send, and the only caller of delete_node_pool.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

from modelarts_nodepool.decide.decision import Send
from modelarts_nodepool.decide.deleting import build_write_ahead
from modelarts_nodepool.decide.deletion import decide_deletion
from modelarts_nodepool.decide.observed import AccountView, DeletionObserved
from modelarts_nodepool.decide.record import accept, fail
from modelarts_nodepool.engine import audit
from modelarts_nodepool.engine.facts import Facts
from modelarts_nodepool.engine.tools import Tools
from modelarts_nodepool.errors import CloudError, CloudUnavailable, CredentialsUnavailable, InvalidName
from modelarts_nodepool.kube.events import EventType
from modelarts_nodepool.ports import Accepted, ModelArts
from modelarts_nodepool.resource.node_pool import DeletionRecord, Identity
from modelarts_nodepool.resource.objects import NodePool

logger = logging.getLogger(__name__)

# A write-ahead older than this no longer stands for "about to be sent" (monotonic seconds).
FENCE_SECONDS = 30.0
# The CRD and the namespace are read again before a DELETE unless they were so lately.
CONTAINERS_LAST = timedelta(seconds=2)


class Sender:
    """Sends DELETEs, one at a time for each resource pool."""

    def __init__(self, tools: Tools, may_send: Callable[[], bool]) -> None:
        """`may_send`: whether this process holds the Lease right now."""
        self._tools = tools
        self.may_send = may_send
        self._locks: defaultdict[tuple[str, str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def send(self, facts: Facts, node_pool: NodePool) -> None:
        """Send, if the table still says so once it is our turn. Raises errors.ClusterError of the write-ahead."""
        identity = facts.observe(node_pool).identity
        if identity is None:
            return
        async with self._locks[(identity.region, identity.project_id, identity.pool_name)]:
            observed = await self._prepared(facts, node_pool.metadata.uid)
            if observed is None or observed.account is None:
                return
            before = facts.record
            # Taken before the write: the write counts as old from when it may have happened first.
            written_at = self._tools.clock.monotonic()
            await self._write_ahead(facts, observed, identity)
            if not self._is_fenced(written_at):
                logger.warning("not sent: the write-ahead is too old or the Lease is gone", extra={"uid": facts.uid})
                return
            await self._delete(facts, observed, observed.account, before, written_at)

    def _is_fenced(self, written_at: float) -> bool:
        return self.may_send() and self._tools.clock.monotonic() - written_at < FENCE_SECONDS

    async def _prepared(self, facts: Facts, uid: str) -> DeletionObserved | None:
        """Credentials in hand, CRD and namespace just read, and the table still says Send; else None."""
        current = self._tools.registry.node_pools.get(uid)
        if current is None:
            return None
        observed = facts.observe(current)
        if observed.account is None or not isinstance(decide_deletion(observed, self._tools.moment()), Send):
            return None
        await facts.read_containers(current, CONTAINERS_LAST)
        try:
            await self._tools.clouds.ready(observed.account.account)
        except (CloudError, CredentialsUnavailable) as failure:
            self._note_failure(facts, failure)
            return None
        return self._decided_again(facts, uid)

    def _decided_again(self, facts: Facts, uid: str) -> DeletionObserved | None:
        """Time has passed: decided once more, and from here to the write-ahead nothing else gets a turn."""
        current = self._tools.registry.node_pools.get(uid)
        if current is None:
            return None
        observed = facts.observe(current)
        if not isinstance(decide_deletion(observed, self._tools.moment()), Send) or observed.identity is None:
            return None
        twin = self._tools.unplaced_twin(current, observed.identity)
        if twin is not None:
            words = f"{twin.title} names the same node pool, and its namespace is not known yet"
            self._note_failure(facts, CloudUnavailable(words))
            return None
        return observed

    async def _write_ahead(self, facts: Facts, observed: DeletionObserved, identity: Identity) -> None:
        ongoing, node_pool = self._tools.ongoing, observed.node_pool
        status = build_write_ahead(observed, self._tools.clock.now())
        ongoing.reserve(facts.uid, is_reserved=True)
        try:
            await self._tools.write_status(node_pool, status)
            record = status.deletion or DeletionRecord()
            facts.written(record)
            facts.record = record
            ongoing.note(node_pool, identity, record)
        finally:
            ongoing.reserve(facts.uid, is_reserved=False)

    async def _delete(
        self, facts: Facts, observed: DeletionObserved, view: AccountView, before: DeletionRecord, written_at: float
    ) -> None:
        node_pool, clock = observed.node_pool, self._tools.clock
        identity = observed.identity or view.identity

        async def delete(cloud: ModelArts) -> Accepted:
            # Reading the Secret may have taken its time: the fence is looked at right before the request.
            if not self._is_fenced(written_at):
                raise Unsent("the write-ahead was too old or the Lease gone before the DELETE could be sent")
            return await cloud.delete_node_pool(identity.pool_name, identity.node_pool_name)

        finished_before = facts.send_finished
        answer: Accepted | CloudError
        try:
            answer = await self._tools.clouds.call(view.account, delete)
        except asyncio.CancelledError:
            audit.log_delete(node_pool, identity, facts.record, None)
            raise
        except (CloudError, CredentialsUnavailable, InvalidName) as failure:
            answer = failure if isinstance(failure, CloudError) else _never_sent(failure)
        finally:
            # Whatever happens, cancellation too: no look from before this moment proves anything.
            facts.send_finished = clock.monotonic()
        if isinstance(answer, Accepted):
            facts.record = accept(facts.record, answer.request_id, clock.now())
            words = (
                f"ModelArts accepted the DELETE of node pool {identity.node_pool_name} (request {answer.request_id})"
            )
            self._tools.recorder.record(node_pool, EventType.NORMAL, "DeleteAccepted", words)
        else:
            facts.record = fail(facts.record, before, answer, clock.now())
            if answer.had_no_effect:
                # As if it had never been sent: only an earlier DELETE is still to be waited for.
                facts.send_finished = finished_before
            self._note_failure(facts, answer)
        audit.log_delete(node_pool, identity, facts.record, answer)

    def _note_failure(self, facts: Facts, failure: CloudError | CredentialsUnavailable) -> None:
        facts.last_failure = failure
        facts.last_failure_at = self._tools.clock.monotonic()


def _never_sent(failure: CredentialsUnavailable | InvalidName) -> CloudError:
    """Credentials or name stopped the call before anything was sent: proven to have had no effect."""
    return Unsent(str(failure))


class Unsent(CloudError):
    """Nothing left this process."""

    reason = "CloudUnavailable"
    had_no_effect = True
    is_transient = True
