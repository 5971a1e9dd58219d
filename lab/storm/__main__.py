"""`python -m lab.storm`: options, console, exit codes. `make storm` calls it."""

import asyncio
import secrets
import sys

import click
from rich.console import Console

from lab.controlplane import ConsoleNarrator, ControlPlaneError, ensure_binaries
from lab.harness.failures import LabError
from lab.harness.interrupts import signals_interrupt
from lab.harness.workspace import reach_loopback_directly
from lab.storm.cases import rows_of
from lab.storm.plan import build_plan
from lab.storm.report import Reporter, plan_words
from lab.storm.run import SETTLE_SECONDS, perform
from lab.storm.world import Plan
from modelarts_nodepool.decide.deletion.table import ROWS

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
WIDTH = 160
SET_UP_SECONDS = 30.0
LEAST_FAULT_SECONDS = 20.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", type=click.IntRange(0), help="What happens when, to whom. Left out: drawn, and shown.")
@click.option(
    "--minutes",
    type=click.FloatRange(4, 120),
    default=5.0,
    show_default=True,
    help="The longest that all of it takes; the last three minutes are for settling, the rest for faults.",
)
def main(*, seed: int | None, minutes: float) -> None:
    """Sixty objects, half of them deleted, while cloud, API server and operator misbehave.

    Everything is on loopback and in one temporary folder. The invariants are judged from outside; a violation is
    shown with the timeline of its object, the logs are kept, and the exit code is 1.
    """
    seed = secrets.randbelow(100_000) if seed is None else seed
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=WIDTH)
    reach_loopback_directly()
    fault_seconds = max(LEAST_FAULT_SECONDS, minutes * 60 - SET_UP_SECONDS - SETTLE_SECONDS)
    plan = build_plan(seed, fault_seconds, rows_of(name for name, _ in ROWS))
    reporter = Reporter(console)
    reporter.plain(f"seed {seed}", "bold")
    with signals_interrupt():
        code = _run(plan, reporter, console)
    verdict = {0: "no violation", EXIT_INTERRUPTED: "interrupted"}.get(code, "failed")
    reporter.plain(f"seed {seed}: {verdict}; again: make storm SEED={seed} (what happens is the same, timing varies)")
    sys.exit(code)


def _run(plan: Plan, reporter: Reporter, console: Console) -> int:
    try:
        reporter.say(plan_words(plan))
        binaries = ensure_binaries(ConsoleNarrator(console))
        return 0 if asyncio.run(perform(plan, reporter, binaries)) else EXIT_FAILED
    except (LabError, ControlPlaneError) as error:
        reporter.say(str(error), "bold red")
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    main()
