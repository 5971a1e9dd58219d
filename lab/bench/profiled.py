"""`python -m lab.bench.profiled FILE …`: the operator with a profile hook, for lab/bench/path.py.

SIGUSR1 begins to count anew, SIGUSR2 writes the counts to FILE as JSON. The operator's own code knows nothing of it.
"""

import json
import runpy
import signal
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType

PACKAGE = "modelarts_nodepool"
_MARK = f"/{PACKAGE}/"


class Counter:
    """Which files and functions of the package were called since `begin`, and in which order the files."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._is_counting = False
        self._ours: dict[CodeType, str | None] = {}
        self.begin()

    def begin(self, *_: object) -> None:
        """Count anew."""
        self._files: dict[str, int] = {}
        self._functions: set[CodeType] = set()
        self._moves = 0
        self._returns = 0
        self._last: dict[int, str] = {}
        self._steps: dict[str, int] = {}
        self._is_counting = True

    def write(self, *_: object) -> None:
        """Stop, and write what was counted."""
        self._is_counting = False
        found = {
            "files": len(self._files),
            "functions": len(self._functions),
            "moves": self._moves,
            "returns": self._returns,
            "calls_by_file": dict(sorted(self._files.items())),
            "steps": dict(sorted(self._steps.items(), key=lambda step: -step[1])),
        }
        partial = self._target.with_suffix(".partial")
        partial.write_text(json.dumps(found))
        partial.rename(self._target)

    def hook(self, frame: FrameType, event: str, _: object) -> None:
        """For sys.setprofile: each call of a function, and each time that a coroutine goes on."""
        if event != "call" or not self._is_counting:
            return
        code = frame.f_code
        file = self._ours.get(code, "")
        if file == "":
            _, mark, rest = code.co_filename.rpartition(_MARK)
            file = self._ours[code] = rest if mark else None
        if file is None:
            return
        self._functions.add(code)
        thread = threading.get_ident()
        if (last := self._last.get(thread)) != file:
            self._moves += 1
            step = f"{last} → {file}"
            self._steps[step] = self._steps.get(step, 0) + 1
            self._returns += file in self._files
            self._last[thread] = file
        self._files[file] = self._files.get(file, 0) + 1


def main() -> None:
    """Run the operator with the rest of the command line."""
    counter = Counter(Path(sys.argv[1]))
    signal.signal(signal.SIGUSR1, counter.begin)
    signal.signal(signal.SIGUSR2, counter.write)
    threading.setprofile(counter.hook)
    sys.setprofile(counter.hook)
    sys.argv = [PACKAGE, *sys.argv[2:]]
    runpy.run_module(PACKAGE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
