"""`python -m lab.bench`: options, console, exit codes. `make bench` and `make soak` call it."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import click
from rich.console import Console

from lab.bench import page, results, table
from lab.bench.figures import violations
from lab.bench.path import check, measure_path, words_of
from lab.bench.results import COMMITTED, LATEST, Result
from lab.bench.run import measure, require_linux
from lab.bench.scale import Scale
from lab.bench.soak import soak
from lab.bench.stage import Pace, Say
from lab.controlplane import Binaries, ConsoleNarrator, ControlPlaneError, ensure_binaries
from lab.harness.failures import LabError
from lab.harness.interrupts import signals_interrupt
from lab.harness.workspace import CHECKOUT, reach_loopback_directly

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
DEFAULT_SIZES = "100,1000,10000"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The operator's figures, measured from outside: real API server, stand-in cloud, everything on loopback."""


def _sizes(_context: click.Context, _option: click.Parameter, text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 10:
        raise click.BadParameter(f"{text!r} is no list of sizes: numbers from 10 up, with commas, as in 100,1000")
    return sizes


@main.command("run")
@click.option("--sizes", default=DEFAULT_SIZES, show_default=True, callback=_sizes, help="Numbers of objects.")
@click.option("--poll", type=click.IntRange(2, 600), default=Pace().poll, show_default=True, help="pollInterval, in s.")
@click.option("--record", is_flag=True, help="Write lab/bench/results/ and the table and plot of docs/performance.md.")
def run(*, sizes: list[int], poll: int, record: bool) -> None:
    """Create, leave alone, restart, delete: at each size, with counts asserted and times reported.

    100 objects take three minutes, 1,000 four, 10,000 about twenty. Results go to build/bench/ as JSON, and are shown
    beside the committed ones. The exit code is 1 where a count is beyond its budget.
    """
    pace = Pace(poll=poll)

    async def work(binaries: Binaries, say: Say) -> bool:
        found: dict[int, Result] = {}
        for size in sizes:
            facts = results.describe_machine()
            figures = await measure(Scale(size), pace, binaries, say)
            found[size] = results.new_result(Scale(size), figures, pace, facts)
            _keep(found[size], record=record)
        return _conclude(found)

    sys.exit(_perform(work))


@main.command("path")
@click.option("--list", "in_detail", is_flag=True, help="List the files, the functions and the most frequent steps.")
def path_command(*, in_detail: bool) -> None:
    """Count files and functions of the operator that one deletion and one poll run through; fails above the bounds."""

    async def work(binaries: Binaries, say: Say) -> bool:
        found = await measure_path(binaries, say)
        print(words_of(found, in_detail=in_detail))
        check(found)
        return True

    sys.exit(_perform(work))


@main.command("soak")
@click.option("--minutes", type=click.FloatRange(1, 24 * 60), default=10.0, show_default=True)
def soak_command(*, minutes: float) -> None:
    """Churn steadily for so long, with faults; exit code 1 where something grows.

    Measured are memory, threads, files, sockets, and the objects that the operator holds. The first third of the time
    is for warming up; the medians of the second and the last are compared.
    """

    async def work(binaries: Binaries, say: Say) -> bool:
        return await soak(minutes, binaries, say)

    sys.exit(_perform(work))


def _keep(result: Result, *, record: bool) -> None:
    """Write and print one size at once: a later one may be interrupted."""
    before = results.read(COMMITTED).get(result.objects)
    path = results.write(result, COMMITTED if record else LATEST)
    print(f"\n{table.of_run(result, before)}\n{_shown(path)}\n")
    if record:
        page.write_page(results.read(COMMITTED))
        print(f"written: {_shown(page.PAGE)}, {_shown(page.PLOT)}\n", flush=True)


def _conclude(found: dict[int, Result]) -> bool:
    """What ten times the objects cost, and whether all counts are within their budgets."""
    print(table.of_growth({**results.read(COMMITTED), **found}))
    wrong = [
        f"{size:,} objects: {words}"
        for size, result in found.items()
        for words in violations(result.scale, result.figures)
    ]
    for words in wrong:
        print(f"beyond its budget: {words}", file=sys.stderr)
    return not wrong


def _shown(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def _perform(work: Callable[[Binaries, Say], Coroutine[None, None, bool]]) -> int:
    """Run it with binaries and a console; the exit code."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    reach_loopback_directly()
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {words}", flush=True)

    with signals_interrupt():
        try:
            require_linux()
            binaries = ensure_binaries(ConsoleNarrator(Console(highlight=False)))
            return 0 if asyncio.run(work(binaries, say)) else EXIT_FAILED
        except (LabError, ControlPlaneError) as error:
            say(str(error))
            return EXIT_FAILED
        except (KeyboardInterrupt, asyncio.CancelledError):
            return EXIT_INTERRUPTED


if __name__ == "__main__":
    main()
