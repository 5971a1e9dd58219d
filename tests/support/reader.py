"""A reader of the docs: a shell in a copy of the checkout, with a cluster and a false cloud.

The commands run as they stand on the page. The copy differs from the checkout in one thing that the docs ask for, too:
the samples carry the reader's own values.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from lab.controlplane import ControlPlane
from tests.support.cloud import Cloud
from tests.support.crds import REPOSITORY
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually
from tests.support.pages import Command, Run

ML = "ml"
_SCENARIO = re.compile(r"^```yaml\n(timings:.*?)^```$", re.DOTALL | re.MULTILINE)


class Reader:
    """Run commands of a page and hold what they print against it."""

    def __init__(self, plane: ControlPlane, cloud: Cloud, helm: Path, folder: Path) -> None:
        self.plane, self.cloud, self.folder = plane, cloud, folder
        for name in ("crds", "deploy"):
            shutil.copytree(REPOSITORY / name, folder / name)
        account = folder / "deploy/samples/account.yaml"
        # Values of the reader's own; short intervals, so that a test is.
        account.write_text(account.read_text() + "  pollInterval: 1s\n  activePollInterval: 1s\n")
        # The example of the page about the simulator, under the name that its command gives it.
        (example,) = _SCENARIO.findall((REPOSITORY / "docs/simulator.md").read_text())
        (folder / "world.yaml").write_text(example)
        (folder / "access-key.txt").write_text(cloud.hello["accessKey"])
        (folder / "secret-key.txt").write_text(cloud.hello["secretKey"])
        self._environment = self._variables(helm)

    def _variables(self, helm: Path) -> dict[str, str]:
        found = {key: text for key, text in os.environ.items() if not key.startswith(("MODELARTS", "HELM", "KUBE"))}
        commands = [str(path.parent) for path in (Path(sys.executable), self.plane.kubectl.binary, helm)]
        return (
            found
            | self.plane.kubectl.environment()
            | {f"HELM_{name}_HOME": str(self.folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
            | {
                "PATH": os.pathsep.join([*commands, os.environ["PATH"]]),
                "ENDPOINT": self.cloud.endpoint,
                "MODELARTS_NODEPOOL_ENDPOINT": f"{self.cloud.region}={self.cloud.endpoint}",
                "MODELARTS_NODEPOOL_HTTP_HOST": "127.0.0.1",
                "MODELARTS_NODEPOOL_HTTP_PORT": "0",
                "NS": ML,
                "NAME": "training-a",
                "NODE_POOL": "training-a",
            }
        )

    def run(self, command: Command, run: Run) -> None:
        """Run it and hold what came of it against the page."""
        code, said = (self._serve if run.until else self._finish)(command, run)
        assert code == run.exit, f"{command.page}: {command.text}\nexit code {code}\n{said}"
        printed = {_columns(line, run.columns) for line in said.splitlines()}
        for line in command.shown:
            assert run.columns == 0 or _is_printed(_columns(line, run.columns), printed), (
                f"{command.page}: {command.text}\nthe page shows a line that is not printed:\n{line}\n{said}"
            )

    def _finish(self, command: Command, run: Run) -> tuple[int, str]:
        done = subprocess.run(  # noqa: S603 - the pages are ours
            ["bash", "-euo", "pipefail", "-c", command.text],  # noqa: S607 - whichever the person has
            cwd=self.folder,
            env=self._environment | dict(run.names),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=HANGING_SECONDS,
        )
        return done.returncode, done.stdout

    def _serve(self, command: Command, run: Run) -> tuple[int, str]:
        """A command that runs until somebody ends it."""
        log = self.folder / "served.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the pages are ours
                ["bash", "-euc", f"exec {command.text}"],  # noqa: S607 - whichever the person has
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            assert eventually(lambda: run.until in log.read_text() or process.poll() is not None)
            process.send_signal(signal.SIGTERM)
            code = process.wait(HANGING_SECONDS)
        finally:
            process.kill()
        assert run.until in log.read_text(), f"{command.page}: {command.text}\n{log.read_text()}"
        return code, log.read_text()


def _is_printed(shown: tuple[str, ...], printed: set[tuple[str, ...]]) -> bool:
    """Whether a line is there; the page shortens what is long with an ellipsis at its end."""
    if shown[-1].endswith("…"):
        start = "  ".join(shown).removesuffix("…").strip()
        return any("  ".join(line).startswith(start) for line in printed)
    return shown in printed


def _columns(line: str, count: int | None) -> tuple[str, ...]:
    """The columns of a line that are to be the same, in the words of the page."""
    return tuple(re.split(r"\s{2,}", line.strip())[:count])
