"""Whether the demo has left anything: processes, its folder, entries in the user's kube contexts.

performance.py asks at the very end, whatever happened before. Reads only.
"""

import os
from collections.abc import Mapping
from pathlib import Path


def find_leftovers(pids: Mapping[str, int], folder: Path, server: str | None) -> list[str]:
    """What is still there, in words; empty when all is well."""
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
