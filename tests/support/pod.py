"""What a container of the operator's Pod finds around it, without a container engine.

A uid that no /etc/passwd knows, no variable but those that its Deployment sets, no HOME, a folder to start in that it
cannot write, and no file system that takes a single byte. A kubeconfig that names token and certificate as files stands
in for the Pod's own, whose place is not ours to write.
"""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typing_extensions import override

from lab.controlplane.child import Child
from tests.support.limits import HANGING_SECONDS
from tests.support.operator import OperatorProcess, variables_of

# Python ignores the signal that comes with it: each write to a file is an error, as in a read-only file system.
_NO_BYTE = ("prlimit", "--fsize=0:0")


@dataclass(frozen=True)
class Pod:
    """`folder` can be read by everybody and written by nobody but its owner."""

    uid: int
    folder: Path
    container: Mapping[str, Any]
    namespace: str
    kubeconfig: Path

    @classmethod
    def of(cls, deployment: Mapping[str, Any], uid: int, folder: Path, kubeconfig: Path) -> "Pod":
        """The Pod of a Deployment in an empty folder; its uid is the cluster's to choose."""
        token = _write_token(kubeconfig, folder)
        folder.chmod(0o555)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return cls(uid, folder, container, deployment["metadata"]["namespace"], token)

    def options(self) -> dict[str, Any]:
        """For subprocess: who, where, and with which variables."""
        environment = {"KUBECONFIG": str(self.kubeconfig)} | variables_of(self.container, self.namespace)
        return {"cwd": self.folder, "env": environment, "stdin": subprocess.DEVNULL, **way_to(self.uid).options}

    def command(self, *args: str) -> list[str]:
        """Our command with these arguments, as a command line for `options`."""
        return self.python("-m", "modelarts_nodepool", *args)

    def python(self, *args: str) -> list[str]:
        """The interpreter."""
        return [*way_to(self.uid).command, sys.executable, *args]

    def run(self, command: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
        """What ends by itself, as `kubectl exec` would start it."""
        options = self.options()
        options["env"] |= environment
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANGING_SECONDS, **options)  # noqa: S603


class ChildInPod(Child):
    """The operator without a keeper: it can write no file, so its log is written by a thread of ours."""

    def __init__(self, pod: Pod, log: Path) -> None:
        self.name, self.log = "the operator", log
        log.touch()
        self._keeper = subprocess.Popen(  # noqa: S603 - ours
            pod.command(*pod.container["args"], "--http-port=0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            **pod.options(),
        )
        self.pid = self._keeper.pid
        self._copying = threading.Thread(target=self._copy, name="log", daemon=True)
        self._copying.start()

    def _copy(self) -> None:
        """As the container engine does: the process itself can write no file."""
        assert self._keeper.stdout is not None
        with self._keeper.stdout as output, self.log.open("ab", buffering=0) as log:
            for line in output:
                log.write(line)

    @override
    def kill(self) -> None:
        self._keeper.kill()
        self._keeper.wait(HANGING_SECONDS)
        self._copying.join(HANGING_SECONDS)


class OperatorInPod(OperatorProcess):
    """The operator that the kubelet starts."""

    def __init__(self, pod: Pod, log: Path) -> None:
        """Its port is any free one: a Pod's address is its own, this machine's is not."""
        super().__init__(pod.kubeconfig, "", log)
        self._pod = pod

    @override
    def _spawn(self) -> Child:
        return ChildInPod(self._pod, self.log)


def _write_token(kubeconfig: Path, folder: Path) -> Path:
    """Token and certificate as files, as a Pod has them, and a kubeconfig that names them."""
    found = yaml.safe_load(kubeconfig.read_text())
    (cluster,), (user,) = found["clusters"], found["users"]
    authority = base64.b64decode(cluster["cluster"].pop("certificate-authority-data"))
    for name, content in (("ca.crt", authority), ("token", user["user"].pop("token").encode())):
        (folder / name).write_bytes(content)
    cluster["cluster"]["certificate-authority"] = str(folder / "ca.crt")
    user["user"]["tokenFile"] = str(folder / "token")
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(found))
    for written in folder.iterdir():
        written.chmod(0o444)
    return path


@dataclass(frozen=True)
class Way:
    """How a process gets another uid: by what its command line begins with, and by options of subprocess."""

    command: tuple[str, ...]
    options: Mapping[str, Any]


@cache
def way_to(uid: int) -> Way:
    """A user namespace in which we have that uid and go on reading what is ours, else to be root and become it."""
    ways = [Way(("unshare", "--user", f"--map-user={uid}", f"--map-group={uid}", *_NO_BYTE), {})]
    if os.geteuid() == 0:
        ways.append(Way(_NO_BYTE, {"user": uid, "group": uid, "extra_groups": []}))
    said = []
    for way in ways:
        command = [*way.command, sys.executable, "-c", "import modelarts_nodepool"]
        try:
            tried = subprocess.run(  # noqa: S603 - ours
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=HANGING_SECONDS,
                cwd="/",
                env={},
                **way.options,
            )
        except OSError as error:
            said.append(f"{way.command[0]}: {error}")
            continue
        if tried.returncode == 0:
            return way
        said.append(tried.stderr.strip())
    pytest.fail(
        f"No process with uid {uid} can run {sys.executable} here ({'; '.join(said)}). Install util-linux (unshare, "
        "prlimit) and allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
        "kernel.apparmor_restrict_unprivileged_userns=0), or run this test as root with an interpreter and a checkout "
        "that every user can read."
    )
