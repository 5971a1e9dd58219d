"""The operator as users run it: a process with flags, a kubeconfig, a log and an HTTP port, behind its keeper."""

import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from lab.controlplane.child import Child
from lab.controlplane.ports import LOOPBACK
from lab.controlplane.waiting import Answer, ask
from lab.harness.failures import LabError
from lab.harness.metrics import Metrics

# As in deploy/kustomize/base: the operator runs with the permissions that are shipped.
OPERATOR_NAMESPACE = OPERATOR_ACCOUNT = "modelarts-nodepool-operator"
OPERATOR_USER = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}"
OURSELVES = (sys.executable, "-m", "modelarts_nodepool")
# It ends within ten seconds by design; the machine may be busy.
STOP_SECONDS = 15.0
REQUEST_SECONDS = 240.0
VARIABLES = "MODELARTS_NODEPOOL_"
_LISTENING = re.compile(r"http server listening on (http://[^\s\"]+)")


class Operator:
    """One replica through all its lives; they write to one log.

    `endpoint` is REGION=URL. `flags` come last, so they override. Port 0 is any free one. `environment` comes upon
    ours; variables of ours that would set the operator's flags are left out. Temporary files go to the log's folder.
    """

    def __init__(
        self,
        kubeconfig: Path,
        endpoint: str,
        log: Path,
        *flags: str,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        name: str = "the operator",
    ) -> None:
        self.name = name
        self.log = log
        self.child: Child | None = None
        where = ("--http-host", LOOPBACK, "--http-port", str(port))
        self.arguments = ["run", "--operator-namespace", OPERATOR_NAMESPACE, "--endpoint", endpoint, *where]
        self.command = [*OURSELVES, *self.arguments, "--kubeconfig", str(kubeconfig), *flags]
        self.environment = dict(environment or {})
        self._begins_at = 0
        self._url: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended by us since."""
        return self.child is not None

    @property
    def pid(self) -> int:
        """The operator's own process id."""
        return self._running.pid

    @property
    def _running(self) -> Child:
        if self.child is None:
            raise LabError(f"{self.name} does not run.")
        return self.child

    def launch(self) -> None:
        """Start it and do not wait."""
        if self.child is not None:
            raise LabError(f"{self.name} runs already.")
        self._url = None
        self._begins_at = self.log.stat().st_size if self.log.exists() else 0
        self.child = self._spawn()

    def _spawn(self) -> Child:
        ours = {key: value for key, value in os.environ.items() if not key.startswith(VARIABLES)}
        environment = ours | {"TMPDIR": str(self.log.parent)} | self.environment
        return Child(self.name, self.command, self.log, self.log.parent, environment)

    @property
    def url(self) -> str:
        """Where it serves health and metrics. Raises LabError where it does not yet."""
        if (url := self._find_url()) is None:
            raise LabError(f"{self.name} does not listen yet.")
        return url

    def _find_url(self) -> str | None:
        if self._url is None and (found := _LISTENING.search(self.text_of_this_life())):
            self._url = found[1]
        return self._url

    def ask(self, path: str) -> Answer:
        """One of its pages; status 0 without an answer. Raises with its last words when it has ended."""
        self._running.raise_if_ended()
        url = self._find_url()
        return Answer(0, "not listening yet") if url is None else ask(f"{url}{path}", seconds=REQUEST_SECONDS)

    def raise_if_ended(self) -> None:
        """Raise with its last words when it has ended by itself."""
        self._running.raise_if_ended()

    def is_ready(self) -> bool:
        """Whether /readyz says so; a standby is ready, too."""
        return self.ask("/readyz").status == HTTPStatus.OK

    def metrics(self) -> Metrics:
        """What /metrics says now."""
        answer = self.ask("/metrics")
        if answer.status != HTTPStatus.OK:
            raise LabError(f"{self.name} answered {answer.status} to /metrics: {answer.body}")
        return Metrics.of(answer.body)

    def send(self, number: signal.Signals) -> None:
        """A signal, and no wait for what comes of it."""
        self._running.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self._take().kill()

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS) -> tuple[int | None, float]:
        """Ask it to stop; the exit code and how many seconds it took.

        The code is None where it was killed because it had not stopped in time.
        """
        child = self._take()
        # A process that stands still takes no signal but this one.
        child.send_signal(signal.SIGCONT)
        began = time.monotonic()
        child.send_signal(number)
        code = child.wait(seconds)
        took = time.monotonic() - began
        child.kill()
        return code, took

    def end(self) -> None:
        """Leave no process behind. Safe to call again."""
        if self.child is not None:
            self.kill()

    def _take(self) -> Child:
        child = self._running
        self.child = None
        return child

    def text(self) -> str:
        """The whole log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def text_of_this_life(self) -> str:
        """What it logged since it was started last."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._begins_at)
            return log.read().decode(errors="replace")
