"""The demo from the empty folder to the empty folder: sets up, tells the story, stops everything, checks that.

command.py calls `perform`. However it ends, nothing is left but, after a failure, a folder with the logs.
"""

import asyncio
import json
import os
import shlex
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.controlplane import Binaries, ControlPlane, ControlPlaneError
from lab.controlplane.child import last_lines
from lab.demo.objects import row_of
from lab.demo.samples import BROKEN, NAMESPACE, RESOURCE_POOL, YEARLY, build_manifests, build_scenario
from lab.demo.screen import Screen
from lab.demo.stage import Stage
from lab.demo.story import CHAPTERS
from lab.harness.failures import LabError, NotYetError
from lab.harness.interrupts import Interrupts
from lab.harness.simulator import CloudControl, read_hello, start_simulator
from lab.harness.workspace import Workspace, keep_logs, make_folder, remove_folder, require_nothing_left

LOG_LINES = 12
HELLO = ("region", "projectId", "accessKey", "secretKey")


@dataclass
class Trace(Workspace):
    """And what is worth keeping after a failure."""

    dumps: dict[str, str] = field(default_factory=dict)


async def perform(screen: Screen, binaries: Binaries, shipped: Mapping[str, Path], *, keep: bool) -> bool:
    """Whether everything happened as described. Cancelled by a signal, it stops everything first."""
    interrupts = Interrupts(on_signal=lambda: screen.tell("stopping everything"))
    trace = Trace(make_folder("demo"))
    kept: Path | None = None
    try:
        async with _standing(screen, binaries, shipped, trace) as stage:
            await _tell(stage, trace, interrupts, keep=keep)
    except (LabError, ControlPlaneError) as error:
        kept = keep_logs("demo-failed", trace.folder, trace.dumps)
        screen.failed(_explain(f"{error}\nIt happened in: {screen.part}", trace.folder, kept))
    finally:
        interrupts.ignore()
        remove_folder(trace.folder)
        _require_nothing_left(screen, trace, kept)
    return kept is None


@asynccontextmanager
async def _standing(
    screen: Screen, binaries: Binaries, shipped: Mapping[str, Path], trace: Trace
) -> AsyncIterator[Stage]:
    """Control plane and simulator run while the block does, and the operator once it is started."""
    async with AsyncExitStack() as stack:
        with screen.waiting("starting etcd, kube-apiserver and kube-controller-manager", is_long=True):
            starting = ControlPlane.start(trace.folder / "control-plane", binaries)
            plane = await stack.enter_async_context(starting)
        trace.pids, trace.server = plane.pids, plane.server
        screen.verified(f"Kubernetes {plane.version}: etcd, kube-apiserver, kube-controller-manager, on {plane.server}")
        stage = Stage(screen, trace.folder, plane, start_simulator(trace.folder, build_scenario()))
        stack.push_async_callback(asyncio.to_thread, stage.stop_programs)
        trace.pids |= stage.pids
        hello = stage.hello = await stage.until("the simulator serves", lambda: _require_hello(stage))
        stage.cloud = await stack.enter_async_context(CloudControl(hello["endpoint"]))
        screen.verified(f"a simulated ModelArts {hello['region']} on {hello['endpoint']}; it verifies every signature")
        fill_work_folder(
            stage.work,
            shipped,
            build_manifests(*(hello[key] for key in HELLO)),
        )
        screen.note("a temporary folder, a kubeconfig of its own, loopback only: your kube contexts are not touched")
        yield stage


async def _tell(stage: Stage, trace: Trace, interrupts: Interrupts, *, keep: bool) -> None:
    try:
        for chapter in CHAPTERS:
            await chapter(stage)
        if keep:
            explain_keeping(stage)
            await stage.guarded("waiting for Ctrl-C", interrupts.expected(), bound_seconds=float("inf"))
    except (LabError, ControlPlaneError):
        trace.dumps = await _dump(stage)
        raise
    finally:
        interrupts.ignore()
        trace.pids |= stage.pids


