"""One run at one scale: all phases in order, the figures of all of them."""

from pathlib import Path

from lab.bench import phases
from lab.bench.figures import Figures
from lab.bench.scale import Scale
from lab.bench.stage import Pace, Say, standing
from lab.controlplane import Binaries
from lab.harness.failures import LabError

PHASES = (phases.create, phases.idle, phases.restart, phases.delete_some, phases.delete_all, phases.deletions)


async def measure(scale: Scale, pace: Pace, binaries: Binaries, say: Say) -> Figures:
    """All figures of a run; raises where the operator does not do its work."""
    figures: Figures = {}
    async with standing(scale, pace, binaries, say) as stage:
        for phase in PHASES:
            figures |= await phase(stage)
        errors = stage.operator.errors()
        figures["errors_logged"] = len(errors)
        figures["memory_peak_mib"] = stage.operator.peak_mib
        await stage.operator.terminate()
    if errors:
        say(f"the operator logged {len(errors)} errors; the first: {errors[0]}")
    return figures


def require_linux() -> None:
    """CPU and memory are read from /proc."""
    if not Path("/proc/self/stat").exists():
        raise LabError("The bench reads CPU time and memory from /proc, which only Linux has.")
