"""The operator and the stand-in cloud of a bench, as processes."""

import asyncio
import re
import sys
import time
from pathlib import Path

from lab.bench.cloud import HELLO
from lab.bench.process import Sample, look_at
from lab.bench.scale import REGION
from lab.controlplane.child import Child
from lab.harness.failures import LabError
from lab.harness.operator import Operator
from lab.harness.waiting import until

READY_SECONDS = 120.0


async def start_cloud(folder: Path, objects: int, *flags: str) -> tuple[Child, str]:
    """The child, and the URL that it serves on."""
    command = [sys.executable, "-m", "lab.bench.cloud", "--objects", str(objects), *flags]
    child = Child("the stand-in cloud", command, folder / "cloud.log", folder)

    def said() -> str | None:
        child.raise_if_ended()
        found = re.search(rf"{HELLO} (\S+)", child.log.read_text())
        return found[1] if found else None

    try:
        return child, await until(said, READY_SECONDS, "the stand-in cloud serves")
    except BaseException:
        child.kill()
        raise


class MeasuredOperator(Operator):
    """With its shipped settings, and looked at through /proc."""

    def __init__(self, folder: Path, kubeconfig: Path, endpoint: str) -> None:
        """`endpoint` is the stand-in cloud's URL."""
        super().__init__(kubeconfig, f"{REGION}={endpoint}", folder / "operator.log")
        self.peak_mib = 0.0

    async def start(self) -> float:
        """Start it; how many seconds it took until it was ready."""
        began = time.monotonic()
        await asyncio.to_thread(self.launch)
        await until(lambda: self.is_ready() or None, READY_SECONDS, f"the operator is ready (its log: {self.log})")
        return time.monotonic() - began

    def look(self) -> Sample:
        """What /proc says of it; raises with its last words when it has ended."""
        self.raise_if_ended()
        sample = look_at(self.pid)
        self.peak_mib = max(self.peak_mib, sample.peak_mib)
        return sample

    async def terminate(self) -> float:
        """SIGTERM; the seconds until it had ended with exit code 0."""
        self.look()
        code, took = await asyncio.to_thread(self.stop)
        if code != 0:
            raise LabError(f"{took:.1f} s after SIGTERM the operator's exit code was {code}, not 0.")
        return took

    def errors(self) -> list[str]:
        """Lines of its log that speak of an error or a traceback."""
        return [line[:500] for line in self.text().splitlines() if '"level": "error"' in line or "raceback" in line]
