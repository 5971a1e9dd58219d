"""`modelarts-nodepool demo` as a person runs it: the real command, in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from lab.controlplane import Binaries
from lab.controlplane.cache import cache_root
from tests.support.liveness import eventually, is_alive, pids_naming

pytestmark = pytest.mark.long

OWN_CONTEXTS = "apiVersion: v1\nkind: Config\ncurrent-context: mine\n"
LIMIT_SECONDS = 180


@dataclass
class Demo:
    """A demo that runs; its folder and its home are the test's own."""

    running: subprocess.Popen[str]
    temporary: Path
    home: Path
    said: str = ""

    @property
    def output(self) -> IO[str]:
        assert self.running.stdout is not None
        return self.running.stdout

    def until(self, text: str) -> None:
        """Read what it says until a line holds the text."""
        for line in self.output:
            self.said += line
            if text in line:
                return
        raise AssertionError(f"{text!r} never came:\n{self.said}")

    def end(self) -> int:
        """Read the rest; the exit code."""
        self.said += self.output.read()
        return self.running.wait(LIMIT_SECONDS)

    @property
    def pids(self) -> list[int]:
        """What it started and still lives: each names the demo's folder on its command line."""
        return pids_naming(f"{self.temporary}/")

    def assert_nothing_left(self) -> None:
        assert self.pids == []
        assert list(self.temporary.iterdir()) == []
        assert sorted(path.relative_to(self.home) for path in self.home.rglob("*")) == [
            Path(".kube"),
            Path(".kube/config"),
        ]
        assert (self.home / ".kube" / "config").read_text() == OWN_CONTEXTS


Start = Callable[..., Demo]


@pytest.fixture
def start(tmp_path: Path, control_plane_binaries: Binaries) -> Iterator[Start]:
    assert control_plane_binaries.kubectl.exists()
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    (home / ".kube").mkdir(parents=True)
    (home / ".kube" / "config").write_text(OWN_CONTEXTS)
    temporary.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KUBECONFIG")}
    # The binaries are found where they are although the home is another one.
    environment = kept | {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "MODELARTS_NODEPOOL_CACHE": str(cache_root(os.environ).parents[1]),
        # Proxies are for the internet: the demo must not send its own traffic there.
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
        "no_proxy": "",
    }
    started: list[Demo] = []

    def begin(*args: str) -> Demo:
        command = [sys.executable, "-m", "modelarts_nodepool", "demo", *args]
        running = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        started.append(Demo(running, temporary, home))
        return started[-1]

    yield begin
    for demo in started:
        if demo.running.poll() is None:
            demo.running.terminate()
            demo.running.wait(LIMIT_SECONDS)
        demo.output.close()


def test_everything_happens_as_told_and_nothing_is_left(start: Start, tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    demo = start("--record", str(picture))
    assert demo.end() == 0, demo.said
    assert "\x1b" not in demo.said
    for told in (
        "$ kubectl apply --server-side -f crds/",
        "modelartsnodepool.modelarts.huaweicloud.com/training-a created",
        "✓ the counts are the cloud's own",
        "✓ 1 abnormal in the cloud, 1 abnormal in status",
        "✓ Terminating: the finalizer holds the object while 3 nodes are deleting",
        "✓ still exactly one DELETE",
        "✓ held as YearlyMonthlyBilling",
        "✓ held as WorkloadsRunning",
        "train resnet50-run-7 (for 21 d, on 2 nodes)",
        "✓ resnet50-run-7 has ended; one DELETE was sent",
        "kubectl patch -n ml manp yearly-d --type=merge",
        "no call that names shared-c",
        "Everything stopped, nothing left",
        "Everything happened as described",
    ):
        assert told in demo.said
    row = r"training-a +pool-3f2c +training-a +False +DeletingNodePool +0 +0 +0 +3 "
    assert re.search(row, demo.said)
    assert re.search(r"delete_node_pool +2 +200 ×2\n", demo.said)  # noqa: RUF001
    assert re.search(r"yearly-d +kubectl delete +held: YearlyMonthlyBilling +4 available +0 ", demo.said)
    demo.assert_nothing_left()
    svg = picture.read_text()
    assert "DeletingNodePool" in svg
    assert not [word for word in (str(tmp_path), str(Path.home()), sys.prefix) if word in svg]


def test_keep_leaves_it_running_until_ctrl_c(start: Start) -> None:
    demo = start("--keep")
    demo.until("tail -f")
    shown = re.sub(r" \\\n +", " ", demo.said)  # as a shell reads it
    found = re.search(r"\$ export KUBECONFIG=(\S+)", shown)
    assert found
    kubectl = re.search(r"\$ (\S*kubectl) get manp -n ml -w", shown)
    assert kubectl
    asked = subprocess.run(  # noqa: S603 - the demo's own kubectl
        [kubectl[1], "get", "manp", "-n", "ml", "-o", "name"],
        env={"KUBECONFIG": found[1], "HOME": str(demo.temporary), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [name.partition("/")[2] for name in asked.stdout.split()] == ["training-b", "yearly-d"]
    demo.running.send_signal(signal.SIGINT)
    assert demo.end() == 0, demo.said
    assert "nothing left" in demo.said


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("starting etcd", signal.SIGINT),
        ("cat node-pools/training-a.yaml", signal.SIGINT),
        ("wait --for=delete", signal.SIGTERM),
    ],
    ids=["while the control plane starts", "after step 1", "SIGTERM while nodes are deleting"],
)
def test_an_interrupt_leaves_nothing(start: Start, moment: str, number: signal.Signals) -> None:
    demo = start()
    demo.until(moment)
    demo.running.send_signal(number)
    assert demo.end() == 130, demo.said
    assert "Everything stopped, nothing left" in demo.said
    demo.assert_nothing_left()


def test_no_process_outlives_a_killed_demo(start: Start) -> None:
    demo = start()
    demo.until("wait --for=delete")
    children = demo.pids
    assert len(children) >= 5
    demo.running.kill()
    demo.end()
    assert eventually(lambda: not any(is_alive(pid) for pid in children))
    assert demo.pids == []


def test_an_operator_that_dies_is_told_with_its_log(start: Start) -> None:
    demo = start()
    demo.until("wait --for=delete")
    (operator,) = (pid for pid in demo.pids if is_the_operator(pid))
    os.kill(operator, signal.SIGKILL)
    assert demo.end() == 1, demo.said
    assert "✗ the operator ended with exit code 137." in demo.said
    assert "It happened in: 4  kubectl delete" in demo.said
    assert "DELETE of node pool training-a: Accepted" in demo.said
    (kept,) = demo.temporary.iterdir()
    assert str(kept) in demo.said
    assert {"operator.log", "simulator.log", "kube-apiserver.log", "objects.yaml", "cloud-calls.txt"} <= {
        path.name for path in kept.iterdir()
    }
    assert "SKSIMULATOR" not in "".join(path.read_text() for path in kept.iterdir())
    assert eventually(lambda: demo.pids == [])


def is_the_operator(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"run" in words and not any(word.endswith(b"keeper.py") for word in words)
