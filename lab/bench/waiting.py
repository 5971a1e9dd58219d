"""Waits for what the audit log will say, with progress for the person and a bound for everything."""

import asyncio
import time
from collections.abc import Callable

from lab.bench.stage import Stage
from lab.harness.failures import LabError

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
