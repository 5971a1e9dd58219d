"""Steady churn for a while: objects come, are mirrored and deleted, the cloud fails now and then.

Nothing may grow. `python -m lab.bench soak` calls it.
"""

import asyncio
import itertools
import time
from collections import deque
from dataclasses import asdict
from datetime import UTC, datetime

from lab.bench import counting
from lab.bench.api import at_once
from lab.bench.calls import DELETE, LIST
from lab.bench.clearing import clear
from lab.bench.counting import Key
from lab.bench.flatness import Level, levels
from lab.bench.scale import Place, Scale
from lab.bench.stage import Pace, Say, Stage, standing
from lab.bench.tally import Tally
from lab.controlplane import Binaries

OBJECTS = 300
PACE = Pace(poll=5, active_poll=1, deleting=1.0)
DELETIONS_A_SECOND = 3
SAMPLE_SECONDS = 5.0
TELL_EVERY = 12
FAULT_SECONDS = 10.0
# What an operation is answered, and how often in a row. An unknown outcome is looked at for two minutes.
FAULTS = (
    (LIST, 500, 2),
    ("show_pool", 503, 1),
    (DELETE, 409, 1),
    (LIST, 429, 1),
    ("show_node_pool", 502, 2),
    (DELETE, 500, 1),
)

Samples = list[dict[str, float]]


async def soak(minutes: float, binaries: Binaries, say: Say) -> bool:
    """Whether everything stayed flat, and everything ended well."""
    async with standing(Scale(OBJECTS), PACE, binaries, say) as stage:
        await at_once(stage.api.create_object, stage.scale.places())
        samples = await _churn_for(stage, minutes * 60)
        await clear(stage)
        found, errors = levels(samples), stage.operator.errors()
        deleted = sum(call.operation == DELETE for call in await stage.cloud.read())
        say(f"{deleted} DELETEs, {len(stage.audit().writes())} writes")
        await stage.operator.terminate()
    for level in found:
        say(_words(level))
    for line in errors[:5]:
        say(f"the operator logged an error: {line}")
    return not errors and all(level.is_flat for level in found)


def _words(level: Level) -> str:
    verdict = "flat" if level.is_flat else "GROWING"
    return f"{level.what:<11} {level.middle:7.1f} → {level.last:7.1f}  (at most {level.allowed:.1f})  {verdict}"


async def _churn_for(stage: Stage, seconds: float) -> Samples:
    samples: Samples = []
    churning = [
        asyncio.create_task(_churn(stage), name="churn"),
        asyncio.create_task(_fail(stage), name="faults"),
    ]
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await asyncio.sleep(SAMPLE_SECONDS)
            samples.append(await _sample(stage))
            for task in churning:
                if task.done():
                    task.result()
            if len(samples) % TELL_EVERY == 0:
                stage.say(", ".join(f"{what} {value:g}" for what, value in samples[-1].items()))
    finally:
        for task in churning:
            task.cancel()
        await asyncio.gather(*churning, return_exceptions=True)
    return samples


async def _sample(stage: Stage) -> dict[str, float]:
    sample = {what: round(value, 2) for what, value in asdict(stage.operator.look()).items()}
    sample["tasks"] = (await asyncio.to_thread(stage.operator.metrics)).value("tasks")
    return sample


async def _churn(stage: Stage) -> None:
    """Delete the oldest, and create what has gone again: object and node pool under the same names."""
    living, leaving = deque(stage.scale.places()), dict[Key, tuple[Place, datetime]]()
    tally = Tally(stage.plane.audit, counting.let_go)
    while True:
        began = time.monotonic()
        if living:
            place = living.popleft()
            leaving[place.namespace, place.name] = (place, datetime.now(UTC))
            await stage.api.delete_object(place)
        gone = tally.look()
        for key, (place, since) in tuple(leaving.items()):
            if gone.get(key, 0.0) > since.timestamp():
                del leaving[key]
                await stage.cloud.put_node_pool(place.resource_pool, place.name)
                await stage.api.create_object(place)
                living.append(place)
        await asyncio.sleep(max(0.0, 1 / DELETIONS_A_SECOND - (time.monotonic() - began)))


async def _fail(stage: Stage) -> None:
    for operation, status, times in itertools.cycle(FAULTS):
        await asyncio.sleep(FAULT_SECONDS)
        await stage.cloud.fail(operation, status, times)
