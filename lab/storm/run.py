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
from lab.harness.workspace import Workspace, keep_logs, private_workspace
from lab.storm.actions import Actions
from lab.storm.evidence import Evidence, Violation, gather
from lab.storm.judges import judge_ending, judge_releasing, judge_sending, judge_tidiness
from lab.storm.on_call import give_namespaces_back, reconcile_now
from lab.storm.report import Reporter, figures
from lab.storm.setup import Setup, set_up
from lab.storm.world import Plan

TELL_SECONDS = 5.0
# An unknown outcome is looked at for two minutes before anything is sent again.
SETTLE_SECONDS = 190.0
# A 409 is shown two minutes late: until then its DELETE may be in effect.
MEND_AFTER_SECONDS = (20.0, 75.0, 130.0)
LOOK_SECONDS = 1.0


async def perform(plan: Plan, reporter: Reporter, binaries: Binaries) -> bool:
    """Whether nothing was wrong. Cancelled by a signal, it stops everything first."""
    async with (
        private_workspace("storm", lambda: reporter.say("stopping everything")) as workspace,
        _standing(plan, reporter, binaries, workspace) as setup,
    ):
        evidence, violations = await _rage_and_judge(setup, reporter)
        workspace.pids |= setup.pids
        kept = _keep(workspace.folder, evidence) if violations else None
    reporter.violations(violations, evidence)
    reporter.say(figures(evidence))
    if kept is not None:
        reporter.say(f"{len(violations)} violation(s); logs, objects and plan are kept in {kept}", "bold red")
    return kept is None


@asynccontextmanager
async def _standing(plan: Plan, reporter: Reporter, binaries: Binaries, workspace: Workspace) -> AsyncIterator[Setup]:
    """Everything runs while the block does."""
    async with AsyncExitStack() as stack:
        reporter.say("starting a control plane, the simulated cloud and the operator")
        plane = await stack.enter_async_context(ControlPlane.start(workspace.folder / "control-plane", binaries))
        workspace.pids, workspace.server = plane.pids, plane.server
        setup = Setup(plan, workspace.folder, plane)
        stack.push_async_callback(asyncio.to_thread, setup.stop)
        await set_up(setup, stack)
        workspace.pids |= setup.pids
        reporter.say(f"{len(setup.observer.last.objects)} objects are mirrored; the storm begins")
        yield setup


async def _rage_and_judge(setup: Setup, reporter: Reporter) -> tuple[Evidence, list[Violation]]:
    observer = asyncio.create_task(setup.observer.run(), name="observer")
    telling = asyncio.create_task(_tell(setup, reporter), name="telling")
    try:
        actions = Actions(setup.plan, setup.api, setup.cloud, setup.plane, setup.operators, setup.journal)
        await _beside(actions.run(), observer, telling)
        applied = await setup.cloud.applied_faults()
        await setup.cloud.clear_faults()
        setup.journal.note("cloud", "all faults stop")
        reporter.say(f"all faults stop; {applied} answers were faulty; now everything has to settle", "bold")
        await _beside(_settle(setup, reporter), observer, telling)
    finally:
        for task in (observer, telling):
            task.cancel()
        await asyncio.gather(observer, telling, return_exceptions=True)
    return await _judge(setup)


async def _judge(setup: Setup) -> tuple[Evidence, list[Violation]]:
    last = await setup.observer.look()
    evidence = await gather(
        setup.plan,
        setup.journal,
        last,
        api=setup.api,
        cloud=setup.cloud,
        plane=setup.plane,
        operators=setup.operators,
    )
    found = [
        *setup.observer.violations,
        *judge_sending(evidence),
        *judge_releasing(evidence),
        *judge_ending(setup.plan, last),
        *judge_tidiness(evidence),
    ]
    return evidence, list(dict.fromkeys(found))


async def _settle(setup: Setup, reporter: Reporter) -> None:
    """Until nothing is missing any more, or time is up."""
    began = time.monotonic()
    mends = list(MEND_AFTER_SECONDS)
    while time.monotonic() - began < SETTLE_SECONDS:
        snapshot = setup.observer.last
        if not judge_ending(setup.plan, snapshot) and not judge_ending(setup.plan, await setup.observer.look()):
            reporter.say(f"settled {time.monotonic() - began:.0f} s after the last fault", "bold")
            return
        if mends and time.monotonic() - began >= mends[0]:
            value = f"on-call-{len(mends)}"
            count = await reconcile_now(setup.plan, snapshot, setup.api, setup.journal, value)
            mends.pop(0)
            reporter.say(f"a person sets reconcile-at on {count} objects, as their messages say")
            if lost := await give_namespaces_back(snapshot, setup.api, setup.journal):
                reporter.say(f"a person creates {lost} namespace(s) again that Kubernetes ended too early")
        await asyncio.sleep(LOOK_SECONDS)
    reporter.say(f"not settled {SETTLE_SECONDS:g} s after the last fault", "bold red")


async def _tell(setup: Setup, reporter: Reporter) -> None:
    while True:
        await asyncio.sleep(TELL_SECONDS)
        reporter.say(await setup.observer.words())


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
