"""The check of the operator's writes to node pool objects and accounts.

Doctor cannot ask the operator, which is another process. It checks for a missing finalizer, a status of an older
generation, a reason of a refused write, and webhooks that may refuse writes.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from modelarts_nodepool.api.names import ACCOUNT_FINALIZER, ACCOUNT_PLURAL, GROUP, NODE_POOL_FINALIZER
from modelarts_nodepool.api.names import NODE_POOL_PLURAL as NODE_POOLS
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.commands.doctor.check import ClusterContext, Finding, failed, not_checked, ok
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, ObjectGone
from modelarts_nodepool.kube import paths

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_WEBHOOKS = (f"{_ADMISSION}/validatingwebhookconfigurations", f"{_ADMISSION}/mutatingwebhookconfigurations")
# The operator needs milliseconds, or longer for an object that waits for the first poll of its resource pool.
_PATIENCE = timedelta(minutes=2)
_AGAIN = timedelta(seconds=3)
_NAMED = 5
_REFUSED = frozenset({Reason.NOT_PROTECTED, Reason.REFUSED_BY_API_SERVER, Reason.RELEASE_REFUSED})
_RESOURCES = frozenset({NODE_POOLS, ACCOUNT_PLURAL})

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One object in one version of its spec, and its problem, if any."""

    uid: str
    name: str
    generation: int
    problem: str


async def check_writes(context: ClusterContext) -> Finding:
    """Two LISTs, and two more after some seconds if there is a problem: a write may be in progress."""
    cluster = context.session.cluster
    try:
        seen = await _list_seen(context)
        if any(one.problem for one in seen):
            await asyncio.sleep(_AGAIN.total_seconds())
            before = {(one.uid, one.generation) for one in seen if one.problem}
            seen = [
                one if (one.uid, one.generation) in before else Seen(one.uid, one.name, one.generation, "")
                for one in await _list_seen(context)
            ]
    except ObjectGone:
        return not_checked("because the API server does not serve both kinds")
    suspects: set[str] = set()
    for path in _WEBHOOKS:
        try:
            for names in await cluster.list_as(path, stopping):
                suspects |= set(names)
        except ClusterError:
            # The operator itself has no permission to list them. Only the message uses them.
            continue
    return judge(seen, sorted(suspects))


def judge(seen: Iterable[Seen], suspects: Iterable[str]) -> Finding:
    """The finding for the objects and the webhooks that may stop writes. Pure."""
    objects = list(seen)
    wrong = [one for one in objects if one.problem]
    named = ", ".join(suspects)
    if not wrong:
        words = f"all {len(objects)} objects have the operator's finalizer and a status of their generation"
        return ok(f"{words}; these webhooks stop its writes while they are down: {named}" if named else words)
    shown = ", ".join(f"{one.name} ({one.problem})" for one in wrong[:_NAMED])
    more = ", …" if len(wrong) > _NAMED else ""
    words = f"{len(wrong)} of {len(objects)} objects: {shown}{more}"
    if named:
        words += f"; webhooks that stop writes while they are down: {named}"
    return failed(words, f"{remedies.show_admission()}   (see docs/operations/troubleshooting.md, NotProtected)")


def see(finalizer: str, now: datetime, body: Body) -> Seen:
    """The problem of one object. Pure."""
    metadata = body["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
    generation = metadata.get("generation") or 1
    return Seen(metadata["uid"], name, generation, _problem_of(body, finalizer, now))


def stopping(body: Body) -> list[str]:
    """The webhooks of a configuration that match our objects and whose failure refuses a write. Pure."""
    return [
        str(webhook.get("name"))
        for webhook in body.get("webhooks") or []
        if (webhook.get("failurePolicy") or "Fail") == "Fail"
        and any(_is_about_us(rule) for rule in webhook.get("rules") or [])
    ]


async def _list_seen(context: ClusterContext) -> list[Seen]:
    now, cluster = datetime.now(UTC), context.session.cluster
    node_pools = await cluster.list_as(paths.NODE_POOLS, partial(see, NODE_POOL_FINALIZER, now))
    return [*node_pools, *await cluster.list_as(paths.ACCOUNTS, partial(see, ACCOUNT_FINALIZER, now))]


def _problem_of(body: Body, finalizer: str, now: datetime) -> str:
    metadata, status = body["metadata"], body.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("status") != "Unknown" and condition.get("reason") in _REFUSED:
            return str(condition["reason"])
    if metadata.get("deletionTimestamp") or now - datetime.fromisoformat(metadata["creationTimestamp"]) < _PATIENCE:
        return ""
    if finalizer not in (metadata.get("finalizers") or ()):
        return "no finalizer"
    return "" if status.get("observedGeneration") == metadata.get("generation") else "old status"


def _is_about_us(rule: Body) -> bool:
    resources = {str(resource).partition("/")[0] for resource in rule.get("resources") or ()}
    return (
        not {"*", GROUP}.isdisjoint(rule.get("apiGroups") or ())
        and not ({"*"} | _RESOURCES).isdisjoint(resources)
        and not {"*", "UPDATE"}.isdisjoint(rule.get("operations") or ())
    )
