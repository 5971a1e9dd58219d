"""Shows on an object that is being deleted what the API server does not take of it.

Called by controllers/deletion/reconciler.py after a write that was not done. It decides nothing: the next pass asks the
table again.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.controllers.deletion import telling
from modelarts_nodepool.controllers.deletion.gather import Facts
from modelarts_nodepool.controllers.deletion.ledger import EntryNotWritten
from modelarts_nodepool.controllers.tools import Tools, log_fields
from modelarts_nodepool.controllers.writes import LONGEST_PAUSE, Write
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.deletion.status import decide_deleting_status, is_worth_a_write
from modelarts_nodepool.decide.failures import release_refused, write_ahead_refused
from modelarts_nodepool.decide.observed import DeletionObserved
from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tried:
    """The write that a decision led to; `release` is that decision where it was one."""

    observed: DeletionObserved
    write: Write
    release: Release | None = None


async def tell(tools: Tools, facts: Facts, node_pool: NodePool, tried: Tried | None, error: ClusterError) -> None:
    """By a status where one can be written, and by one Event. `tried` is None after a Hold or a Wait."""
    if isinstance(error, EntryNotWritten):
        lasting = (error.error, error.lasts)
    else:
        found = tools.writes.lasting(facts.uid, tried.write) if tried else None
        if found is None:
            tools.tell_unwritten(node_pool)
            return
        lasting = found
    if tried is not None:
        await _show(tools, facts, tried, *lasting)


async def _show(tools: Tools, facts: Facts, tried: Tried, error: ClusterError, lasts: timedelta) -> None:
    node_pool = tried.observed.node_pool
    if tried.release is not None:
        hold = release_refused(tried.release, error, LONGEST_PAUSE)
    else:
        hold = write_ahead_refused(node_pool, error, LONGEST_PAUSE)
    # Where the status cannot be written, either, the Event is all that people see.
    if tools.writes.tell_once(facts.uid, tried.write):
        telling.tell_held(tools, node_pool, hold)
    status = decide_deleting_status(tried.observed, hold, lasts, tools.clock.now())
    if status is None or not is_worth_a_write(node_pool.status, status):
        return
    # A failure is remembered in controllers/writes.py, and the next pass decides anew.
    with suppress(ClusterError):
        await tools.write_status(node_pool, status)
        facts.written(status.deletion)
        if not tools.writes.is_failing(facts.uid):
            telling.tell_blocked(tools, node_pool, status)


def log_unread(release: asyncio.Task[None], node_pool: NodePool) -> None:
    """Nobody is left to act on how it ended: an object that is gone or changed is decided on by others."""
    error = None if release.cancelled() else release.exception()
    if error is None or isinstance(error, ObjectChanged | ObjectGone):
        return
    logger.warning("a release was not seen through: %s", error, extra=log_fields(node_pool))
