"""The operator of the harness, as tests want it: without leader election, at work, and with its log as objects."""

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from typing_extensions import override

from lab.controlplane.waiting import Answer
from lab.harness.operator import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, OPERATOR_USER, OURSELVES, Operator
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually

NAMESPACE, NAME, USER = OPERATOR_NAMESPACE, OPERATOR_ACCOUNT, OPERATOR_USER

Line = dict[str, Any]


class OperatorProcess(Operator):
    """One operator that can be killed and started again. All its lives write to the same log."""

    def __init__(
        self, kubeconfig: Path, endpoint: str, log: Path, *more: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """`endpoint` is REGION=URL; `more` are further flags, `environment` further variables."""
        # A killed leader's Lease stands in the way for fifteen seconds: only tests of the Lease wait for that.
        flags = ("--log-level", "debug", "--no-leader-election", *more)
        super().__init__(kubeconfig, endpoint, log, *flags, environment=environment)

    @classmethod
    def as_deployed(cls, container: Mapping[str, Any], namespace: str, kubeconfig: Path, log: Path) -> Self:
        """What a kubelet would start of this container, with a kubeconfig instead of the Pod's token."""
        operator = cls(kubeconfig, "", log)
        operator.command = [*OURSELVES, *container["args"]]
        operator.environment = {"KUBECONFIG": str(kubeconfig)} | variables_of(container, namespace)
        return operator

    def preceded_by(self, code: str) -> Self:
        """The same program in an interpreter that has run this code first: for what surrounds our own code."""
        self.command[1:3] = ["-c", f"{code}\nfrom modelarts_nodepool.cli import main\nmain()"]
        return self

    def to_its_end(self, seconds: float = HANGING_SECONDS) -> tuple[int, str]:
        """Run what ends by itself; its exit code and all it printed."""
        self.launch()
        child = self._take()
        code = child.wait(seconds)
        child.kill()
        assert code is not None, f"it did not end within {seconds} s\n{self.tail()}"
        return code, self.text_of_this_life()

    def start(self, seconds: float = HANGING_SECONDS) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        assert eventually(self.is_ready, seconds), f"not ready within {seconds} s\n{self.tail()}"

    @override
    def is_ready(self) -> bool:
        """Ready and at work; a standby is ready, too."""
        status, body = self.readiness()
        return status == 200 and json.loads(body)["role"] == "leader"

    def is_standby(self) -> bool:
        status, body = self.readiness()
        return status == 200 and json.loads(body)["role"] == "standby"

    def readiness(self) -> Answer:
        """Status and body of /readyz; status 0 without an answer."""
        return self.ask("/readyz")

    def liveness(self) -> Answer:
        """Status and body of /livez; status 0 without an answer."""
        return self.ask("/livez")

    def hold_still(self) -> None:
        """SIGSTOP: it knows nothing of the time that passes."""
        self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self.send(signal.SIGCONT)

    @override
    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = HANGING_SECONDS) -> tuple[int, float]:
        """Ask it to stop; the exit code and how long it took."""
        code, took = super().stop(number, seconds)
        assert code is not None, f"it did not stop within {seconds} s of {number.name}\n{self.tail()}"
        return code, took

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
