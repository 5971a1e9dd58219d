"""How much of the package one deletion runs through, and one poll that changes counts: files, functions, returns.

`python -m lab.bench path` calls it. A return is a move to a file that was left before. What a reader has to read is not
to creep back: the bounds are at the end.
"""

import asyncio
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from lab.bench import counting
from lab.bench.api import at_once
from lab.bench.phases import until_calm
from lab.bench.programs import MeasuredOperator
from lab.bench.scale import Place, Scale
from lab.bench.stage import Pace, Say, Stage, standing
from lab.controlplane import AuditLog, Binaries
from lab.harness.api import NODE_POOLS
from lab.harness.failures import LabError
from lab.harness.operator import OURSELVES
from lab.harness.waiting import until

OBJECTS = 10
WITHIN_SECONDS = 120.0
CALM_SECONDS = 3.0
EVENTS = 2  # DeleteAccepted and NodePoolGone
_LOOK_SECONDS = 0.05
_STEPS_SHOWN = 40
Profile = dict[str, Any]


class ProfiledOperator(MeasuredOperator):
    """It runs behind lab/bench/profiled.py, which counts and is slow."""

    def __init__(self, folder: Path, kubeconfig: Path, endpoint: str) -> None:
        """`endpoint` is the stand-in cloud's URL."""
        super().__init__(folder, kubeconfig, endpoint)
        self._profile = folder / "profile.json"
        launcher = (sys.executable, "-m", "lab.bench.profiled", str(self._profile))
        self.command = [*launcher, *self.command[len(OURSELVES) :]]

    def begin_profile(self) -> None:
        """Count from now on."""
        self.send(signal.SIGUSR1)

    async def read_profile(self) -> Profile:
        """What was called since then."""
        self._profile.unlink(missing_ok=True)
        self.send(signal.SIGUSR2)
        await until(lambda: self._profile.exists() or None, WITHIN_SECONDS, "the operator has written its profile")
        found: Profile = json.loads(self._profile.read_text())
        return found


async def measure_path(binaries: Binaries, say: Say) -> dict[str, Profile]:
    """The profiles of one deletion and of one poll; the first of each in the process is not counted."""
    scale, pace = Scale(OBJECTS), Pace(poll=2, active_poll=1, deleting=3.0)
    async with standing(scale, pace, binaries, say, ProfiledOperator) as stage:
        await at_once(stage.api.create_object, scale.places())
        await _until_mirrored(stage, "available", {place.name for place in scale.places()})
        await until_calm(stage, CALM_SECONDS, WITHIN_SECONDS)
        found = {}
        for number in range(2):
            say(f"profiling deletion {number + 1} of 2")
            found["deletion"] = await _profile_deletion(stage, scale.place(number))
        for number in range(2, 4):
            say(f"profiling poll {number - 1} of 2")
            found["poll"] = await _profile_poll(stage, scale.place(number))
        return found


async def _profile_deletion(stage: Stage, place: Place) -> Profile:
    began, operator = datetime.now(UTC), cast("ProfiledOperator", stage.operator)
    operator.begin_profile()
    await stage.api.delete_object(place)
    await until(lambda: _is_reported(stage.audit().since(began)) or None, WITHIN_SECONDS, "the release is reported")
    return await operator.read_profile()


def _is_reported(audit: AuditLog) -> bool:
    """Whether the object is gone, and the Event about that is there: the operator's last step."""
    return bool(counting.let_go(audit)) and counting.writes_by_resource(audit)["events"] >= EVENTS


async def _profile_poll(stage: Stage, place: Place) -> Profile:
    operator = cast("ProfiledOperator", stage.operator)
    operator.begin_profile()
    await stage.cloud.delete_node_pool(place.resource_pool, place.name)
    await _until_mirrored(stage, "deleting", {place.name})
    return await operator.read_profile()


async def _until_mirrored(stage: Stage, state: str, names: set[str]) -> None:
    """Until the status of each of these objects shows nodes in this state."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:
            shown = {
                body["metadata"]["name"]
                for body in await stage.api.items(NODE_POOLS)
                if body.get("status", {}).get("counts", {}).get(state)
            }
            if names <= shown:
                return
            stage.operator.look()
            await asyncio.sleep(_LOOK_SECONDS)


def words_of(found: dict[str, Profile], *, in_detail: bool) -> str:
    """A line for each; in detail the files and functions of each, and the steps from file to file taken most often."""
    lines = [
        f"{what}: {one['files']} files, {one['functions']} functions, {one['returns']} returns to a file left before"
        for what, one in found.items()
    ]
    for what, one in found.items() if in_detail else ():
        lines.append(f"\n{what}: calls by file")
        lines += [f"  {calls:6} {file}" for file, calls in one["calls_by_file"].items()]
        lines.append(f"{what}: calls by function")
        lines += [f"  {calls:6} {function}" for function, calls in one["calls_by_function"].items()]
        lines.append(f"{what}: most frequent steps")
        lines += [f"  {count:6} {step}" for step, count in list(one["steps"].items())[:_STEPS_SHOWN]]
    return "\n".join(lines)


def check(found: dict[str, Profile]) -> None:
    """Raises where a bound is passed."""
    for what, bounds in BOUNDS.items():
        for figure, bound in bounds.items():
            if found[what][figure] > bound:
                raise LabError(f"A {what} runs through {found[what][figure]} {figure}, more than {bound}.")


BOUNDS = {
    "deletion": {"files": 52, "functions": 530, "returns": 1_900},
    "poll": {"files": 33},
}
