"""The real kubectl, bound to one kubeconfig and to a home folder that is not the user's.

`plane.py` makes one; tests and the demo call it. The user's kube contexts and caches are never touched.
"""

import asyncio
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.controlplane.failures import KubectlError

TIMEOUT_SECONDS = 120.0
# For `kubectl wait`. Not condition=Established: kubectl gives up on a CRD that has no conditions yet.
ESTABLISHED = "--for=jsonpath={.status.conditions[?(@.type=='Established')].status}=True"


@dataclass(frozen=True)
class KubectlResult:
    """What kubectl printed and the code that it ended with."""

    stdout: str
    stderr: str
    code: int


class Kubectl:
    """Call it as `await kubectl("get", "namespaces")`, or `run(…)` where nothing is asynchronous."""

    def __init__(self, binary: Path, kubeconfig: Path, home: Path) -> None:
        self.binary = binary
        self.kubeconfig = kubeconfig
        self._home = home

    async def __call__(self, *args: str, stdin: str | None = None, check: bool = True) -> KubectlResult:
        """Run kubectl; raise `KubectlError` for an exit code other than 0 unless `check` is off."""
        child = await asyncio.create_subprocess_exec(
            str(self.binary),
            *args,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment(),
        )
        try:
            answer = child.communicate(stdin.encode() if stdin is not None else None)
            stdout, stderr = await asyncio.wait_for(answer, TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise _timed_out(args) from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return _result(args, stdout.decode(), stderr.decode(), child.returncode or 0, check=check)

    def run(self, *args: str, stdin: str | None = None, check: bool = True) -> KubectlResult:
        """Run kubectl and block until it ends."""
        try:
            done = subprocess.run(
                [str(self.binary), *args],
                input=stdin if stdin is not None else "",
                capture_output=True,
                text=True,
                check=False,
                env=self.environment(),
                timeout=TIMEOUT_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise _timed_out(args) from error
        return _result(args, done.stdout, done.stderr, done.returncode, check=check)

    def environment(self) -> dict[str, str]:
        """The environment in which kubectl, and anything else meant for this cluster alone, sees only it."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "KUBERC"))}
        return kept | {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self._home)}


def _shown(args: tuple[str, ...]) -> str:
    return f"`kubectl {shlex.join(args)[:300]}`"


def _timed_out(args: tuple[str, ...]) -> KubectlError:
    return KubectlError(f"{_shown(args)} did not end within {TIMEOUT_SECONDS:.0f} s and was killed.")


def _result(args: tuple[str, ...], stdout: str, stderr: str, code: int, *, check: bool) -> KubectlResult:
    if check and code:
        said = (stderr.strip() or stdout.strip())[:2000]
        raise KubectlError(f"{_shown(args)} ended with exit code {code}: {said}")
    return KubectlResult(stdout, stderr, code)
