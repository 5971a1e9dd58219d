"""What Linux says about a process: CPU time, memory, threads, open files and sockets."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

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
