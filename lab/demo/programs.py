"""Starts the simulator and the operator as processes of their own, each behind a keeper.

stage.py owns them. Their output goes to log files in the demo's folder.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.controlplane.child import Child
from lab.controlplane.ports import LOOPBACK, free_ports
from lab.controlplane.waiting import ask
from lab.demo.failures import NotYetError
from lab.demo.samples import OPERATOR_NAMESPACE, build_scenario

OURSELVES = (sys.executable, "-m", "modelarts_nodepool")
_HELLO = re.compile(r"^\{.*\}$", re.MULTILINE)


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """What is started in the block puts its temporary files there: they go with the folder, also when it is killed."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before


@dataclass(frozen=True)
class Hello:
    """What a client of the simulator must know: its first line."""

    endpoint: str
    region: str
    project_id: str
    access_key: str
    secret_key: str


def start_simulator(folder: Path) -> Child:
    """Start it with the demo's world."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(yaml.safe_dump(build_scenario(), sort_keys=False), encoding="utf-8")
    command = [*OURSELVES, "simulate", "--scenario", str(scenario)]
    with _temporary_files_in(folder):
        return Child("the simulator", command, folder / "simulator.log", folder)


def read_hello(simulator: Child) -> Hello:
    """The simulator's first line, once it is there."""
    found = _HELLO.search(simulator.log.read_text(encoding="utf-8"))
    if found is None:
        raise NotYetError("it has not said where it serves")
    said = json.loads(found[0])
    return Hello(said["endpoint"], said["region"], said["projectId"], said["accessKey"], said["secretKey"])


@dataclass(frozen=True)
class OperatorCommand:
    """How the operator is started."""

    endpoint: str  # region=URL
    http_port: int

    @classmethod
    def talking_to(cls, hello: Hello) -> "OperatorCommand":
        """With the simulator as the cloud of its region, and a free port for its health endpoint."""
        return cls(f"{hello.region}={hello.endpoint}", free_ports(1)[0])

    @property
    def arguments(self) -> list[str]:
        """Its arguments as shown; the kubeconfig of its ServiceAccount comes on top."""
        where = ["--http-host", LOOPBACK, "--http-port", str(self.http_port)]
        return ["run", "--operator-namespace", OPERATOR_NAMESPACE, "--endpoint", self.endpoint, *where]

    @property
    def health(self) -> str:
        """Where its health endpoint is."""
        return f"http://{LOOPBACK}:{self.http_port}"

    def start(self, folder: Path, kubeconfig: Path) -> Child:
        """Start it."""
        quiet = ["--log-format", "text", "--log-level", "info", "--kubeconfig", str(kubeconfig)]
        with _temporary_files_in(folder):
            return Child("the operator", [*OURSELVES, *self.arguments, *quiet], folder / "operator.log", folder)

    def require_ready(self) -> None:
        """Raise until it says that it is ready."""
        answer = ask(f"{self.health}/readyz")
        if answer.status != 200:  # noqa: PLR2004 - the status says what it is
            raise NotYetError(f"/readyz answers {answer.status or 'nothing'}: {answer.body[:300].strip()}")
