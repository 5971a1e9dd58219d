"""The operator and the stand-in cloud of a bench as processes, and what Linux says about them."""

import asyncio
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab.bench.cloud import HELLO
from lab.bench.scale import REGION
from lab.controlplane.child import Child
from lab.harness.failures import LabError
from lab.harness.operator import Operator
from lab.harness.waiting import until

_KIB = 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. `cpu_seconds` is user and system time since the start; memory is in MiB."""

    cpu_seconds: float
    memory_mib: float
    peak_mib: float
    threads: int
    files: int
    sockets: int


def look_at(pid: int) -> Sample:
    """Raises ProcessLookupError or FileNotFoundError where there is no such process."""
    folder = Path("/proc") / str(pid)
    # Behind the name, which is in parentheses and may hold anything, fields 14 and 15 are utime and stime.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = (folder / "status").read_text()
    targets = [_target(entry) for entry in (folder / "fd").iterdir()]
    return Sample(
        cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
        memory_mib=_number(status, "VmRSS") * _KIB / _MIB,
        peak_mib=_number(status, "VmHWM") * _KIB / _MIB,
        threads=_number(status, "Threads"),
        files=len(targets),
        sockets=sum(target.startswith("socket:") for target in targets),
    )


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except FileNotFoundError:
        return ""  # closed between two looks


def _number(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0


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
