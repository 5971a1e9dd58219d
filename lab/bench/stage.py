"""Everything that runs during a bench or a soak: control plane, stand-in cloud, operator; set up and taken down.

One temporary folder, loopback only. However it ends, nothing is left.
"""

import asyncio
import base64
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.bench.api import ACCOUNTS, NAMESPACES, Api, Body
from lab.bench.calls import CloudLog
from lab.bench.counting import by_operator
from lab.bench.process import look_at
from lab.bench.programs import Operator, start_cloud
from lab.bench.scale import PROJECT_ID, REGION, Scale, namespace_of
from lab.controlplane import ESTABLISHED, AuditLog, Binaries, ControlPlane
from lab.demo.failures import DemoError
from lab.demo.folders import find_shipped, remove_folder
from lab.demo.interrupts import Interrupts
from lab.demo.leftovers import find_leftovers
from lab.demo.samples import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE
from modelarts_nodepool.api.names import ACCOUNT_KIND, API_VERSION, CREDENTIALS_LABEL

PREFIX = "modelarts-nodepool-bench-"
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
    api: Api
    cloud: CloudLog
    operator: Operator
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
async def standing(scale: Scale, pace: Pace, binaries: Binaries, say: Say) -> AsyncIterator[Stage]:
    """A ready operator that has nothing to do yet; taken down behind the block, Ctrl-C included."""
    interrupts = Interrupts(on_signal=lambda: say("stopping everything"))
    folder = await asyncio.to_thread(lambda: Path(tempfile.mkdtemp(prefix=PREFIX)).resolve())
    pids: dict[str, int] = {}
    server: str | None = None
    try:
        async with AsyncExitStack() as stack:
            stage = await _set_up(stack, folder, (scale, pace, say), binaries)
            server, pids = stage.plane.server, stage.pids
            yield stage
    finally:
        interrupts.ignore()
        await asyncio.to_thread(remove_folder, folder)
    if left := find_leftovers(pids, folder, server):
        raise DemoError(f"The bench should leave nothing behind, and this is left: {'; '.join(left)}.")


async def _set_up(stack: AsyncExitStack, folder: Path, what: tuple[Scale, Pace, Say], binaries: Binaries) -> Stage:
    scale, pace, say = what
    shipped = find_shipped()
    say("starting a control plane, the stand-in cloud and the operator")
    plane = await stack.enter_async_context(ControlPlane.start(folder / "control-plane", binaries))
    flags = ("--latency-ms", str(pace.latency * 1000), "--delete-seconds", str(pace.deleting))
    cloud, endpoint = await start_cloud(folder, scale.objects, *flags)
    stack.push_async_callback(asyncio.to_thread, cloud.stop, GRACE_SECONDS)
    for path, flag in ((shipped["crds"], "-f"), (shipped["deploy/kustomize/base"], "-k")):
        await plane.kubectl("apply", "--server-side", flag, str(path))
    await plane.kubectl("wait", ESTABLISHED, "crd", "--all", "--timeout=60s")
    api = await stack.enter_async_context(Api(plane))
    await _create_accounts(api, scale, pace)
    kubeconfig = await plane.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
    operator = Operator(folder, kubeconfig, endpoint)
    stack.push_async_callback(asyncio.to_thread, operator.stop)
    await operator.start()
    pids = {**plane.pids, "the stand-in cloud": cloud.pid}
    return Stage(scale, pace, plane, api, CloudLog(endpoint), operator, say, pids)


async def _create_accounts(api: Api, scale: Scale, pace: Pace) -> None:
    for name in scale.account_names:
        await api.create(NAMESPACES, {"metadata": {"name": namespace_of(name)}})
        await api.create(f"{NAMESPACES}/{OPERATOR_NAMESPACE}/secrets", _secret(name))
        await api.create(ACCOUNTS, _account(name, pace))


def _secret(account: str) -> Body:
    values = {"accessKey": f"AK{account.upper()}", "secretKey": f"SK{account}"}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"metadata": {"name": account, "labels": {CREDENTIALS_LABEL: "true"}}, "data": data}


def _account(name: str, pace: Pace) -> Body:
    return {
        "apiVersion": API_VERSION,
        "kind": ACCOUNT_KIND,
        "metadata": {"name": name},
        "spec": {
            "region": REGION,
            "projectId": PROJECT_ID,
            "credentials": {"source": "Secret", "secretName": name},
            "grants": [{"namespaces": [namespace_of(name)], "resourcePools": ["*"]}],
            "pollInterval": f"{pace.poll}s",
            "activePollInterval": f"{pace.active_poll}s",
            "deletionBudget": {"unlimited": True},
        },
    }
