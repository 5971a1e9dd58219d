"""The operator as users run it: a process with flags, a kubeconfig, logs on standard error and an HTTP port."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually
from tests.support.metrics import Metrics

NAMESPACE = NAME = "modelarts-nodepool-operator"
USER = f"system:serviceaccount:{NAMESPACE}:{NAME}"

_LISTENING = re.compile(r"http server listening on (http://[^\s\"]+)")

Line = dict[str, Any]


class OperatorProcess:
    """One operator that can be killed and started again. All its lives write to the same log."""

    def __init__(
        self, kubeconfig: Path, endpoint: str, log: Path, *more: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """`endpoint` is REGION=URL; `more` are further flags, `environment` further variables."""
        self._environment = dict(environment or {})
        self._command = [
            *(sys.executable, "-m", "modelarts_nodepool", "run"),
            *("--operator-namespace", NAMESPACE, "--endpoint", endpoint, "--kubeconfig", str(kubeconfig)),
            *("--http-host", "127.0.0.1", "--http-port", "0", "--log-level", "debug"),
            # A killed holder's Lease runs out after 15 s; the tests of the Lease itself say --leader-election.
            "--no-leader-election",
            # A killed leader's Lease stands in the way for fifteen seconds: only tests of the Lease wait for that.
            *("--no-leader-election", *more),
        ]
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._begins_at = 0

    @classmethod
    def as_deployed(cls, container: Mapping[str, Any], namespace: str, kubeconfig: Path, log: Path) -> Self:
        """What a kubelet would start of this container, with a kubeconfig instead of the Pod's token."""
        operator = cls(kubeconfig, "", log)
        operator._command = [sys.executable, "-m", "modelarts_nodepool", *container["args"]]
        operator._environment = {"KUBECONFIG": str(kubeconfig)} | variables_of(container, namespace)
        return operator

    def preceded_by(self, code: str) -> Self:
        """The same program in an interpreter that has run this code first: for what surrounds our own code."""
        self._command[1:3] = ["-c", f"{code}\nfrom modelarts_nodepool.cli import main\nmain()"]
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start it and do not wait."""
        assert self._process is None, "it runs already"
        self._begins_at = self.log.stat().st_size if self.log.exists() else 0
        self._process = self._spawn()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            # A process group of its own: a Ctrl-C in the terminal of the test run is not for it.
            return subprocess.Popen(  # noqa: S603 - ours
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._variables(),
                process_group=0,
            )

    def _variables(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MODELARTS_NODEPOOL_")}
        return inherited | self._environment

    def to_its_end(self, seconds: float = HANGING_SECONDS) -> tuple[int, str]:
        """Run what ends by itself; its exit code and all it printed."""
        self.launch()
        return self._take().wait(seconds), self.text_of_this_life()

    def start(self, seconds: float = HANGING_SECONDS) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        assert eventually(self.is_ready, seconds), f"not ready within {seconds} s\n{self.tail()}"

    def is_ready(self) -> bool:
        """Ready and at work; a standby is ready, too."""
        status, body = self.readiness()
        return status == 200 and json.loads(body)["role"] == "leader"

    def is_standby(self) -> bool:
        status, body = self.readiness()
        return status == 200 and json.loads(body)["role"] == "standby"

    @property
    def url(self) -> str:
        """Where it serves health and metrics."""
        found = _LISTENING.search(self.text_of_this_life())
        assert found is not None, "not listening yet"
        return found[1]

    def readiness(self) -> tuple[int, str]:
        """Status and body of /readyz; status 0 where nobody answers."""
        return self.ask("/readyz")

    def liveness(self) -> tuple[int, str]:
        """Status and body of /livez; status 0 where nobody answers."""
        return self.ask("/livez")

    def metrics(self) -> "Metrics":
        """What /metrics says now."""
        status, body = self.ask("/metrics")
        assert status == 200, body
        return Metrics.of(body)

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages; status 0 where nobody answers."""
        assert self._process is not None
        assert self._process.poll() is None, f"it ended with exit code {self._process.returncode}\n{self.tail()}"
        found = _LISTENING.search(self.text_of_this_life())
        if found is None:
            return 0, "not listening yet"
        try:
            answer = httpx.get(f"{found[1]}{path}", trust_env=False, timeout=HANGING_SECONDS)
        except httpx.HTTPError as error:
            return 0, str(error)
        return answer.status_code, answer.text

    def kill(self) -> None:
        """SIGKILL: no last words."""
        process = self._take()
        process.kill()
        process.wait(HANGING_SECONDS)

    def hold_still(self) -> None:
        """SIGSTOP: it knows nothing of the time that passes."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """A signal, and no wait for what comes of it."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = HANGING_SECONDS) -> tuple[int, float]:
        """Ask it to stop; the exit code and how long it took."""
        process = self._take()
        begun = time.monotonic()
        process.send_signal(number)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(HANGING_SECONDS)
            raise AssertionError(f"it did not stop within {seconds} s of {number.name}\n{self.tail()}") from None
        return code, time.monotonic() - begun

    def _take(self) -> "subprocess.Popen[bytes]":
        process, self._process = self._process, None
        assert process is not None, "it does not run"
        return process

    def end(self) -> None:
        """Leave nothing behind, whatever a test did."""
        if self._process is not None:
            self.kill()

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def text(self) -> str:
        """Everything it ever logged."""
        return self.log.read_text() if self.log.exists() else ""

    def text_of_this_life(self) -> str:
        """What it logged since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self._begins_at)
            return log.read().decode()

    def lines(self) -> list[Line]:
        """The log as objects. Every line of JSON is one; anything else is an error of the operator."""
        return [json.loads(line) for line in self.text().splitlines() if line]

    def tail(self, count: int = 30) -> str:
        """The last lines that are not about single calls."""
        lines = [line for line in self.text().splitlines() if '"level": "debug"' not in line]
        return "\n".join(["the end of the operator's log:", *(line[:500] for line in lines[-count:])])

    def errors(self) -> Sequence[str]:
        """Lines that say that something of ours went wrong; kopf complains of a lost API server, too."""
        return [
            json.dumps(line)
            for line in self.lines()
            if line["logger"].startswith("modelarts_nodepool") and (line["level"] == "error" or "traceback" in line)
        ]


def variables_of(container: Mapping[str, Any], namespace: str) -> dict[str, str]:
    """The environment that a container of a Pod in this namespace declares."""
    found = {}
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
        found[variable["name"]] = variable.get("value", namespace)
    return found


@contextmanager
def at_work(operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """Ready; in the end it stops as it should and has logged no error of ours."""
    try:
        operator.start()
        yield operator
        if operator.is_running:
            code, _ = operator.stop()
            assert code == 0, operator.tail()
    finally:
        operator.end()
    errors = operator.errors()
    assert not errors, "\n".join(errors)
