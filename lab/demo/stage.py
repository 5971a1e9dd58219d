"""What runs while the story is told: the control plane, the simulator, the operator; and ways to look at them.

run.py sets it up and takes it down. The chapters of the story run commands and wait through it, so that
every command is shown as it is run, and no wait goes on when something it needs has died.
"""

import asyncio
import json
import math
import shlex
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from lab.controlplane import ControlPlane
from lab.controlplane.child import Child
from lab.controlplane.ports import free_ports
from lab.demo.objects import Seen
from lab.demo.samples import NAMESPACE
from lab.demo.screen import Screen
from lab.demo.shell import run_command
from lab.harness.failures import LabError, NotYetError
from lab.harness.operator import Operator
from lab.harness.simulator import CloudControl

T = TypeVar("T")
# Far more than anything here takes, also on a slow machine with other work.
BOUND_SECONDS = 60.0
LOOK_SECONDS = 0.3
GUARD_SECONDS = 0.5
# How long a guarded command may take before it counts as hanging: longer than the longest `kubectl wait` of ours.
COMMAND_SECONDS = 120.0
GRACE_SECONDS = 3.0


class Stage:
    """Everything that runs, and the screen."""

    def __init__(self, screen: Screen, folder: Path, plane: ControlPlane, simulator: Child) -> None:
        self.screen = screen
        self.folder = folder
        self.work = folder / "work"
        self.plane = plane
        self.simulator = simulator
        self.operator: Operator | None = None
        self.hello: dict[str, str]
        self.cloud: CloudControl

    @property
    def pids(self) -> dict[str, int]:
        """Every process that was started, by name."""
        operator = {self.operator.name: self.operator.pid} if self.operator is not None else {}
        return {**self.plane.pids, self.simulator.name: self.simulator.pid, **operator}

    def start_operator(self, kubeconfig: Path) -> Operator:
        """Show the command and start the operator with the identity in the kubeconfig."""
        endpoint = f"{self.hello['region']}={self.hello['endpoint']}"
        (port,), log = free_ports(1), self.folder / "operator.log"
        self.operator = Operator(kubeconfig, endpoint, log, "--log-format", "text", "--log-level", "info", port=port)
        self.screen.command("modelarts-nodepool", *self.operator.arguments)
        self.operator.launch()
        return self.operator

    async def cloud_counts(self) -> dict[str, dict[str, int]]:
        """The nodes by state of each node pool that the cloud has, by its name."""
        return {name: states for (_, name), states in (await self.cloud.node_pools()).items()}

    def raise_if_ended(self) -> None:
        """Raise when anything ended that should run."""
        self.plane.raise_if_ended()
        self.simulator.raise_if_ended()
        if self.operator is not None:
            self.operator.raise_if_ended()

    def stop_programs(self) -> None:
        """End the operator, then the simulator; blocks. The control plane has a context of its own."""
        if self.operator is not None:
            self.operator.stop()
        self.simulator.stop(GRACE_SECONDS)

    async def kubectl(self, *args: str) -> str:
        """Show a kubectl command, run it, show what it printed, and hand that back."""
        printed = await self.run_quietly(*args)
        self.screen.output(printed)
        return printed

    async def run_quietly(self, *args: str) -> str:
        """Show the command and run it; what it printed is for the caller to show."""
        shown = f"kubectl {shlex.join(args)}"
        self.screen.command("kubectl", *(shlex.quote(arg) for arg in args))
        command = [str(self.plane.binaries.kubectl), *args]
        running = run_command(command, folder=self.work, environment=self.plane.kubectl.environment())
        printed = await self.guarded(shown, running)
        if printed.code:
            self.screen.output(printed.text)
            raise LabError(f"`{shown}` was to end well, and ended with exit code {printed.code}: {printed.text}")
        return printed.text

    async def seen(self) -> dict[str, Seen]:
        """All node pool objects of the demo's namespace, by name."""
        listed = await self.plane.kubectl("get", "manp", "-n", NAMESPACE, "-o", "json")
        return {body["metadata"]["name"]: Seen.from_body(body) for body in json.loads(listed.stdout)["items"]}

    async def until(self, title: str, question: Callable[[], Awaitable[T]]) -> T:
        """Ask until it does not raise NotYetError any more; LabError when that takes too long."""
        began = time.monotonic()
        patience = self.screen.patience()
        with self.screen.waiting(f"waiting: {title}"):
            while True:
                self.raise_if_ended()
                try:
                    return await question()
                except NotYetError as error:
                    if time.monotonic() - began > BOUND_SECONDS:
                        raise LabError(
                            f"This did not happen within {BOUND_SECONDS:.0f} s: {title}. Seen last: {error}."
                        ) from error
                patience.remind(f"waiting: {title}")
                await asyncio.sleep(LOOK_SECONDS)

    async def until_seen(self, title: str, name: str, accept: Callable[[Seen], bool]) -> Seen:
        """Wait until an object looks as it should."""

        async def look() -> Seen:
            found = (await self.seen()).get(name)
            if found is None:
                raise NotYetError(f"there is no object {name}")
            if not accept(found):
                raise NotYetError(found.words)
            return found

        return await self.until(title, look)

    async def guarded(self, title: str, work: Awaitable[T], bound_seconds: float = COMMAND_SECONDS) -> T:
        """Await it under a spinner; give up at once when something died that it may wait for."""
        began = time.monotonic()
        patience = self.screen.patience()
        task = asyncio.ensure_future(work)
        try:
            with self.screen.waiting(title if len(title) < 90 else f"{title[:90]}…"):  # noqa: PLR2004 - a line
                while not (await asyncio.wait([task], timeout=GUARD_SECONDS))[0]:
                    self.raise_if_ended()
                    if math.isfinite(bound_seconds):
                        patience.remind(title)
                    if time.monotonic() - began > bound_seconds:
                        raise LabError(f"`{title}` did not end within {bound_seconds:.0f} s.")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
