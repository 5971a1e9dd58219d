"""Creating, doing nothing, restarting: what a run does to the operator first, and the figures that each phase gives.

run.py calls them in this order, then those of deleting.py.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from lab.bench import counting
from lab.bench.api import at_once
from lab.bench.calls import LIST, Call, since
from lab.bench.figures import Figures
from lab.bench.stage import Stage
from lab.bench.tally import Tally
from lab.bench.waiting import until_all, until_calm
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
