"""The programs that a storm is about: the simulator, and one or two operators that are killed and started again.

Each stands behind the keeper of lab/controlplane, so that nothing outlives the storm.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from lab.controlplane.child import Child
from lab.controlplane.ports import LOOPBACK, free_ports
from lab.controlplane.waiting import ask
from lab.demo.failures import DemoError
from lab.demo.samples import OPERATOR_NAMESPACE
from lab.storm.journal import Journal

OURSELVES = (sys.executable, "-m", "modelarts_nodepool")
# Design: idle within a second, ten at most. The machine may be busy with the storm itself.
STOP_SECONDS = 12.0
READY_SECONDS = 60.0
LOOK_SECONDS = 0.2
_HELLO = re.compile(r"^\{.*\}$", re.MULTILINE)


async def start_simulator(folder: Path, scenario: dict[str, Any]) -> tuple[Child, dict[str, str]]:
    """Start it with this world; the child and its first line."""
    path = folder / "scenario.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
    child = Child("the simulator", [*OURSELVES, "simulate", "--scenario", str(path)], folder / "simulator.log", folder)
    began = time.monotonic()
    while (found := _HELLO.search(child.log.read_text(encoding="utf-8"))) is None:
        child.raise_if_ended()
        if time.monotonic() - began > READY_SECONDS:
            child.kill()
            raise DemoError(f"The simulator did not serve within {READY_SECONDS:g} s.")
        await asyncio.sleep(LOOK_SECONDS)
    hello: dict[str, str] = json.loads(found[0])
    return child, hello


class OperatorChild(Child):
    """An operator process whose exit code is asked for."""

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._keeper.poll()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Operator:
    """One replica through all its lives; they write to one log."""

    def __init__(self, number: int, folder: Path, kubeconfig: Path, endpoint: str, journal: Journal) -> None:
        """`endpoint` is REGION=URL."""
        self.name = f"operator-{number}"
        self.log = folder / f"{self.name}.log"
        self._folder = folder
        self._port = free_ports(1)[0]
        self._command = [
            *(*OURSELVES, "run", "--operator-namespace", OPERATOR_NAMESPACE, "--endpoint", endpoint),
            *("--kubeconfig", str(kubeconfig), "--http-host", LOOPBACK, "--http-port", str(self._port)),
            *("--log-format", "json", "--log-level", "debug"),
        ]
        self._journal = journal
        self.child: OperatorChild | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.child is None:
            self.child = OperatorChild(self.name, self._command, self.log, self._folder)
            self._journal.note(self.name, f"started, pid {self.child.pid}")

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        return ask(f"http://{LOOPBACK}:{self._port}/readyz").status == 200  # noqa: PLR2004 - the status itself

    async def freeze(self, seconds: float) -> None:
        """Let it stand still, as a machine that is out of breath does; unless it is ended meanwhile."""
        child = self.child
        if child is None:
            return
        self._journal.note(self.name, f"frozen for {seconds:g} s")
        child.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            if self.child is child:
                child.send_signal(signal.SIGCONT)
                self._journal.note(self.name, "thawed")

    async def kill(self) -> None:
        """SIGKILL: no last words."""
        child, self.child = self.child, None
        if child is not None:
            self._journal.note(self.name, "SIGKILL")
            await asyncio.to_thread(child.kill)

    async def terminate(self) -> None:
        """SIGTERM; it has to end by itself, in time, with exit code 0."""
        child, self.child = self.child, None
        if child is None:
            return
        self._journal.note(self.name, "SIGTERM")
        child.send_signal(signal.SIGCONT)
        began = time.monotonic()
        await asyncio.to_thread(child.stop, STOP_SECONDS)
        took, code = time.monotonic() - began, child.exit_code
        self._journal.note(self.name, f"ended with exit code {code} after {took:.1f} s")
        if code != 0:
            self._journal.unordered_exits.append(f"{self.name}: exit code {code} {took:.1f} s after SIGTERM, not 0")

    def check(self) -> None:
        """Take note when it ended although nobody asked; then it is started again, as a cluster would."""
        if self.child is None or self.child.exit_code is None:
            return
        words = f"{self.name} ended by itself with exit code {self.child.exit_code}"
        self._journal.note(self.name, words)
        self._journal.unordered_exits.append(words)
        self.child.kill()
        self.child = None
        self.start()

    def stop(self) -> None:
        """End it for good; blocks."""
        child, self.child = self.child, None
        if child is not None:
            child.send_signal(signal.SIGCONT)
            child.stop(STOP_SECONDS)
