"""The machine that figures were measured on: what one needs to compare them, and nothing that names it."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

_GIB = 1024**3


def describe() -> Mapping[str, object]:
    """Cores, memory, versions, and how busy it was before the run began."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memoryGiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.system(),
        "operator": version("modelarts-nodepool-operator"),
        "kopf": version("kopf"),
        "loadBefore": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
