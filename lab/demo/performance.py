"""The demo from the empty folder to the empty folder: sets up, tells the story, stops everything, checks that.

command.py calls `perform`. However it ends, nothing is left but, after a failure, a folder with the logs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.controlplane import Binaries, ControlPlane, ControlPlaneError
from lab.controlplane.child import last_lines
from lab.demo.cloud import CloudView
from lab.demo.failures import DemoError
from lab.demo.folders import fill_work_folder, keep_logs, make_folder, remove_folder
from lab.demo.interrupts import Interrupts
from lab.demo.keeping import explain_keeping
from lab.demo.leftovers import find_leftovers
from lab.demo.programs import Hello, OperatorCommand, read_hello, start_simulator
from lab.demo.samples import build_manifests
from lab.demo.screen import Screen
from lab.demo.stage import Stage
from lab.demo.story import CHAPTERS

LOG_LINES = 12


@dataclass
class Trace:
    """What there must be nothing of in the end, and what is worth keeping after a failure."""

    folder: Path
    pids: dict[str, int] = field(default_factory=dict)
    server: str | None = None
    dumps: dict[str, str] = field(default_factory=dict)


async def perform(screen: Screen, binaries: Binaries, shipped: Mapping[str, Path], *, keep: bool) -> bool:
    """Whether everything happened as told. Cancelled by a signal, it stops everything first."""
    interrupts = Interrupts(on_signal=lambda: screen.tell("stopping everything"))
    trace = Trace(make_folder())
    kept: Path | None = None
    try:
        async with _standing(screen, binaries, shipped, trace) as stage:
            await _tell(stage, trace, interrupts, keep=keep)
    except (DemoError, ControlPlaneError) as error:
        kept = keep_logs(trace.folder, trace.dumps)
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
        stage = Stage(screen, trace.folder, plane, start_simulator(trace.folder))
        stack.push_async_callback(asyncio.to_thread, stage.stop_programs)
        trace.pids |= stage.pids
        hello = await stage.until("the simulator serves", _later(lambda: read_hello(stage.simulator)))
        stage.hello, stage.operator_command = hello, OperatorCommand.talking_to(hello)
        stage.cloud = await stack.enter_async_context(CloudView(hello.endpoint))
        screen.verified(f"a simulated ModelArts {hello.region} on {hello.endpoint}; it verifies every signature")
        fill_work_folder(stage.work, shipped, _manifests(hello))
        screen.note("a temporary folder, a kubeconfig of its own, loopback only: your kube contexts are not touched")
        yield stage


async def _tell(stage: Stage, trace: Trace, interrupts: Interrupts, *, keep: bool) -> None:
    try:
        for chapter in CHAPTERS:
            await chapter(stage)
        if keep:
            explain_keeping(stage)
            await stage.guarded("waiting for Ctrl-C", interrupts.expected(), bound_seconds=float("inf"))
    except (DemoError, ControlPlaneError):
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
        dumps["cloud-calls.txt"] = "\n".join("  ".join(call.row) for call in calls)
    except (DemoError, ControlPlaneError) as error:
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
    if left := find_leftovers(trace.pids, trace.folder, trace.server):
        raise DemoError(
            f"The demo should leave nothing behind, and this is left: {'; '.join(left)}. Remove it by hand."
        )
    screen.heading("Everything stopped, nothing left" if kept is None else "Everything stopped, the logs are kept")
    if trace.pids:
        screen.verified(f"no process is left of {', '.join(trace.pids)}")
    screen.verified("the temporary folder is removed; no kubeconfig of yours names the demo's API server")


def _manifests(hello: Hello) -> dict[str, str]:
    return build_manifests(hello.region, hello.project_id, hello.access_key, hello.secret_key)


def _later(look: Callable[[], Hello]) -> Callable[[], Awaitable[Hello]]:
    async def ask() -> Hello:
        return look()

    return ask
