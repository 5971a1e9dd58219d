"""The end of a soak: everything that is left is deleted and goes, and what does not is told with its reason.

Called by soak.py behind the churn, when the cloud fails no more.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence

from lab.bench.api import at_once
from lab.bench.scale import Place
from lab.bench.stage import Stage
from lab.harness.api import NODE_POOLS, Body
from lab.harness.failures import LabError
from lab.storm.ending import describe
from lab.storm.mending import needs_a_person

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
            await stage.api.look_again(places[key], value)


async def _living(stage: Stage) -> Sequence[Place]:
    names = {
        (body["metadata"]["namespace"], body["metadata"]["name"])
        for body in await stage.api.items(NODE_POOLS)
        if "deletionTimestamp" not in body["metadata"]
    }
    return [place for place in stage.scale.places() if (place.namespace, place.name) in names]
