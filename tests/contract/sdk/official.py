"""The official SDK as tests see it: a process with its own home folder and nothing of this machine's environment."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).with_name("driver.py")
PROJECT = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Outcome:
    """What a call came to: an answer, or the exception that it raised."""

    said: dict[str, Any]

    @property
    def answer(self) -> dict[str, Any]:
        """The response model as a dict, where there is one."""
        assert "answer" in self.said, self.said
        return dict(self.said["answer"])

    @property
    def error(self) -> tuple[str, int | None, str | None]:
        """The exception's class, the HTTP status and the error code."""
        assert "exception" in self.said, self.said
        return self.said["exception"], self.said.get("status"), self.said.get("code")

    @property
    def is_empty(self) -> bool:
        """A success of which the SDK understood nothing."""
        return not any(value for value in self.answer.values())


class OfficialSdk:
    """One process; calls are made one after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @classmethod
    @contextmanager
    def running(cls, home: Path) -> Iterator["OfficialSdk"]:
        """Run it until the block ends."""
        environment = {"HOME": str(home), "PATH": "/nowhere", "LANG": "C.UTF-8"}
        with (
            (home / "stderr").open("wb") as log,
            subprocess.Popen(  # noqa: S603 - ours
                [sys.executable, "-I", str(DRIVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                cwd=home,
            ) as process,
        ):
            try:
                assert process.stdout is not None
                assert process.stdout.readline(), (home / "stderr").read_text()
                yield cls(process)
            finally:
                process.kill()

    async def call(self, endpoint: str, operation: str, **order: Any) -> Outcome:  # noqa: ANN401 - JSON
        """One call. What is not an argument of the request: accessKey, secretKey, securityToken, projectId, …"""
        usual = {"accessKey": "AKSIMULATOR", "secretKey": "SKSIMULATOR", "projectId": PROJECT}
        others = {key: order.pop(key) for key in list(order) if key in OTHERS}
        arguments = order
        return Outcome(
            await self.ask(usual | others | {"endpoint": endpoint, "operation": operation, "arguments": arguments})
        )

    async def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Any order to the driver, beside the event loop that serves the answer."""
        return await asyncio.to_thread(self.ask_now, order)

    def ask_now(self, order: dict[str, Any]) -> dict[str, Any]:
        """Any order that needs no server."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the SDK's process has ended"
        return dict(json.loads(line))


OTHERS = {
    "source",
    "environment",
    "accessKey",
    "secretKey",
    "securityToken",
    "projectId",
    "timeout",
    "insecure",
    "caBundle",
}
