"""How a deletion looks up what a decision asked for: in the cloud, and in the API server.

Called by controllers/deletion/reconciler.py and controllers/deletion/send.py; what was found goes into `Facts`.
Failures are facts too.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from modelarts_nodepool.api.node_pool import Identity, SendOutcome
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.controllers.deletion.gather import Facts
from modelarts_nodepool.controllers.deletion.owners import find_owners
from modelarts_nodepool.controllers.deletion.shared import KEPT_SECONDS
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.decide.observed import Container, DeletionObserved, Evidence, Fact
from modelarts_nodepool.errors import CloudError, CloudUnavailable, ClusterError, CredentialsUnavailable, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.polling.poller import PollKey
from modelarts_nodepool.ports import ModelArts

logger = logging.getLogger(__name__)

# No look may hold up a deletion longer than this; the next decision asks again.
LOOK_LIMIT_SECONDS = 90.0
# A look that others made so lately is as good as one's own, if it began after the deletion was seen. CRD and
# namespace are looked at once more right before the DELETE; the resource pool's billing may be a minute old then.
LATELY = timedelta(seconds=2)
_RESOURCE_POOL_LATELY = timedelta(seconds=KEPT_SECONDS)
# What has to be looked up before a DELETE can be sent, and is of no use to any other decision.
_PREPARING = frozenset({Fact.DEFINITION, Fact.NAMESPACE, Fact.RESOURCE_POOL, Fact.NODES})

_CONTAINERS = frozenset({Fact.DEFINITION, Fact.NAMESPACE})
_SHARED = frozenset({Fact.RESOURCE_POOL, Fact.RESOURCE_POOLS})


def is_preparing(observed: DeletionObserved, wanted: frozenset[Fact]) -> bool:
    """Whether such a look leads to a DELETE, so that few at once of each resource pool are of use.

    The LIST as well, before the first DELETE: whoever waits for others finds it done when its turn comes.
    """
    return bool(wanted & _PREPARING) or (Fact.LISTING in wanted and observed.record.attempt == 0)


async def look(facts: Facts, observed: DeletionObserved, wanted: frozenset[Fact]) -> None:
    """Look up what a decision asked for, all at once."""
    if observed.account is None or observed.identity is None:
        return
    try:
        async with asyncio.timeout(LOOK_LIMIT_SECONDS), asyncio.TaskGroup() as group:
            for fact in wanted:
                if fact is Fact.LISTING:
                    group.create_task(_list(facts, observed))
                elif fact is Fact.OWNERS:
                    group.create_task(_find_owners(facts, observed.node_pool))
                elif fact in _CONTAINERS:
                    group.create_task(_read_container(facts, fact, observed.node_pool))
                else:
                    group.create_task(_ask(facts, fact, observed.account.account, observed.identity))
    except TimeoutError:
        logger.warning("looks at the cloud took too long and were given up", extra={"uid": facts.uid})


async def read_containers(facts: Facts, node_pool: NodePool) -> None:
    """Read CRD and namespace, unless that was done lately."""
    oldest = facts.tools.clock.monotonic() - LATELY.total_seconds()
    async with asyncio.TaskGroup() as group:
        for fact in _CONTAINERS:
            found = facts.found.get(fact)
            if found is None or found.begun < oldest:
                group.create_task(_read_container(facts, fact, node_pool))


def patience(facts: Facts, observed: DeletionObserved, wanted: frozenset[Fact]) -> timedelta:
    """How long to wait for the next poll instead of looking now; nothing where a look cannot wait.

    After an accepted DELETE nothing is decided for minutes, and each look after one of a hundred would be a LIST of
    all of them.
    """
    finished, poller = observed.send_finished, facts.poller(observed.node_pool)
    is_accepted = observed.record.outcome is SendOutcome.ACCEPTED
    if wanted != {Fact.LISTING} or not is_accepted or finished is None or poller is None:
        return timedelta()
    has_asked = observed.reconcile_requested is not None and observed.reconcile_requested > finished
    if has_asked or (poller.latest is not None and poller.latest.begun >= finished):
        return timedelta()
    left = poller.interval() - timedelta(seconds=facts.tools.clock.monotonic() - finished)
    return max(left, timedelta())


async def _list(facts: Facts, observed: DeletionObserved) -> None:
    poller = facts.poller(observed.node_pool)
    if poller is None:
        return
    counts_from = observed.witnesses_count_from
    has_one = poller.latest is not None and poller.latest.begun >= counts_from
    # The first look may be shared with other deletions; asked again, it has to be a new one.
    await poller.fetch(facts.tools.clock.monotonic() if has_one else counts_from)


async def _read_container(facts: Facts, fact: Fact, node_pool: NodePool) -> None:
    path = paths.namespace(node_pool.metadata.namespace) if fact is Fact.NAMESPACE else paths.NODE_POOL_DEFINITION
    facts.found[fact] = await facts.tools.shared.look(
        (path,), _good_from(facts, fact), lambda: _read(facts.tools, path)
    )


async def _find_owners(facts: Facts, node_pool: NodePool) -> None:
    facts.found[Fact.OWNERS] = await find_owners(facts.tools, node_pool)


async def _ask(facts: Facts, fact: Fact, account: Account, identity: Identity) -> None:
    async def ask() -> Evidence[Any]:
        return await _call(facts.tools, account, _question(fact, identity))

    if fact not in _SHARED:
        facts.found[fact] = await ask()
        return
    key = PollKey.of(account, identity.pool_name)
    question = (fact.name, key.account, key.region, key.project_id, key.workspace, key.resource_pool)
    facts.found[fact] = await facts.tools.shared.look(question, _good_from(facts, fact), ask)


def _good_from(facts: Facts, fact: Fact) -> float:
    """From when on a look by others is as good as one's own (monotonic): asked again, it has to be a newer one."""
    span = _RESOURCE_POOL_LATELY if fact is Fact.RESOURCE_POOL else LATELY
    lately = facts.tools.clock.monotonic() - span.total_seconds()
    known = facts.found.get(fact)
    newer = math.nextafter(known.begun, math.inf) if known is not None else lately
    seen = facts.tools.registry.deletion_seen.get(facts.uid, math.inf)
    return max(lately, newer, seen)


