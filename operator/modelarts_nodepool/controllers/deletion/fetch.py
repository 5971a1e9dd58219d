"""Fetches the facts that a decision asked for, from ModelArts and from the API server.

Called by reconciler.py and send.py. Each answer goes into the deletion's memory, with the time at which its request
began. Failures are facts, too.
"""

import asyncio
import logging
import math
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.api.node_pool import Identity, SendOutcome
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.controllers.deletion.gather import Memory, may_observe
from modelarts_nodepool.controllers.deletion.owners import Owners
from modelarts_nodepool.controllers.workqueue import KEPT_SECONDS, SingleFlight
from modelarts_nodepool.decide.deletion.workloads import ASKED_SELDOM, is_unavailable, may_run, why_unavailable
from modelarts_nodepool.decide.failures import asked_pause
from modelarts_nodepool.decide.observed import Container, DeletionObserved, Evidence, Fact, Failure
from modelarts_nodepool.errors import (
    CloudUnavailable,
    ClusterError,
    MalformedAnswer,
    NoAnswer,
    ObjectGone,
)
from modelarts_nodepool.kube import paths
from modelarts_nodepool.polling import Poller, Pollers, PollKey
from modelarts_nodepool.ports import Clock, Cluster, ModelArts, Moment

logger = logging.getLogger(__name__)

# No fetch may hold up a deletion longer than this; the next decision asks again.
FETCH_LIMIT_SECONDS = 90.0
# The greatest age of a shared answer. Its request must have begun after the deletion was seen. CRD and namespace are
# read again right before the DELETE; the resource pool's billing may then be a minute old.
SHARED_FOR = timedelta(seconds=2)
_RESOURCE_POOL_SHARED_FOR = timedelta(seconds=KEPT_SECONDS)
# All deletions of a resource pool share a list of its jobs. After a minute it is too old for a DELETE: ten seconds are
# left to send it.
_WORKLOADS_SHARED_FOR = timedelta(seconds=50)
# The limit for all pages together: the list must be fresh when it is complete.
WORKLOADS_LIMIT_SECONDS = 40.0
# An answer that is later than this begins a new run: a pause or another guard held in between.
_LONGEST_DELAY = timedelta(minutes=2)
# Jobs that cannot be listed are logged this often for each resource pool.
_REPORTED_EVERY_SECONDS = 3600.0
# Facts that only a DELETE needs.
_PREPARING = frozenset({Fact.DEFINITION, Fact.NAMESPACE, Fact.RESOURCE_POOL, Fact.NODES, Fact.WORKLOADS})

_SHARED_FOR = {Fact.RESOURCE_POOL: _RESOURCE_POOL_SHARED_FOR, Fact.WORKLOADS: _WORKLOADS_SHARED_FOR}
_CONTAINERS = frozenset({Fact.DEFINITION, Fact.NAMESPACE})
_SHARED = frozenset({Fact.RESOURCE_POOL, Fact.RESOURCE_POOLS})


def is_preparing(observed: DeletionObserved, wanted: frozenset[Fact]) -> bool:
    """Whether these facts lead to a DELETE: then only a few deletions of each resource pool fetch them at once.

    The LIST counts too, before the first DELETE: deletions in the queue then find it in the cache.
    """
    return bool(wanted & _PREPARING) or (Fact.LISTING in wanted and observed.record.attempt == 0)


