"""The operator and the stand-in cloud as processes, each behind the keeper of lab/controlplane."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lab.bench.cloud import HELLO
from lab.bench.process import Sample, look_at
from lab.bench.scale import REGION
from lab.controlplane.child import Child
from lab.controlplane.ports import LOOPBACK, free_ports
from lab.controlplane.waiting import ask
from lab.demo.failures import DemoError
from lab.demo.folders import CHECKOUT
from lab.demo.samples import OPERATOR_NAMESPACE
from lab.storm.programs import OperatorChild

READY_SECONDS = 120.0
STOP_SECONDS = 15.0
_LOOK_SECONDS = 0.05
_EXIT_LOOK_SECONDS = 0.002
_OK = 200


async def until(
    condition: Callable[[], object], seconds: float, what: str, *, look_seconds: float = _LOOK_SECONDS
) -> None:
    """Look again and again; raises when time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(f"Not within {seconds:g} s: {what}.")
        await asyncio.sleep(look_seconds)


async def start_cloud(folder: Path, objects: int, *flags: str) -> tuple[Child, str]:
    """The child, and the URL that it serves on."""
    # It is a module of this checkout, not of an installed package.
    paths = (str(CHECKOUT), os.environ.get("PYTHONPATH", ""))
    command = ["env", f"PYTHONPATH={os.pathsep.join(filter(None, paths))}", sys.executable, "-m", "lab.bench.cloud"]
    child = Child("the stand-in cloud", [*command, "--objects", str(objects), *flags], folder / "cloud.log", folder)

    def said() -> "re.Match[str] | None":
        child.raise_if_ended()
        return re.search(rf"{HELLO} (\S+)", child.log.read_text())

    try:
        await until(said, READY_SECONDS, "the stand-in cloud serves")
    except BaseException:
        child.kill()
        raise
    found = said()
    return child, found[1] if found else ""


class Operator:
    """`modelarts-nodepool run`, through all its lives; they write to one log."""

    def __init__(self, folder: Path, kubeconfig: Path, endpoint: str) -> None:
        self.log = folder / "operator.log"
        self.port = free_ports(1)[0]
        self._folder = folder
        self._command = [
            *(sys.executable, "-m", "modelarts_nodepool", "run", "--operator-namespace", OPERATOR_NAMESPACE),
            *("--endpoint", f"{REGION}={endpoint}", "--kubeconfig", str(kubeconfig)),
            *("--http-host", LOOPBACK, "--http-port", str(self.port)),
        ]
        self.child: OperatorChild | None = None
        self.peak_mib = 0.0

    async def start(self) -> float:
        """Start it; how many seconds it took until it was ready."""
        began = time.monotonic()
        self.child = await asyncio.to_thread(OperatorChild, "the operator", self._command, self.log, self._folder)
        await until(self._is_ready, READY_SECONDS, f"the operator is ready (its log: {self.log})")
        return time.monotonic() - began

    def look(self) -> Sample:
        """What /proc says of it; raises with its last words when it has ended."""
        if self.child is None:
            raise DemoError("The operator does not run.")
        self.child.raise_if_ended()
        sample = look_at(self.child.pid)
        self.peak_mib = max(self.peak_mib, sample.peak_mib)
        return sample

    async def terminate(self) -> float:
        """SIGTERM; the seconds until it had ended with exit code 0."""
        child = self.child
        if child is None:
            raise DemoError("The operator does not run.")
        self.look()
        self.child = None
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        with contextlib.suppress(DemoError):
            await until(lambda: child.exit_code is not None, STOP_SECONDS, "ended", look_seconds=_EXIT_LOOK_SECONDS)
        took, code = time.monotonic() - began, child.exit_code
        await asyncio.to_thread(child.kill)
        if code != 0:
            raise DemoError(f"{took:.1f} s after SIGTERM the operator's exit code was {code}, not 0.")
        return took

    def stop(self) -> None:
        """End it, whatever it does; blocks."""
        child, self.child = self.child, None
        if child is not None:
            child.stop(STOP_SECONDS)

    def errors(self) -> list[str]:
        """Lines of its log that speak of an error or a traceback."""
        if not self.log.exists():
            return []
        with self.log.open(errors="replace") as lines:
            return [line[:500] for line in lines if '"level": "error"' in line or "raceback" in line]

    def _is_ready(self) -> bool:
        if self.child is not None:
            self.child.raise_if_ended()
        return ask(f"http://{LOOPBACK}:{self.port}/readyz").status == _OK
