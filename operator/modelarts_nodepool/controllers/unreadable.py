"""Tells of objects that this version cannot read, in their own status: the queue's work for one uid.

It writes conditions and observedGeneration, nothing else: what a later version keeps in status stays. It adds and
removes no finalizer and calls no cloud.
"""

import logging
from datetime import timedelta

from modelarts_nodepool import metrics
from modelarts_nodepool.api.conditions import Condition, ConditionType, find_condition
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import Misfit
from modelarts_nodepool.controllers.counting import counted
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.controllers.workqueue import KeyedQueue
from modelarts_nodepool.controllers.writes import Write
from modelarts_nodepool.decide.unreadable import decide_misfit_conditions
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import patches, paths
from modelarts_nodepool.kube.events import EventType

logger = logging.getLogger(__name__)

WORKERS = 2
SOON = timedelta(milliseconds=100)
RETRY_AFTER = timedelta(seconds=15)


class Misfits:
    """Keeps the conditions of what cannot be read as they should be."""

    def __init__(self, tools: Tools) -> None:
        """Add uids to `queue`; run it with `queue.run()`."""
        self._tools = tools
        self.queue = KeyedQueue(self._work, WORKERS)

    async def _work(self, uid: str) -> None:
        misfit = self._tools.registry.misfits.get(uid)
        if misfit is None or not misfit.is_node_pool or not misfit.is_in_our_hands:
            self.queue.cancel_timer(uid)
            return
        try:
            with counted():
                await self._tell(misfit)
        except (ObjectChanged, ObjectGone):
            await self._refresh(misfit)
        except ClusterError:
            self._tools.tell_unwritten(misfit)
            self.queue.add_after(uid, self._tools.writes.pause(uid))
        except Exception:
            logger.exception("telling what is amiss with %s failed; tried again", misfit.title)
            self.queue.add_after(uid, RETRY_AFTER)

    async def _tell(self, misfit: Misfit) -> None:
        conditions = decide_misfit_conditions(misfit, self._tools.clock.now())
        if (misfit.conditions, misfit.observed_generation) == (conditions, misfit.metadata.generation):
            return
        patch = patches.build_conditions(misfit, conditions)
        body = await self._tools.writes.patch(misfit, Write.STATUS, paths.status_path_of(misfit), patch)
        metrics.STATUS_WRITES.inc()
        self._tools.registry.take_node_pool(body)
        self._report(misfit, conditions)

    async def _refresh(self, misfit: Misfit) -> None:
        """Not what was decided on: read it again, then decide again."""
        try:
            await self._tools.refresh(misfit)
        except ClusterError as error:
            self._tools.writes.warn(misfit, error)
            self.queue.add_after(misfit.metadata.uid, RETRY_AFTER)
        else:
            self.queue.add_after(misfit.metadata.uid, SOON)

    def _report(self, misfit: Misfit, after: tuple[Condition, ...]) -> None:
        """One Event per transition, named as for every other object."""
        is_deleted = misfit.metadata.deleted is not None
        kind = ConditionType.DELETION_BLOCKED if is_deleted else ConditionType.STALLED
        old, new = find_condition(misfit.conditions, kind), find_condition(after, kind)
        if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
            return
        if is_deleted:
            reason, words = Reason.DELETION_BLOCKED, f"{new.reason}: {new.message}"
        else:
            reason, words = Reason.INVALID_OBJECT, new.message
        self._tools.recorder.record(misfit, EventType.WARNING, reason.value, words)
