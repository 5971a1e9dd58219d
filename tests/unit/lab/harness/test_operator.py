"""The process of an operator: a program of ours stands for it, which needs no cluster."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controlplane.failures import ServerStoppedError
from lab.harness.failures import LabError
from lab.harness.operator import Operator
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually, is_alive

# Many short sleeps: a signal that comes right before a sleep is noticed only after it.
WAITS = """\
import signal, time
signal.signal(signal.SIGTERM, {handler})
print('{said}', flush=True)
while True:
    time.sleep(0.05)
"""
ENDS_WELL, IGNORES = "lambda *_: exit(0)", "signal.SIG_IGN"


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    operator = Operator(tmp_path / "kubeconfig", "cn-north-4=http://127.0.0.1:1", tmp_path / "operator.log")
    yield operator
    operator.end()


def runs(operator: Operator, code: str, said: str) -> None:
    operator.command = [sys.executable, "-c", code]
    operator.launch()
    assert eventually(lambda: said in operator.text_of_this_life()), operator.text()


def test_it_stops_with_its_exit_code(operator: Operator) -> None:
    runs(operator, WAITS.format(handler=ENDS_WELL, said="here"), "here")
    pid = operator.pid
    assert operator.stop(seconds=HANGING_SECONDS)[0] == 0
    assert not operator.is_running
    assert not is_alive(pid)


def test_what_does_not_stop_in_time_has_no_exit_code_and_is_killed(operator: Operator) -> None:
    runs(operator, WAITS.format(handler=IGNORES, said="here"), "here")
    pid = operator.pid
    code, took = operator.stop(seconds=0.2)
    assert code is None
    assert took >= 0.2
    assert not is_alive(pid)


def test_what_stands_still_is_stopped_too(operator: Operator) -> None:
    runs(operator, WAITS.format(handler=ENDS_WELL, said="here"), "here")
    operator.send(signal.SIGSTOP)
    assert operator.stop(seconds=HANGING_SECONDS)[0] == 0


def test_its_url_is_that_of_this_life(operator: Operator) -> None:
    for port in (1, 2):
        said = f"http server listening on http://127.0.0.1:{port}"
        runs(operator, WAITS.format(handler=ENDS_WELL, said=said), said)
        assert operator.url == f"http://127.0.0.1:{port}"
        operator.kill()
    runs(operator, WAITS.format(handler=ENDS_WELL, said="not yet"), "not yet")
    assert operator.ask("/readyz") == (0, "not listening yet")
    with pytest.raises(LabError, match="does not listen yet"):
        _ = operator.url


def test_one_that_ended_by_itself_is_told_with_its_last_words(operator: Operator) -> None:
    runs(operator, "print('goodbye', flush=True)\nexit(3)", "goodbye")
    child = operator.child
    assert child is not None
    assert child.wait(240) == 3
    with pytest.raises(ServerStoppedError, match=r"exit code 3(?s:.*)goodbye"):
        operator.ask("/readyz")


def test_flags_in_our_environment_are_not_the_operators(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELARTS_NODEPOOL_LOG_LEVEL", "error")
    operator.environment = {"ANOTHER": "variable"}
    names = "('MODELARTS_NODEPOOL_LOG_LEVEL', 'ANOTHER', 'TMPDIR')"
    runs(operator, f"import os\nprint([os.environ.get(name) for name in {names}], 'all', flush=True)", "all")
    assert f"[None, 'variable', '{operator.log.parent}'] all" in operator.text()
