"""Results as JSON files, one for each size, with the machine that they were measured on.

A run writes them; comparison, table and plot read them.
"""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab.bench.figures import Figures
from lab.bench.scale import Scale
from lab.bench.stage import Pace
from lab.harness.workspace import CHECKOUT

COMMITTED = Path(__file__).with_name("results")
# Not committed; `make bench RECORD=1` writes to the other.
LATEST = CHECKOUT / "build" / "bench"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Result:
    """One run. `measured` is the day, in UTC."""

    objects: int
    figures: Figures
    pace: Mapping[str, Any]
    machine: Mapping[str, Any]
    measured: str

    @property
    def scale(self) -> Scale:
        """How large it was."""
        return Scale(self.objects)


def new_result(scale: Scale, figures: Figures, pace: Pace, machine: Mapping[str, Any]) -> Result:
    """Of a run that has just ended."""
    rounded = {key: float(f"{value:.4g}") if value < 1_000 else round(value) for key, value in figures.items()}
    return Result(scale.objects, rounded, asdict(pace), machine, datetime.now(UTC).date().isoformat())


def write(result: Result, folder: Path) -> Path:
    """The file of its size, replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.objects}.json"
    path.write_text(json.dumps({"format": FORMAT, **asdict(result)}, indent=1) + "\n", encoding="utf-8")
    return path


def read(folder: Path) -> dict[int, Result]:
    """All that are there and have this format, by size."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") == FORMAT:
            found[raw["objects"]] = Result(**raw)
    return dict(sorted(found.items()))


_GIB = 1024**3


def describe_machine() -> Mapping[str, object]:
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
