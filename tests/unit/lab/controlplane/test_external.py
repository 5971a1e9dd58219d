import os
import sys
from pathlib import Path

import pytest

from lab.controlplane.external import run_streaming
from tests.support.liveness import eventually, is_alive

# A compiler started by a build: it must not outlive it.
GRANDCHILD = (
    "import subprocess, sys; "
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); "
    "import time; time.sleep(60)"
)


def test_lines_are_handed_on_and_logged(tmp_path: Path) -> None:
    lines: list[str] = []
    log = tmp_path / "log"
    code = run_streaming(
        [sys.executable, "-c", "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"],
        environment=os.environ,
        folder=tmp_path,
        log=log,
        on_line=lines.append,
    )
    assert code == 3
    assert sorted(lines) == ["one", "two"]
    assert log.read_text().splitlines()[0].startswith("$ ")
    assert "two\n" in log.read_text()


def test_an_interruption_ends_the_command_and_its_children(tmp_path: Path) -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_streaming(
            [sys.executable, "-c", GRANDCHILD],
            environment=os.environ,
            folder=tmp_path,
            log=tmp_path / "log",
            on_line=interrupt,
        )
    assert eventually(lambda: not is_alive(pids[0]))
