"""What a run does to the operator, phase by phase, and the figures that each phase gives.

Create, do nothing, restart, delete some, delete all. run.py calls them in this order.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from lab.bench import counting
from lab.bench.api import at_once
from lab.bench.calls import LIST, Call, since
from lab.bench.counting import Key, Tally, percentile
from lab.bench.figures import Figures
from lab.bench.scale import Place
from lab.bench.stage import Stage
from lab.controlplane import AuditLog
from lab.harness.api import NODE_POOLS
from lab.harness.failures import LabError
from modelarts_nodepool.api.names import NODE_POOL_PLURAL

CALM_SECONDS = 5.0
CALM_WITHIN_SECONDS = 120.0
_LOOK_SECONDS = 0.2


async def create(stage: Stage) -> Figures:
    """Create all objects at once, and wait until all are mirrored."""
    scale, base = stage.scale, stage.operator.look()
    began, began_utc = time.time(), datetime.now(UTC)
    tally = Tally(stage.plane.audit, counting.status_written)
    creating = asyncio.create_task(at_once(stage.api.create_object, scale.places()))
    try:
        await until_all(stage, lambda: len(tally.look()), "mirrored")
    finally:
        creating.cancel()
        await asyncio.gather(creating, return_exceptions=True)
    after = stage.operator.look()
    audit, everybody = stage.audit(), stage.plane.audit().since(began_utc)
    created = [event.time.timestamp() for event in everybody.on(NODE_POOL_PLURAL) if event.verb == "create"]
    seconds = max(counting.status_written(audit).values()) - began
    await until_calm(stage, CALM_SECONDS, CALM_WITHIN_SECONDS)
    await _check_mirrored(stage)
    by_object = counting.writes_by_object(stage.audit())
    return {
        "memory_base_mib": base.memory_mib,
        "create_seconds": max(created) - began,
        "mirrored_seconds": seconds,
        "create_writes_a_second": len(everybody.writes()) / seconds,
        "create_cpu_seconds": after.cpu_seconds - base.cpu_seconds,
        "writes_per_object": by_object.total() / scale.objects,
        "writes_of_one_object": max(by_object.values()),
        "events_on_creation": counting.writes_by_resource(stage.audit())["events"],
        "calls_per_object": len(since(await stage.cloud.read(), began)) / scale.objects,
    }


async def _check_mirrored(stage: Stage) -> None:
    """Each status shows what the cloud has: figures of an operator that does nothing would be excellent."""
    objects = await stage.api.items(NODE_POOLS)
    wrong = [body["metadata"]["name"] for body in objects if body.get("status", {}).get("counts") != _EXPECTED]
    if wrong or len(objects) != stage.scale.objects:
        raise LabError(f"{len(objects)} objects are there, of which {len(wrong)} are not mirrored: {wrong[:3]}.")


_EXPECTED = {"creating": 0, "available": 2, "abnormal": 0, "deleting": 0}


async def idle(stage: Stage) -> Figures:
    """Nothing changes for two poll intervals."""
    window = 2.0 * stage.pace.poll
    stage.say(f"idle for {window:g} s")
    before, began, began_utc = stage.operator.look(), time.time(), datetime.now(UTC)
    cycle_began = began
    while (now := time.time()) < began + window:
        # A little less than an interval: each resource pool is looked at once in it, at most.
        cycle_began = now if now < began + window - 0.98 * stage.pace.poll else cycle_began
        await asyncio.sleep(_LOOK_SECONDS)
        stage.operator.look()
    after, took = stage.operator.look(), time.time() - began
    calls = [call for call in since(await stage.cloud.read(), began) if call.time < began + took]
    asked = counting.operations(calls)
    _check_all_are_polled(stage, calls)
    return {
        "idle_cpu_percent": (after.cpu_seconds - before.cpu_seconds) / took * 100,
        "idle_writes": len(stage.audit().since(began_utc).writes()),
        "calls_per_cycle": len(since(calls, cycle_began)),
        "idle_gets": asked.total() - asked[LIST],
        "memory_idle_mib": after.memory_mib,
    }


def _check_all_are_polled(stage: Stage, calls: Sequence[Call]) -> None:
    missing = set(stage.scale.resource_pool_names) - {call.resource_pool for call in calls}
    if missing:
        raise LabError(
            f"{len(missing)} resource pools were not looked at in two poll intervals: {sorted(missing)[:3]}."
        )


async def restart(stage: Stage) -> Figures:
    """SIGTERM and start again: everything is listed and looked at anew, and nothing is written."""
    stage.say("restarting the operator")
    exit_seconds = await stage.operator.terminate()
    began, began_utc = time.time(), datetime.now(UTC)
    ready_seconds = await stage.operator.start()
    deadline = time.monotonic() + CALM_WITHIN_SECONDS
    while {call.resource_pool for call in since(await stage.cloud.read(), began)} != set(
        stage.scale.resource_pool_names
    ):
        if time.monotonic() > deadline:
            raise LabError("Not every resource pool was looked at after a restart.")
        await asyncio.sleep(_LOOK_SECONDS)
    await until_calm(stage, CALM_SECONDS, CALM_WITHIN_SECONDS)
    written = stage.audit().since(began_utc).writes()
    return {"exit_seconds": exit_seconds, "ready_seconds": ready_seconds, "restart_writes": len(written)}


PAUSE_SECONDS = 0.25
MILLISECONDS = 1000
# The write-ahead, the nodes that turn from available to deleting, the finalizer.
PATCHES = 3


def samples_of(stage: Stage) -> list[Place]:
    """The objects that are deleted one by one; neighbours are in different resource pools."""
    return [stage.scale.place(number) for number in range(stage.scale.samples)]


async def delete_some(stage: Stage) -> Figures:
    """Delete some objects one after the other while all resource pools are polled."""
    places = samples_of(stage)
    stage.say(f"deleting {len(places)} objects one by one")
    gone, began = Tally(stage.plane.audit, counting.let_go), datetime.now(UTC)
    for place in places:
        await stage.api.delete_object(place)
        await asyncio.sleep(PAUSE_SECONDS)
    await _until_gone(stage, gone, {(place.namespace, place.name) for place in places})
    deleted = counting.deleted_at(stage.plane.audit().since(began))
    calls = since(await stage.cloud.read(), began.timestamp())
    first = counting.first_calls(deleted, places, calls)
    sent = counting.delete_calls(deleted, places, calls)
    if min(len(first), len(sent)) < len(places):
        raise LabError(f"{len(places)} objects were deleted and {len(sent)} DELETEs were sent.")
    return {
        "first_call_p50_ms": percentile(first, 0.5) * MILLISECONDS,
        "first_call_p99_ms": percentile(first, 0.99) * MILLISECONDS,
        "delete_call_p50_ms": percentile(sent, 0.5) * MILLISECONDS,
        "delete_call_p99_ms": percentile(sent, 0.99) * MILLISECONDS,
    }


async def delete_all(stage: Stage) -> Figures:
    """Delete all that are left at once, wait until all are gone, and count what the deletions have cost."""
    done = {(place.namespace, place.name) for place in samples_of(stage)}
    left = [place for place in stage.scale.places() if (place.namespace, place.name) not in done]
    stage.say(f"deleting {len(left)} objects at once")
    before, others, began = stage.operator.look(), stage.cpu_seconds(), datetime.now(UTC)
    tally = Tally(stage.plane.audit, counting.let_go)
    deleting = asyncio.create_task(at_once(stage.api.delete_object, left))
    try:
        await _until_gone(stage, tally, {(place.namespace, place.name) for place in left}, deleting)
    finally:
        deleting.cancel()
        await asyncio.gather(deleting, return_exceptions=True)
    after, others_after = stage.operator.look(), stage.cpu_seconds()
    everybody = stage.plane.audit().since(began)
    gone = max(tally.look().values()) - began.timestamp()
    deleted = counting.deleted_at(everybody)
    if objects := await stage.api.items(NODE_POOLS):
        raise LabError(f"{len(objects)} objects are still there after all have been let go.")
    return {
        "delete_seconds": max(deleted.values()).timestamp() - began.timestamp(),
        "gone_seconds": gone,
        "delete_writes_a_second": len(everybody.writes()) / gone,
        "delete_cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "delete_others_cpu_seconds": sum(others_after.values()) - sum(others.values()),
    }


async def deletions(stage: Stage) -> Figures:
    """What all deletions of the run have cost together; waits for nothing."""
    deleted = counting.deleted_at(stage.plane.audit())
    audit = stage.audit().since(min(deleted.values()))
    calls = since(await stage.cloud.read(), min(deleted.values()).timestamp())
    seconds = max(counting.let_go(audit).values()) - min(deleted.values()).timestamp()
    (worst, count), *_ = counting.writes_by_object(audit).most_common(1)
    if count > PATCHES:
        stage.say(f"{worst[1]} was patched {count} times: {', '.join(counting.write_words(audit, worst))}")
    return _costs(audit, calls, seconds, len(deleted))


def _costs(audit: AuditLog, calls: list[Call], seconds: float, deletions: int) -> Figures:
    patches = counting.writes_by_object(audit)
    return {
        "patches_per_deletion": patches.total() / deletions,
        "patches_of_one_deletion": max(patches.values()),
        "events_per_deletion": counting.writes_by_resource(audit)["events"] / deletions,
        "account_writes_a_second": max(counting.account_writes(audit).values(), default=0) / seconds,
        "reads_per_deletion": len(audit.where(lambda event: event.verb == "get")) / deletions,
        "calls_per_deletion": len(calls) / deletions,
        "duplicate_deletes": counting.duplicates(calls),
    }


async def _until_gone(
    stage: Stage, tally: Tally, wanted: Collection[Key], work: "asyncio.Task[None] | None" = None
) -> None:
    """Until our finalizer has left all of them; a failure of the work ends it."""
    others = stage.scale.objects - len(wanted)

    def count() -> int:
        if work is not None and work.done():
            work.result()
        return others + len(tally.look().keys() & wanted)

    await until_all(stage, count, "gone")


LOOK_SECONDS = 0.5
TELL_SECONDS = 10.0
# The API server does more than a hundred writes a second even on a busy machine; an object costs up to six.
SECONDS_AN_OBJECT = 0.2
LEAST_SECONDS = 120.0


async def until_all(stage: Stage, count: Callable[[], int], what: str) -> None:
    """Until the count is that of all objects; raises when the operator has ended or time is up."""
    began = told = time.monotonic()
    limit = LEAST_SECONDS + stage.scale.objects * SECONDS_AN_OBJECT
    while (done := count()) < stage.scale.objects:
        stage.operator.look()
        stage.plane.raise_if_ended()
        now = time.monotonic()
        if now - began > limit:
            raise LabError(f"Only {done} of {stage.scale.objects} objects {what} within {limit:g} s.")
        if now - told > TELL_SECONDS:
            told = now
            stage.say(f"{done} of {stage.scale.objects} {what}")
        await asyncio.sleep(LOOK_SECONDS)


async def until_calm(stage: Stage, seconds: float, within: float) -> None:
    """Until the operator has written nothing for so long."""
    deadline = time.monotonic() + within
    last, since = -1, time.monotonic()
    while time.monotonic() - since < seconds:
        written = len(stage.audit().writes())
        if written != last:
            last, since = written, time.monotonic()
        if time.monotonic() > deadline:
            raise LabError(f"The operator still writes after {within:g} s in which nothing has changed.")
        await asyncio.sleep(LOOK_SECONDS)
