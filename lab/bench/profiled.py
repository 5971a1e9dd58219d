"""`python -m lab.bench.profiled FILE …`: the operator with a profile hook, for lab/bench/path.py.

SIGUSR1 begins to count anew, SIGUSR2 writes the counts to FILE as JSON. The operator's own code knows nothing of it.
A call is counted where it starts. That a coroutine goes on after an await is no call: the event loop then enters the
whole chain of callers anew, in no order that a reader follows. A comprehension belongs to its function. Nor is counted
what runs beside a deletion without it: the renewals of the Lease, and the requests of probes and scrapes.
"""

import dis
import json
import runpy
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType

PACKAGE = "modelarts_nodepool"
_MARK = f"/{PACKAGE}/"
_COMPREHENSIONS = frozenset({"<dictcomp>", "<genexpr>", "<listcomp>", "<setcomp>"})
_BESIDE = ("kube/leader_election.py", "server/")


class Counter:
    """Which files and functions of the package were called since `begin`, and in which order the files."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._is_counting = False
        self._ours: dict[CodeType, str | None] = {}
        self._starts: dict[CodeType, int] = {}
        self.begin()

    def begin(self, *_: object) -> None:
        """Count anew."""
        self._files: dict[str, int] = {}
        self._functions: dict[CodeType, int] = {}
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
            "calls_by_function": dict(sorted(self._named())),
            "steps": dict(sorted(self._steps.items(), key=lambda step: -step[1])),
        }
        partial = self._target.with_suffix(".partial")
        partial.write_text(json.dumps(found))
        partial.rename(self._target)

    def _named(self) -> Iterator[tuple[str, int]]:
        for code, calls in self._functions.items():
            yield f"{self._ours[code]}:{code.co_firstlineno} {code.co_qualname}", calls

    def hook(self, frame: FrameType, event: str, _: object) -> None:
        """For sys.setprofile: each call of a function of ours."""
        if event != "call" or not self._is_counting:
            return
        code = frame.f_code
        file = self._file_of(code)
        if file is None or frame.f_lasti > self._start_of(code) or self._is_beside(frame):
            return
        self._functions[code] = self._functions.get(code, 0) + 1
        thread = threading.get_ident()
        if (last := self._last.get(thread)) != file:
            self._moves += 1
            step = f"{last} → {file}"
            self._steps[step] = self._steps.get(step, 0) + 1
            self._returns += file in self._files
            self._last[thread] = file
        self._files[file] = self._files.get(file, 0) + 1

    def _file_of(self, code: CodeType) -> str | None:
        if code not in self._ours:
            _, mark, rest = code.co_filename.rpartition(_MARK)
            self._ours[code] = rest if mark and code.co_name not in _COMPREHENSIONS else None
        return self._ours[code]

    def _start_of(self, code: CodeType) -> int:
        """The offset at which a call begins; a coroutine that goes on is beyond it."""
        if code not in self._starts:
            self._starts[code] = next(each.offset for each in dis.get_instructions(code) if each.opname == "RESUME")
        return self._starts[code]

    def _is_beside(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if (self._file_of(frame.f_code) or "").startswith(_BESIDE):
                return True
            frame = frame.f_back
        return False


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
