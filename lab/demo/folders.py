"""The demo's temporary folder: made, filled, kept in part after a failure, removed.

stage.py calls it. Everything that the demo writes is below this one folder, readable by its owner only.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from lab.demo.failures import DemoError

PREFIX = "modelarts-nodepool-demo-"
CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = ("crds", "deploy/kustomize/base")
SECRET_WORD = "secretKey"  # noqa: S105 - a field of the simulator's first line
REMOVAL_ATTEMPTS = 20
REMOVAL_PAUSE_SECONDS = 0.1


def find_shipped(checkout: Path = CHECKOUT) -> dict[str, Path]:
    """The folders of the checkout that the demo applies."""
    found = {name: checkout / name for name in SHIPPED}
    if missing := [name for name, path in found.items() if not path.is_dir()]:
        raise DemoError(
            f"The demo applies {' and '.join(missing)} from a checkout of the repository, and {checkout} is none. "
            "Clone the repository and run `make demo` there."
        )
    return found


def make_folder() -> Path:
    """A new folder that only its owner can enter."""
    return Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()


def fill_work_folder(work: Path, shipped: Mapping[str, Path], files: Mapping[str, str]) -> None:
    """Put there what kubectl is to apply, so that its commands name short relative paths."""
    work.mkdir(mode=0o700)
    for name, source in shipped.items():
        shutil.copytree(source, work / name)
    for name, text in files.items():
        target = work / name
        target.parent.mkdir(exist_ok=True)
        target.touch(mode=0o600)
        target.write_text(text, encoding="utf-8")


def keep_logs(folder: Path, extra: Mapping[str, str]) -> Path:
    """Copy the logs, and nothing that holds a key, to a folder that stays."""

    def copy(log: Path) -> None:
        with log.open(errors="replace") as lines, (kept / log.name).open("w") as copied:
            copied.writelines(line for line in lines if SECRET_WORD not in line)

    kept = Path(tempfile.mkdtemp(prefix=f"{PREFIX}failed-")).resolve()
    for log in sorted(folder.rglob("*.log")):
        copy(log)
    for name, text in extra.items():
        (kept / name).write_text(text, encoding="utf-8")
    return kept


def remove_folder(folder: Path) -> None:
    """Remove it with all that is in it; a file may still be written by a process that is just ending."""
    for _ in range(REMOVAL_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(REMOVAL_PAUSE_SECONDS)
