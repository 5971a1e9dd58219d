"""One storm from the empty folder to the empty folder: sets up, lets it rage, waits, judges, takes everything down.

__main__.py calls `perform`. However it ends, nothing is left but, after a violation, a folder with the logs.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from lab.controlplane import Binaries, ControlPlane
from lab.harness.ground import Ground, keep_logs, private_ground
from lab.storm.acting import Acting
from lab.storm.ending import judge_ending
from lab.storm.evidence import Evidence, Violation
from lab.storm.gathering import gather
from lab.storm.ground import Plan
from lab.storm.mending import give_namespaces_back, look_again
from lab.storm.releasing import judge_releasing
from lab.storm.sending import judge_sending
from lab.storm.setting import Setting, set_up
from lab.storm.telling import Teller, figures
from lab.storm.tidiness import judge_tidiness

TELL_SECONDS = 5.0
# An unknown outcome is looked at for two minutes before anything is sent again.
SETTLE_SECONDS = 190.0
# A 409 is shown two minutes late: until then its DELETE may be in effect.
MEND_AFTER_SECONDS = (20.0, 75.0, 130.0)
LOOK_SECONDS = 1.0


async def perform(plan: Plan, teller: Teller, binaries: Binaries) -> bool:
    """Whether nothing was wrong. Cancelled by a signal, it stops everything first."""
    async with (
        private_ground("storm", lambda: teller.say("stopping everything")) as ground,
        _standing(plan, teller, binaries, ground) as setting,
    ):
        evidence, violations = await _rage_and_judge(setting, teller)
        ground.pids |= setting.pids
        kept = _keep(ground.folder, evidence) if violations else None
    teller.violations(violations, evidence)
    teller.say(figures(evidence))
    if kept is not None:
        teller.say(f"{len(violations)} violation(s); logs, objects and plan are kept in {kept}", "bold red")
    return kept is None


@asynccontextmanager
async def _standing(plan: Plan, teller: Teller, binaries: Binaries, ground: Ground) -> AsyncIterator[Setting]:
    """Everything runs while the block does."""
    async with AsyncExitStack() as stack:
        teller.say("starting a control plane, the simulated cloud and the operator")
        plane = await stack.enter_async_context(ControlPlane.start(ground.folder / "control-plane", binaries))
        ground.pids, ground.server = plane.pids, plane.server
        setting = Setting(plan, ground.folder, plane)
        stack.push_async_callback(asyncio.to_thread, setting.stop)
        await set_up(setting, stack)
        ground.pids |= setting.pids
        teller.say(f"{len(setting.watching.last.objects)} objects are mirrored; the storm begins")
        yield setting


async def _rage_and_judge(setting: Setting, teller: Teller) -> tuple[Evidence, list[Violation]]:
    watching = asyncio.create_task(setting.watching.run(), name="watching")
    telling = asyncio.create_task(_tell(setting, teller), name="telling")
    try:
        acting = Acting(setting.plan, setting.api, setting.cloud, setting.plane, setting.operators, setting.journal)
        await _beside(acting.run(), watching, telling)
        applied = await setting.cloud.applied_faults()
        await setting.cloud.clear_faults()
        setting.journal.note("cloud", "all faults stop")
        teller.say(f"all faults stop; {applied} answers were faulty; now everything has to settle", "bold")
        await _beside(_settle(setting, teller), watching, telling)
    finally:
        for task in (watching, telling):
            task.cancel()
        await asyncio.gather(watching, telling, return_exceptions=True)
    return await _judge(setting)


async def _judge(setting: Setting) -> tuple[Evidence, list[Violation]]:
    last = await setting.watching.look()
    evidence = await gather(
        setting.plan,
        setting.journal,
        last,
        api=setting.api,
        cloud=setting.cloud,
        plane=setting.plane,
        operators=setting.operators,
    )
    found = [
        *setting.watching.violations,
        *judge_sending(evidence),
        *judge_releasing(evidence),
        *judge_ending(setting.plan, last),
        *judge_tidiness(evidence),
    ]
    return evidence, list(dict.fromkeys(found))


async def _settle(setting: Setting, teller: Teller) -> None:
    """Until nothing is missing any more, or time is up."""
    began = time.monotonic()
    mends = list(MEND_AFTER_SECONDS)
    while time.monotonic() - began < SETTLE_SECONDS:
        snapshot = setting.watching.last
        if not judge_ending(setting.plan, snapshot) and not judge_ending(setting.plan, await setting.watching.look()):
            teller.say(f"settled {time.monotonic() - began:.0f} s after the last fault", "bold")
            return
        if mends and time.monotonic() - began >= mends[0]:
            value = f"on-call-{len(mends)}"
            count = await look_again(setting.plan, snapshot, setting.api, setting.journal, value)
            mends.pop(0)
            teller.say(f"a person sets reconcile-at on {count} objects, as their messages say")
            if lost := await give_namespaces_back(snapshot, setting.api, setting.journal):
                teller.say(f"a person creates {lost} namespace(s) again that Kubernetes ended too early")
        await asyncio.sleep(LOOK_SECONDS)
    teller.say(f"not settled {SETTLE_SECONDS:g} s after the last fault", "bold red")


async def _tell(setting: Setting, teller: Teller) -> None:
    while True:
        await asyncio.sleep(TELL_SECONDS)
        teller.say(await setting.watching.words())


async def _beside(work: Coroutine[Any, Any, None], *others: "asyncio.Task[None]") -> None:
    """Await the work; when one of the others fails meanwhile, that is the error."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task, *others], return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            if other.done():
                other.result()
        await task
    except ExceptionGroup as group:
        # One reason is enough for a person; the others mostly follow from it.
        raise group.exceptions[0] from group
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _keep(folder: Path, evidence: Evidence) -> Path:
    """Copy the logs, and nothing that holds a key, to a folder that stays."""
    texts = {name: evidence.texts[name] for name in ("objects.yaml", "events.json")}
    lines = [f"{entry.time:.3f} {entry.target}: {entry.text}" for entry in evidence.journal.entries]
    plan = [f"{each.at:6.1f} s  {each.verb} {each.target} {dict(each.details)}" for each in evidence.plan.happenings]
    texts |= {"journal.txt": "\n".join(lines), "plan.txt": "\n".join(plan)}
    return keep_logs(f"storm-seed-{evidence.plan.seed}", folder, texts)
