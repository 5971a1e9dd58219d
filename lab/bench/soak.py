"""Steady churn for a while: objects come, are mirrored and deleted, the cloud fails now and then.

Nothing may grow. `python -m lab.bench soak` calls it.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import median

from lab.bench import counting
from lab.bench.api import at_once
from lab.bench.calls import DELETE, LIST
from lab.bench.counting import Key, Tally
from lab.bench.scale import Place, Scale
from lab.bench.stage import Pace, Say, Stage, standing
from lab.controlplane import Binaries
from lab.harness.api import NODE_POOLS, Body
from lab.harness.failures import LabError
from lab.storm.judges import describe
from lab.storm.on_call import needs_a_person

# By share of the middle third's median, and so much in any case: an allocator and a pool of connections breathe.
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "memory_mib": (0.03, 2.0),
    "threads": (0.0, 2.0),
    "files": (0.0, 4.0),
    "sockets": (0.0, 4.0),
    "objects": (0.05, 5.0),
}
LEAST_SAMPLES = 9


@dataclass(frozen=True, slots=True)
class Level:
    """Medians of the middle and of the last third of the time. The first third is for warming up."""

    what: str
    middle: float
    last: float

    @property
    def allowed(self) -> float:
        """The most that the last third may show."""
        share, extra = TOLERANCES[self.what]
        return self.middle * (1 + share) + extra

    @property
    def is_flat(self) -> bool:
        """Whether it has not grown."""
        return self.last <= self.allowed


def levels(samples: Sequence[Mapping[str, float]]) -> list[Level]:
    """Of everything that was sampled every time. Raises ValueError for too few samples."""
    if len(samples) < LEAST_SAMPLES:
        raise ValueError(f"{len(samples)} samples are too few to judge: soak for longer")
    third = len(samples) // 3
    known = [what for what in TOLERANCES if all(what in sample for sample in samples)]
    return [
        Level(
            what,
            median(sample[what] for sample in samples[third : 2 * third]),
            median(sample[what] for sample in samples[2 * third :]),
        )
        for what in known
    ]


# An unknown outcome is looked at for two minutes before the DELETE is sent again.
END_SECONDS = 420.0
LOOK_SECONDS = 5.0
MOST_TOLD = 5


async def clear(stage: Stage) -> None:
    """All objects are deleted and go, those whose DELETE had an unknown outcome included."""
    stage.say("deleting everything that is left")
    left = await _living(stage)
    await at_once(stage.api.delete_object, left)
    deadline = time.monotonic() + END_SECONDS
    asked: set[str] = set()
    while objects := await stage.api.items(NODE_POOLS):
        stage.operator.look()
        if time.monotonic() > deadline:
            for body in objects[:MOST_TOLD]:
                stage.say(f"{body['metadata']['namespace']}/{body['metadata']['name']}: {describe(body)}")
            raise LabError(f"{len(objects)} objects are not gone {END_SECONDS:g} s after the churn has ended.")
        await _help(stage, objects, asked)
        await asyncio.sleep(LOOK_SECONDS)
    if asked:
        stage.say(f"{len(asked)} refused DELETEs were tried again by hand, as their messages say")


async def _help(stage: Stage, objects: Iterable[Body], asked: set[str]) -> None:
    """As a person on call does: a DELETE that was refused twice would wait for ten minutes, by design."""
    places = {(place.namespace, place.name): place for place in stage.scale.places()}
    for body in filter(needs_a_person, objects):
        key = body["metadata"]["namespace"], body["metadata"]["name"]
        value = f"{body['metadata']['uid']}-{body['status']['deletion']['attempt']}"
        if value not in asked:
            asked.add(value)
            await stage.api.reconcile_now(places[key], value)


async def _living(stage: Stage) -> Sequence[Place]:
    names = {
        (body["metadata"]["namespace"], body["metadata"]["name"])
        for body in await stage.api.items(NODE_POOLS)
        if "deletionTimestamp" not in body["metadata"]
    }
    return [place for place in stage.scale.places() if (place.namespace, place.name) in names]


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
    # Those that the operator holds: one that it does not forget would be left here.
    sample["objects"] = (await asyncio.to_thread(stage.operator.metrics)).value("objects")
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
