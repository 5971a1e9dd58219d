"""What stands while a storm rages, and how it is set up: all objects mirrored before the first fault."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from lab.controlplane import ControlPlane
from lab.controlplane.child import Child
from lab.harness.api import ACCOUNTS as ACCOUNT_PATH
from lab.harness.api import NAMESPACES as NAMESPACE_PATH
from lab.harness.api import Api, node_pools_in, secrets_in
from lab.harness.failures import LabError
from lab.harness.operator import OPERATOR_NAMESPACE
from lab.harness.simulator import CloudControl, read_hello, start_simulator
from lab.harness.waiting import until
from lab.harness.workspace import install
from lab.storm.journal import Journal
from lab.storm.manifests import build_account, build_object, build_scenario, build_secret
from lab.storm.observer import Observer
from lab.storm.replica import Replica
from lab.storm.world import ACCOUNTS, DOOMED_NAMESPACE, NAMESPACES, Plan
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER

READY_SECONDS = 90.0
# The API server is restarted in a storm.
OUTAGE_SECONDS = 60.0
LOOK_SECONDS = 0.5
GRACE_SECONDS = 3.0


class Setup:
    """Everything that runs."""

    api: Api
    cloud: CloudControl
    observer: Observer

    def __init__(self, plan: Plan, folder: Path, plane: ControlPlane) -> None:
        self.plan = plan
        self.folder = folder
        self.plane = plane
        self.journal = Journal()
        self.operators: list[Replica] = []
        self.simulator: Child | None = None

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run now."""
        ours = {operator.name: operator.pid for operator in self.operators if operator.pid is not None}
        simulator = {"the simulator": self.simulator.pid} if self.simulator else {}
        return {**self.plane.pids, **simulator, **ours}

    def stop(self) -> None:
        """End operators and simulator; blocks."""
        for operator in self.operators:
            operator.stop()
        if self.simulator is not None:
            self.simulator.stop(GRACE_SECONDS)


async def set_up(setup: Setup, stack: AsyncExitStack) -> None:
    """The simulator, what is shipped, accounts, operators, objects; until every object is mirrored."""
    plan, plane = setup.plan, setup.plane
    simulator = setup.simulator = await asyncio.to_thread(start_simulator, setup.folder, build_scenario(plan))
    hello = await until(lambda: read_hello(simulator), READY_SECONDS, "the simulator serves")
    setup.cloud = await stack.enter_async_context(CloudControl(hello["endpoint"]))
    setup.api = await stack.enter_async_context(Api(plane, outage_seconds=OUTAGE_SECONDS))
    kubeconfig = await install(plane)
    await _create_ground(setup, hello)
    endpoint = f"{hello['region']}={hello['endpoint']}"
    for number in range(1, plan.operators + 1):
        operator = Replica(number, setup.folder, kubeconfig, endpoint, setup.journal)
        setup.operators.append(operator)
        await asyncio.to_thread(operator.start)
    setup.observer = Observer(plan, setup.api, setup.cloud, setup.operators, setup.journal)
    await asyncio.gather(
        *(
            setup.api.create(node_pools_in(planned.namespace), build_object(planned))
            for planned in plan.objects
            if not planned.is_late
        )
    )
    await _until_mirrored(setup)


async def _create_ground(setup: Setup, hello: dict[str, str]) -> None:
    api = setup.api
    for namespace in (*NAMESPACES, DOOMED_NAMESPACE):
        await api.create(NAMESPACE_PATH, {"metadata": {"name": namespace}})
    for account in ACCOUNTS:
        secret = build_secret(account.name, setup.plan.secrets[account.name][0])
        await api.create(secrets_in(OPERATOR_NAMESPACE), secret)
        await api.create(ACCOUNT_PATH, build_account(account, hello["region"], hello["projectId"]))


async def _until_mirrored(setup: Setup) -> None:
    """An object that was never seen protects nothing: the storm begins when all are protected and mirrored."""
    began = time.monotonic()
    waiting: list[str] = []
    while time.monotonic() - began < READY_SECONDS:
        for operator in setup.operators:
            operator.check()
        objects = (await setup.observer.look()).objects
        waiting = [
            planned.title
            for planned in setup.plan.objects
            if not planned.is_late and not _is_mirrored(objects.get(planned.title))
        ]
        if not waiting:
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise LabError(
        f"Not mirrored within {READY_SECONDS:g} s, before any fault: {', '.join(waiting[:5])}"
        f"{' …' if len(waiting) > 5 else ''}"  # noqa: PLR2004 - enough to recognise them
    )


def _is_mirrored(body: Mapping[str, Any] | None) -> bool:
    if body is None:
        return False
    is_protected = NODE_POOL_FINALIZER in body["metadata"].get("finalizers", [])
    return is_protected and bool(body.get("status", {}).get("conditions"))