class Fetch:
    """Fills a deletion's memory."""

    def __init__(self, cache: Cache, pollers: Pollers, clouds: Gateway, cluster: Cluster, clock: Clock) -> None:
        self._cache = cache
        self._pollers = pollers
        self._clouds = clouds
        self._cluster = cluster
        self._clock = clock
        self._single_flight = SingleFlight()
        self._workloads = SingleFlight(_WORKLOADS_SHARED_FOR.total_seconds())
        self._reported: dict[PollKey, float] = {}
        self._owners = Owners(cluster, self._single_flight, clock)

    async def fetch(self, memory: Memory, observed: DeletionObserved, wanted: frozenset[Fact]) -> None:
        """Fetch all of them at once. Never raises for a failed request."""
        account, identity = observed.account, observed.identity
        if account is None or identity is None:
            return
        if Fact.LISTING in wanted and observed.record.attempt == 0:
            # The table asks for these next, and another server answers them. Only once: a failed LIST is fetched
            # repeatedly.
            wanted |= _CONTAINERS - memory.facts.keys()
        fetches = [self._fetch(memory, observed, fact, account.account, identity) for fact in wanted]
        try:
            async with asyncio.timeout(FETCH_LIMIT_SECONDS):
                await _all(fetches)
        except TimeoutError:
            logger.warning("facts could not be fetched in time; they are asked for again", extra=_fields(observed))

    async def read_containers(self, memory: Memory, node_pool: NodePool) -> None:
        """Read CRD and namespace, unless they were read in the last seconds."""
        oldest = self._clock.monotonic() - SHARED_FOR.total_seconds()
        old = [fact for fact in _CONTAINERS if fact not in memory.facts or memory.facts[fact].begun < oldest]
        await _all([self._read_container(memory, fact, node_pool) for fact in old])

    def patience(self, memory: Memory, observed: DeletionObserved, wanted: frozenset[Fact]) -> timedelta:
        """How long to wait for the next poll instead of a request now; zero if the answer cannot wait.

        After an accepted DELETE nothing is decided for minutes, and a request after each of a hundred DELETEs would be
        a hundred LISTs.
        """
        finished, poller = memory.send_finished, self._poller(observed.node_pool, observed)
        is_accepted = observed.record.outcome is SendOutcome.ACCEPTED
        if wanted != {Fact.LISTING} or not is_accepted or finished is None or poller is None:
            return timedelta()
        has_asked = observed.reconcile_requested is not None and observed.reconcile_requested > finished
        if has_asked or (poller.latest is not None and poller.latest.begun >= finished):
            return timedelta()
        left = poller.interval() - timedelta(seconds=self._clock.monotonic() - finished)
        return max(left, timedelta())

    async def _fetch(
        self, memory: Memory, observed: DeletionObserved, fact: Fact, account: Account, identity: Identity
    ) -> None:
        if fact is Fact.LISTING:
            await self._list(observed)
        elif fact is Fact.OWNERS:
            memory.facts[fact] = await self._owners.find(observed.node_pool)
        elif fact in _CONTAINERS:
            await self._read_container(memory, fact, observed.node_pool)
        elif fact is Fact.WORKLOADS:
            await self._list_workloads(memory, observed.node_pool, account, identity)
        elif fact in _SHARED:
            question = _question_of(fact, PollKey.of(account, identity.pool_name))
            not_before = self._shared_from(memory, fact, observed.node_pool)
            memory.facts[fact] = await self._single_flight.get(
                question, not_before, lambda: self._ask(fact, account, identity)
            )
        else:
            memory.facts[fact] = await self._ask(fact, account, identity)

    async def _list(self, observed: DeletionObserved) -> None:
        poller = self._poller(observed.node_pool, observed)
        if poller is None:
            return
        counts_from = observed.witnesses_count_from
        has_one = poller.latest is not None and poller.latest.begun >= counts_from
        # The first LIST may be shared with other deletions; a second request must be a new LIST.
        await poller.fetch(self._clock.monotonic() if has_one else counts_from)

    async def _list_workloads(self, memory: Memory, node_pool: NodePool, account: Account, identity: Identity) -> None:
        """Fetch the jobs of the resource pool, and since when they have been listed, or could not be."""
        fact, key = Fact.WORKLOADS, PollKey.of(account, identity.pool_name)
        not_before = self._shared_from(memory, fact, node_pool)
        found = await self._workloads.get(
            _question_of(fact, key), not_before, lambda: self._ask_for_workloads(account, identity)
        )
        memory.facts[fact] = _continue_run(memory.facts.get(fact), found)
        if is_unavailable(memory.facts[fact], Moment.of(self._clock)):
            self._report_unavailable(key, found.failure)

    async def _ask_for_workloads(self, account: Account, identity: Identity) -> Evidence[Any]:
        try:
            async with asyncio.timeout(WORKLOADS_LIMIT_SECONDS):
                found = await self._ask(Fact.WORKLOADS, account, identity)
        except TimeoutError:
            words = f"list_workloads of resource pool {identity.pool_name} had no complete answer"
            failure = NoAnswer(f"{words} within {WORKLOADS_LIMIT_SECONDS:.0f} s")
            return Evidence(self._clock.monotonic(), failure=failure)
        # A failure counts from its end: otherwise a slow one would be repeated without a pause and never be shown.
        return found if found.failure is None else replace(found, begun=self._clock.monotonic())

    def _report_unavailable(self, key: PollKey, failure: Failure | None) -> None:
        now = self._clock.monotonic()
        self._reported = {each: at for each, at in self._reported.items() if now - at < _REPORTED_EVERY_SECONDS}
        if key in self._reported:
            return
        self._reported[key] = now
        logger.warning(
            "jobs cannot be listed: %s. Deletions in the resource pool are held only by nodes that show accelerators "
            "in use: %s",
            why_unavailable(failure),
            failure,
            extra={"account": key.account, "resourcePool": key.resource_pool},
        )

    def _poller(self, node_pool: NodePool, observed: DeletionObserved) -> Poller | None:
        if observed.account is None or not may_observe(node_pool, observed.account):
            return None
        return self._pollers.find(observed.account.account, node_pool.spec.pool_name)

    async def _read_container(self, memory: Memory, fact: Fact, node_pool: NodePool) -> None:
        path = paths.namespace(node_pool.metadata.namespace) if fact is Fact.NAMESPACE else paths.NODE_POOL_DEFINITION
        not_before = self._shared_from(memory, fact, node_pool)
        memory.facts[fact] = await self._single_flight.get((path,), not_before, lambda: self._read(path))

    def _shared_from(self, memory: Memory, fact: Fact, node_pool: NodePool) -> float:
        """The earliest beginning of a shared answer that is fresh enough (monotonic). A second one must be newer."""
        span = _SHARED_FOR.get(fact, SHARED_FOR)
        lately = self._clock.monotonic() - span.total_seconds()
        known = memory.facts.get(fact)
        newer = math.nextafter(known.begun, math.inf) if known is not None else lately
        seen = self._cache.deletion_seen.get(node_pool.metadata.uid, math.inf)
        return max(lately, newer, seen)

    async def _read(self, path: str) -> Evidence[Container]:
        begun = self._clock.monotonic()
        try:
            body = await self._cluster.get(path)
        except ObjectGone:
            return Evidence(begun, value=Container(created=None))
        except ClusterError as error:
            return Evidence(begun, failure=CloudUnavailable(str(error)))
        metadata = body["metadata"]
        created, deleted = metadata["creationTimestamp"], metadata.get("deletionTimestamp")
        read = Container(datetime.fromisoformat(created), datetime.fromisoformat(deleted) if deleted else None)
        return Evidence(begun, value=read)

    async def _ask(self, fact: Fact, account: Account, identity: Identity) -> Evidence[Any]:
        return await self._clouds.observe(
            account, lambda cloud: _question(cloud, fact, identity), is_optional=fact is Fact.WORKLOADS
        )