async def _read(tools: Tools, path: str) -> Evidence[Container]:
    begun = tools.clock.monotonic()
    try:
        body = await tools.cluster.get(path)
    except ObjectGone:
        return Evidence(begun, value=Container(created=None))
    except ClusterError as error:
        return Evidence(begun, failure=CloudUnavailable(str(error)))
    metadata = body["metadata"]
    created, deleted = metadata["creationTimestamp"], metadata.get("deletionTimestamp")
    read = Container(datetime.fromisoformat(created), datetime.fromisoformat(deleted) if deleted else None)
    return Evidence(begun, value=read)


async def _call(tools: Tools, account: Account, question: Callable[[ModelArts], Awaitable[Any]]) -> Evidence[Any]:
    begun = tools.clock.monotonic()

    async def ask(cloud: ModelArts) -> object:
        nonlocal begun
        # Waiting for a slot is no looking: what was asked for meanwhile is answered, too.
        begun = tools.clock.monotonic()
        return await question(cloud)

    try:
        value = await tools.clouds.call(account, ask)
    except (CloudError, CredentialsUnavailable) as failure:
        # A copy has no traceback: that would keep the call and its answer for as long as the evidence stands.
        return Evidence(begun, failure=copy(failure))
    return Evidence(begun, value=value)


def _question(fact: Fact, identity: Identity) -> Callable[[ModelArts], Awaitable[Any]]:
    resource_pool, node_pool = identity.pool_name, identity.node_pool_name

    async def ask(cloud: ModelArts) -> object:
        match fact:
            case Fact.NODE_POOL:
                return await cloud.show_node_pool(resource_pool, node_pool)
            case Fact.RESOURCE_POOL:
                return await cloud.show_pool(resource_pool)
            case Fact.RESOURCE_POOLS:
                return await cloud.list_pools(identity.workspace)
            case Fact.NODES:
                return tuple(await cloud.list_node_pool_nodes(resource_pool, node_pool))
            case _:
                return await cloud.list_node_pools(resource_pool)

    return ask
