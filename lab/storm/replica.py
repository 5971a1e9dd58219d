"""One of the operators of a storm: killed, frozen, stopped and started again. Each of it goes to the journal."""

import asyncio
import signal
from pathlib import Path

from lab.harness.operator import Operator
from lab.storm.journal import Journal


class Replica:
    """An operator through all its lives."""

    def __init__(self, number: int, folder: Path, kubeconfig: Path, endpoint: str, journal: Journal) -> None:
        """`endpoint` is REGION=URL."""
        self.name = f"operator-{number}"
        self.log = folder / f"{self.name}.log"
        flags = ("--log-format", "json", "--log-level", "debug")
        self._operator = Operator(kubeconfig, endpoint, self.log, *flags, name=self.name)
        self._journal = journal

    @property
    def pid(self) -> int | None:
        """None where it does not run."""
        return self._operator.pid if self._operator.is_running else None

    def start(self) -> None:
        """Start it, unless it runs."""
        if not self._operator.is_running:
            self._operator.launch()
            self._journal.note(self.name, f"started, pid {self._operator.pid}")

    async def freeze(self, seconds: float) -> None:
        """Let it stand still, as a machine that is out of breath does; unless it is ended meanwhile."""
        child = self._operator.child
        if child is None:
            return
        self._journal.note(self.name, f"frozen for {seconds:g} s")
        child.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            if self._operator.child is child:
                child.send_signal(signal.SIGCONT)
                self._journal.note(self.name, "thawed")

    async def kill(self) -> None:
        """SIGKILL: no last words."""
        if self._operator.is_running:
            self._journal.note(self.name, "SIGKILL")
            await asyncio.to_thread(self._operator.kill)

    async def terminate(self) -> None:
        """SIGTERM; it has to end by itself, in time, with exit code 0."""
        if not self._operator.is_running:
            return
        self._journal.note(self.name, "SIGTERM")
        code, took = await asyncio.to_thread(self._operator.stop)
        self._journal.note(self.name, f"ended with exit code {code} after {took:.1f} s")
        if code != 0:
            self._journal.unordered_exits.append(f"{self.name}: exit code {code} {took:.1f} s after SIGTERM, not 0")

    def check(self) -> None:
        """Take note when it ended although nobody asked; then it is started again, as a cluster would."""
        child = self._operator.child
        if child is None or child.exit_code is None:
            return
        words = f"{self.name} ended by itself with exit code {child.exit_code}"
        self._journal.note(self.name, words)
        self._journal.unordered_exits.append(words)
        self._operator.kill()
        self.start()

    def stop(self) -> None:
        """End it for good; blocks."""
        if self._operator.is_running:
            self._operator.stop()
