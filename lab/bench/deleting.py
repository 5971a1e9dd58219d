"""Deleting some objects one by one, then all the others at once: the last phases of a run, and their figures."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime

from lab.bench import counting
from lab.bench.api import at_once
from lab.bench.calls import Call, since
from lab.bench.counting import Key, percentile
from lab.bench.figures import Figures
from lab.bench.scale import Place
from lab.bench.stage import Stage
from lab.bench.tally import Tally
from lab.bench.waiting import until_all
from lab.controlplane import AuditLog
from lab.harness.api import NODE_POOLS
from lab.harness.failures import LabError

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