def _continue_run(before: Evidence[Any] | None, found: Evidence[Any]) -> Evidence[Any]:
    """The answer to list_workloads, with the beginning of its run of answers or of failures."""
    if before is None or (before.failure is None) != (found.failure is None) or _is_late(before, found):
        before = Evidence(found.begun)
    is_unreadable = isinstance(found.failure, MalformedAnswer)
    unreadable_since = found.begun if before.unreadable_since is None else before.unreadable_since
    return replace(
        found,
        since=before.begun if before.since is None else before.since,
        unreadable_since=unreadable_since if is_unreadable else None,
    )


def _is_late(before: Evidence[Any], found: Evidence[Any]) -> bool:
    due = ASKED_SELDOM if before.failure is None else asked_pause(before.failure)
    return found.begun - before.begun > (due + _LONGEST_DELAY).total_seconds()


def _question_of(fact: Fact, key: PollKey) -> tuple[str, ...]:
    return (fact.name, key.account, key.region, key.project_id, key.workspace, key.resource_pool)


async def _all(fetches: list[Coroutine[Any, Any, None]]) -> None:
    if len(fetches) == 1:
        await fetches[0]
        return
    async with asyncio.TaskGroup() as group:
        for each in fetches:
            group.create_task(each)


async def _question(cloud: ModelArts, fact: Fact, identity: Identity) -> object:
    resource_pool, node_pool = identity.pool_name, identity.node_pool_name
    match fact:
        case Fact.NODE_POOL:
            return await cloud.show_node_pool(resource_pool, node_pool)
        case Fact.RESOURCE_POOL:
            return await cloud.show_pool(resource_pool)
        case Fact.RESOURCE_POOLS:
            return await cloud.list_pools(identity.workspace)
        case Fact.NODES:
            return tuple(await cloud.list_node_pool_nodes(resource_pool, node_pool))
        case Fact.WORKLOADS:
            # Without ended jobs, which can be thousands: the answer is cached and read by each deletion.
            return tuple(job for job in await cloud.list_workloads(resource_pool) if may_run(job))
        case _:
            raise AssertionError(f"{fact} is not asked of ModelArts here")


def _fields(observed: DeletionObserved) -> dict[str, object]:
    return observed.node_pool.log_fields