async def _dump(stage: Stage) -> dict[str, str]:
    """What the API server and the simulator hold, as far as they still answer."""
    dumps: dict[str, str] = {}
    try:
        objects = await stage.plane.kubectl(
            "get", "manp,maacct,events", "-A", "-o", "yaml", "--request-timeout=5s", check=False
        )
        dumps["objects.yaml"] = objects.stdout or objects.stderr
        calls = await stage.cloud.calls()
        dumps["cloud-calls.txt"] = "\n".join("  ".join(row_of(call)) for call in calls)
    except (LabError, ControlPlaneError) as error:
        dumps["not-answered.txt"] = str(error)
    return dumps


def _explain(message: str, folder: Path, kept: Path) -> str:
    """The message, the end of the operator's log where it is not in there already, and where the rest is."""
    log = kept / "operator.log"
    parts = [message.replace(". The end of ", ".\nThe end of ", 1)]
    if log.exists() and "operator.log" not in message:
        parts.append(f"The end of the operator's log:\n{last_lines(log, LOG_LINES)}")
    parts.append(f"All logs, and what the API server and the cloud held: {kept}")
    return "\n".join(parts).replace(str(folder / "control-plane"), str(kept)).replace(str(folder), str(kept))


def _require_nothing_left(screen: Screen, trace: Trace, kept: Path | None) -> None:
    require_nothing_left("demo", trace)
    screen.heading("Everything stopped, nothing left" if kept is None else "Everything stopped, the logs are kept")
    if trace.pids:
        screen.verified(f"no process is left of {', '.join(trace.pids)}")
    screen.verified("the temporary folder is removed; no kubeconfig of yours names the demo's API server")


async def _require_hello(stage: Stage) -> dict[str, str]:
    hello = read_hello(stage.simulator)
    if hello is None:
        raise NotYetError("it has not said where it serves")
    return hello


def fill_work_folder(work: Path, shipped: Mapping[str, Path], files: Mapping[str, str]) -> None:
    """What kubectl applies, in a folder of its own, so that the commands name short relative paths."""
    work.mkdir(mode=0o700)
    for name, source in shipped.items():
        shutil.copytree(source, work / name)
    for name, text in files.items():
        target = work / name
        target.parent.mkdir(exist_ok=True)
        # Some of them hold a key.
        target.touch(mode=0o600)
        target.write_text(text, encoding="utf-8")


def explain_keeping(stage: Stage) -> None:
    """Print how to use what runs."""
    screen, state = stage.screen, f"{stage.cloud.endpoint}/_simulator/state"
    screen.heading("Everything goes on running until Ctrl-C")
    screen.say("In another terminal, look at the cluster and use it:")
    screen.command("export", shlex.quote(f"KUBECONFIG={stage.plane.kubeconfig}"))
    kubectl = _kubectl(stage)
    screen.command(kubectl, "get", "manp", "-n", NAMESPACE, "-w")
    screen.command(kubectl, "describe", "manp", YEARLY, "-n", NAMESPACE)
    screen.command("cd", shlex.quote(str(stage.work)), "&&", "ls", "-R")
    screen.say("Change the simulated cloud, and read what reached it:")
    screen.command("curl", "-s", state)
    broken = {"resourcePools": {RESOURCE_POOL: {"nodePools": {BROKEN: {"states": {"available": 0, "abnormal": 2}}}}}}
    screen.command("curl", "-s", "-X", "PATCH", state, "-d", shlex.quote(json.dumps(broken, separators=(",", ":"))))
    screen.command("curl", "-s", f"{stage.cloud.endpoint}/_simulator/requests")
    screen.say("Look at the operator:")
    url = stage.operator.url if stage.operator is not None else ""
    screen.command("curl", "-s", f"{url}/readyz")
    screen.command("tail", "-f", shlex.quote(str(stage.folder / "operator.log")))


def _kubectl(stage: Stage) -> str:
    """The command that finds the kubectl of the demo."""
    binary = stage.plane.binaries.kubectl
    return (
        "kubectl" if shutil.which("kubectl", path=os.environ.get("PATH")) == str(binary) else shlex.quote(str(binary))
    )
