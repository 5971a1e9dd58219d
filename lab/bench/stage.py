"""Everything that runs during a bench or a soak: control plane, stand-in cloud, operator; set up and taken down.

One temporary folder, loopback only. However it ends, nothing is left.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from lab.bench.api import BenchApi
from lab.bench.calls import CloudLog
from lab.bench.counting import by_operator
from lab.bench.programs import MeasuredOperator, look_at, start_cloud
from lab.bench.scale import PROJECT_ID, REGION, Scale, namespace_of
from lab.controlplane import AuditLog, Binaries, ControlPlane
from lab.harness.api import ACCOUNTS, NAMESPACES, secrets_in
from lab.harness.objects import Body, build_account, build_secret
from lab.harness.operator import OPERATOR_NAMESPACE
from lab.harness.workspace import Workspace, install, private_workspace

GRACE_SECONDS = 3.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Intervals of the accounts, and how fast the cloud is; all in seconds."""

    poll: int = 60
    active_poll: int = 2
    latency: float = 0.02
    deleting: float = 2.0


@dataclass
class Stage:
    """What stands while phases run."""

    scale: Scale
    pace: Pace
    plane: ControlPlane
    api: BenchApi
    cloud: CloudLog
    operator: MeasuredOperator
    say: Say
    pids: dict[str, int] = field(default_factory=dict)

    def audit(self) -> AuditLog:
        """The operator's own requests until now, those for its Lease left out."""
        return by_operator(self.plane.audit())

    def cpu_seconds(self) -> dict[str, float]:
        """What each program has used since it was started, the operator left out; the load is our own."""
        used = {name: look_at(pid).cpu_seconds for name, pid in self.pids.items()}
        return {**used, "the load": time.process_time()}


@asynccontextmanager
async def standing(
    scale: Scale, pace: Pace, binaries: Binaries, say: Say, operator: type[MeasuredOperator] = MeasuredOperator
) -> AsyncIterator[Stage]:
    """A ready operator that has nothing to do yet; taken down behind the block, Ctrl-C included."""
    async with private_workspace("bench", lambda: say("stopping everything")) as workspace, AsyncExitStack() as stack:
        stage = await _set_up(stack, workspace, (scale, pace, say, operator), binaries)
        workspace.server, workspace.pids = stage.plane.server, stage.pids
        yield stage


async def _set_up(
    stack: AsyncExitStack,
    workspace: Workspace,
    what: tuple[Scale, Pace, Say, type[MeasuredOperator]],
    binaries: Binaries,
) -> Stage:
    scale, pace, say, build = what
    say("starting a control plane, the stand-in cloud and the operator")
    plane = await stack.enter_async_context(ControlPlane.start(workspace.folder / "control-plane", binaries))
    flags = ("--latency-ms", str(pace.latency * 1000), "--delete-seconds", str(pace.deleting))
    cloud, endpoint = await start_cloud(workspace.folder, scale.objects, *flags)
    stack.push_async_callback(asyncio.to_thread, cloud.stop, GRACE_SECONDS)
    kubeconfig = await install(plane)
    api = await stack.enter_async_context(BenchApi(plane))
    await _create_accounts(api, scale, pace)
    operator = build(workspace.folder, kubeconfig, endpoint)
    stack.push_async_callback(asyncio.to_thread, operator.end)
    await operator.start()
    pids = {**plane.pids, "the stand-in cloud": cloud.pid}
    return Stage(scale, pace, plane, api, CloudLog(endpoint), operator, say, pids)


async def _create_accounts(api: BenchApi, scale: Scale, pace: Pace) -> None:
    for name in scale.account_names:
        await api.create(NAMESPACES, {"metadata": {"name": namespace_of(name)}})
        secret = build_secret(name, accessKey=f"AK{name.upper()}", secretKey=f"SK{name}")
        await api.create(secrets_in(OPERATOR_NAMESPACE), secret)
        await api.create(ACCOUNTS, _account(name, pace))


def _account(name: str, pace: Pace) -> Body:
    return build_account(
        name,
        region=REGION,
        project_id=PROJECT_ID,
        secret=name,
        grants=[{"namespaces": [namespace_of(name)], "resourcePools": ["*"]}],
        pollInterval=f"{pace.poll}s",
        activePollInterval=f"{pace.active_poll}s",
        deletionBudget={"unlimited": True},
    )
