"""`modelarts-nodepool simulate`: the simulator as a process of its own. An entry point in lab/pyproject.toml."""

import asyncio
import json
import logging
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from typing_extensions import override

from lab.simulator.describing import describe_scenario
from lab.simulator.problems import ScenarioError
from lab.simulator.reading import read_scenario
from lab.simulator.scenario import Scenario, default_scenario
from lab.simulator.server import LOOPBACK, Simulator, is_loopback

log = logging.getLogger("modelarts_nodepool.simulator")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


@click.command()
@click.option("--host", default=LOOPBACK, show_default=True, help="The loopback address to serve on.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--scenario", "file", type=click.Path(path_type=Path), help="The world to serve, as YAML.")
@click.option("--help-scenario", is_flag=True, help="Print every key of a scenario file and exit.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def simulate(host: str, port: int, file: Path | None, log_format: str, *, help_scenario: bool) -> None:
    """Serve a ModelArts API simulator on loopback until Ctrl-C.

    It checks signatures, deletes node pools on a clock and misbehaves on demand. When it serves it prints one
    JSON line with its endpoint and credentials; logs go to standard error.
    """
    if help_scenario:
        click.echo(describe_scenario(), nl=False)
        return
    if not is_loopback(host):
        raise click.UsageError(
            f"--host {host} is refused: whoever reaches the simulator can change it without credentials, so it "
            f"serves on loopback only; use --host {LOOPBACK}"
        )
    try:
        scenario = default_scenario() if file is None else read_scenario(file)
    except ScenarioError as error:
        raise click.UsageError(f"the scenario cannot be served\n{error}") from error
    _log_to_stderr(log_format)
    try:
        asyncio.run(_serve(scenario, host, port))
    except OSError as error:
        message = f"cannot serve on {host} port {port}: {error.strerror}; use --port 0 for a free one"
        raise click.ClickException(message) from error


async def _serve(scenario: Scenario, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Simulator.serving(scenario, host=host, port=port) as simulator:
        click.echo(json.dumps(simulator.hello))
        log.info("serving on %s; stop with Ctrl-C", simulator.endpoint)
        await stopped.wait()
    log.info("stopped after %d requests", simulator.cloud.log.last_number)


def _log_to_stderr(log_format: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else logging.Formatter("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
