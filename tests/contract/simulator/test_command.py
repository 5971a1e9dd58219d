"""`modelarts-nodepool simulate` as a process: hello line, signals, exit codes."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.limits import HANGING_SECONDS

PROGRAM = "from lab.simulator.command import simulate; simulate()"
SCENARIO = """\
region: ap-southeast-3
accessKey: AKFILE
resourcePools:
- {name: pool-f, nodePools: [{name: one, count: 1}]}
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *arguments]


@contextmanager
def running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    with subprocess.Popen(  # noqa: S603 our own command, no shell
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_hello_line_is_all_a_client_needs(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO)

    with running("--scenario", str(file)) as (_, hello):
        assert set(hello) == {"endpoint", "region", "projectId", "accessKey", "secretKey"}
        assert (hello["region"], hello["accessKey"]) == ("ap-southeast-3", "AKFILE")
        state = httpx.get(hello["endpoint"] + "/_simulator/state", trust_env=False).json()
        assert [resource_pool["name"] for resource_pool in state["resourcePools"]] == ["pool-f"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with running("--log-format", "json") as (process, hello):
        httpx.get(hello["endpoint"] + "/v2/x/pools", trust_env=False)
        process.send_signal(number)
        rest, logs = process.communicate(timeout=HANGING_SECONDS)

    assert (process.returncode, rest) == (0, "")
    lines = [json.loads(line) for line in logs.splitlines()]
    assert [line["message"].split()[0] for line in lines] == ["serving", "stopped"]
    assert "SKSIMULATOR" not in logs


def test_a_taken_port_is_a_failure_that_says_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = subprocess.run(  # noqa: S603 our own command, no shell
            command("--port", str(taken.getsockname()[1])),
            capture_output=True,
            text=True,
            timeout=HANGING_SECONDS,
            check=False,
        )

    assert ended.returncode == 1
    assert "--port 0" in ended.stderr
