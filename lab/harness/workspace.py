"""Where everything runs: the checkout, a private folder that goes again, and what must not be left over."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.controlplane import ESTABLISHED, ControlPlane
from lab.controlplane.ports import LOOPBACK
from lab.harness.failures import LabError
from lab.harness.interrupts import Interrupts
from lab.harness.operator import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE

CHECKOUT = Path(__file__).resolve().parents[2]
CRDS, BASE = "crds", "deploy/kustomize/base"
SHIPPED = (CRDS, BASE)
SECRET_WORD = "secretKey"  # noqa: S105 - a field of the simulator's first line
REMOVAL_ATTEMPTS = 20
REMOVAL_PAUSE_SECONDS = 0.1


def find_shipped(checkout: Path = CHECKOUT) -> dict[str, Path]:
    """The folders of the checkout that are applied to a cluster."""
    found = {name: checkout / name for name in SHIPPED}
    if missing := [name for name, path in found.items() if not path.is_dir()]:
        raise LabError(
            f"The lab applies {' and '.join(missing)} from a checkout of the repository, and {checkout} is none. "
            "Clone the repository and run `make demo` there."
        )
    return found


async def install(plane: ControlPlane) -> Path:
    """Apply what is shipped and wait until both kinds are served; the kubeconfig of the operator's ServiceAccount."""
    shipped = find_shipped()
    for name, flag in ((CRDS, "-f"), (BASE, "-k")):
        await plane.kubectl("apply", "--server-side", flag, str(shipped[name]))
    await plane.kubectl("wait", ESTABLISHED, "crd", "--all", "--timeout=60s")
    return await plane.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)


def reach_loopback_directly() -> None:
    """A proxy in the environment is for the internet; the programs that we start talk to this machine alone."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), LOOPBACK)))


@dataclass
class Workspace:
    """A private folder, and what else must be gone in the end: processes, and entries in the user's kube contexts."""

    folder: Path
    pids: dict[str, int] = field(default_factory=dict)
    server: str | None = None


@asynccontextmanager
async def private_workspace(purpose: str, on_signal: Callable[[], None]) -> AsyncIterator[Workspace]:
    """While the block runs, a signal cancels it, once. LabError where something is left behind it."""
    interrupts = Interrupts(on_signal)
    workspace = Workspace(await asyncio.to_thread(make_folder, purpose))
    try:
        yield workspace
    finally:
        interrupts.ignore()
        await asyncio.to_thread(remove_folder, workspace.folder)
    require_nothing_left(purpose, workspace)


def make_folder(purpose: str) -> Path:
    """A new folder that only its owner can enter."""
    return Path(tempfile.mkdtemp(prefix=f"modelarts-nodepool-{purpose}-")).resolve()


def remove_folder(folder: Path) -> None:
    """Remove it with all that is in it; a file may still be written by a process that is just ending."""
    for _ in range(REMOVAL_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(REMOVAL_PAUSE_SECONDS)


def keep_logs(purpose: str, folder: Path, extra: Mapping[str, str]) -> Path:
    """Copy the logs, and nothing that holds a key, to a folder that stays."""

    def copy(log: Path) -> None:
        with log.open(errors="replace") as lines, (kept / log.name).open("w") as copied:
            copied.writelines(line for line in lines if SECRET_WORD not in line)

    kept = make_folder(purpose)
    for log in sorted(folder.rglob("*.log")):
        copy(log)
    for name, text in extra.items():
        (kept / name).write_text(text, encoding="utf-8")
    return kept


def require_nothing_left(purpose: str, workspace: Workspace) -> None:
    """Raise LabError where something is left."""
    if left := find_leftovers(workspace.pids, workspace.folder, workspace.server):
        raise LabError(
            f"The {purpose} should leave nothing behind, and this is left: {'; '.join(left)}. Remove it by hand."
        )


def find_leftovers(pids: Mapping[str, int], folder: Path, server: str | None) -> list[str]:
    """What is still there, in words. Reads only."""
    found = [f"process {pid} ({name})" for name, pid in pids.items() if is_running(pid)]
    if folder.exists():
        found.append(f"the folder {folder}")
    if server is not None:
        found += [f"{server} in {path}" for path in user_kubeconfigs(os.environ) if _holds(path, server)]
    return found


def is_running(pid: int) -> bool:
    """Whether a process of ours has this pid."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        # What may not be signalled belongs to somebody else: the number was given away again.
        return False
    return True


def user_kubeconfigs(environment: Mapping[str, str]) -> list[Path]:
    """The files in which the user's kubectl finds its contexts."""
    named = [Path(part) for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path.home() / ".kube" / "config"]


def _holds(path: Path, server: str) -> bool:
    try:
        return server in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
