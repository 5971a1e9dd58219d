"""Reads which nodes are abnormal: one list_node_pool_nodes for each change of their number, never one per poll.

controllers/node_pool.py asks for them before it decides on a status. The first question adds a key to the workqueue;
its worker makes the calls and then adds the object again, so no object and no deletion waits for a call. One show_pool
for all node pools of a resource pool says whether it is frozen. After a failed call, and while the resource pool is
frozen, the nodes are read again every half hour.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.access.rate_limiter import Lane, Priority
from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.workqueue import KEPT_SECONDS, Key, Kind, Result, SingleFlight, Workqueue
from modelarts_nodepool.decide.failures import describe_resource_pool
from modelarts_nodepool.decide.observed import AbnormalNodes, AccountView, Evidence
from modelarts_nodepool.decide.status import pick_abnormal
from modelarts_nodepool.ports import Clock, CloudResourcePool

logger = logging.getLogger(__name__)

# After this the status is written without names.
PATIENCE = timedelta(seconds=5)
AGAIN_AFTER = timedelta(minutes=30)


@dataclass(slots=True)
class _Question:
    """The nodes of one node pool when so many are abnormal. `asked` is in monotonic seconds."""

    account: Account
    identity: Identity
    abnormal: int
    asked: float
    has_failed: bool = False
    answer: AbnormalNodes | None = None


class AbnormalNodesReader:
    """Questions and answers by uid of the object. `find` makes no call, `reconcile` does."""

    def __init__(self, cache: Cache, queue: Workqueue, clouds: Gateway, clock: Clock) -> None:
        self._cache = cache
        self._queue = queue
        self._clouds = clouds
        self._clock = clock
        self._questions: dict[str, _Question] = {}
        self._single_flight = SingleFlight()

    def find(self, uid: str, view: AccountView, abnormal: int) -> AbnormalNodes | timedelta | None:
        """The abnormal nodes, for this number of them. None if there are none, or if they cannot be read.

        A timedelta: the call is in progress. Decide when the object is reconciled again, or after this time.
        """
        if abnormal == 0:
            self.forget(uid)
            return None
        now = self._clock.monotonic()
        known = self._questions.get(uid)
        if known is None or (known.identity, known.abnormal) != (view.identity, abnormal):
            known = self._questions[uid] = _Question(view.account, view.identity, abnormal, now)
            self._queue.add(Key(Kind.ABNORMAL_NODES, uid))
        left = PATIENCE - timedelta(seconds=now - known.asked)
        is_waited_for = known.answer is None and not known.has_failed and left > timedelta()
        return left if is_waited_for else known.answer

    async def reconcile(self, uid: str) -> Result:
        """Read the nodes, then add the object again."""
        question, node_pool = self._questions.get(uid), self._cache.node_pools.get(uid)
        if question is None or _is_settled(question.answer):
            return Result()
        if node_pool is None or node_pool.metadata.deleted is not None:
            # The status of a deletion keeps NodesHealthy as it was.
            self.forget(uid)
            return Result()
        answer = await self._read(question)
        question.has_failed = answer is None
        question.answer = answer or question.answer
        self._queue.add(Key(Kind.NODE_POOL, uid))
        return Result() if _is_settled(answer) else Result(AGAIN_AFTER)

    def forget(self, uid: str) -> None:
        """The object is gone, or none of its nodes is abnormal."""
        if self._questions.pop(uid, None) is not None:
            self._queue.forget(Key(Kind.ABNORMAL_NODES, uid))

    async def _read(self, question: _Question) -> AbnormalNodes | None:
        identity = question.identity
        nodes = await self._clouds.observe(
            question.account,
            lambda cloud: cloud.list_node_pool_nodes(identity.pool_name, identity.node_pool_name),
            Priority(Lane.POLL),
        )
        if nodes.value is None:
            fields = {"resourcePool": identity.pool_name, "nodePool": identity.node_pool_name}
            logger.info("the names of abnormal nodes could not be read: %s", nodes.failure, extra=fields)
            return None
        # The node pools that one LIST shows as changed share an answer; an older answer may not show the cause.
        not_before = max(question.asked, self._clock.monotonic() - KEPT_SECONDS)
        same = (question.account.metadata.name, identity.region, identity.project_id, identity.pool_name)
        pool = await self._single_flight.get(same, not_before, lambda: self._show_pool(question))
        return AbnormalNodes(pick_abnormal(nodes.value), pool.value)

    async def _show_pool(self, question: _Question) -> Evidence[CloudResourcePool]:
        name = question.identity.pool_name
        return await self._clouds.observe(question.account, lambda cloud: cloud.show_pool(name), Priority(Lane.POLL))


def _is_settled(answer: AbnormalNodes | None) -> bool:
    """Whether the answer is valid until the number of abnormal nodes changes."""
    return answer is not None and not describe_resource_pool(answer.resource_pool)
