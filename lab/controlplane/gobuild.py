"""Builds binaries from a pinned Go module: the way that needs only a Go module proxy.

`binaries.py` calls it last, for the control plane; the toolbox calls it for helm. It takes minutes, once; so it
shows how far it is.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.controlplane import pins
from lab.controlplane.cache import Cache
from lab.controlplane.child import last_lines
from lab.controlplane.external import run_streaming
from lab.controlplane.failures import BinariesUnavailableError
from lab.controlplane.narration import Narrator, clock
from lab.controlplane.toolchain import Go, ensure_go

MODULE_NOTICE = "go: "


class GoBuild:
    """A way to get binaries: compile them."""

    def __init__(self, environment: Mapping[str, str] = os.environ, module: pins.GoModule = pins.CONTROL_PLANE) -> None:
        self._environment = environment
        self._module = module

    def obtain(self, names: Sequence[str], cache: Cache, narrator: Narrator) -> None:
        """Compile all of them and take each into the cache."""
        go = ensure_go(cache, narrator, self._environment)
        log = cache.folder / "build.log"
        log.write_text("")
        total = self._count_packages(go, names, log, narrator)
        narrator.say(f"Building {', '.join(names)}: {self._module.estimate}.")
        with cache.partial() as partial:
            with narrator.step(f"Compiling with {go.version}") as step:
                step.total = total
                step.detail = f"0 of at most {total:,} packages"

                def count(line: str) -> None:
                    if not line.startswith((MODULE_NOTICE, "#", "\t")):
                        step.done += 1
                        step.detail = f"{step.done:,} of at most {total:,} packages"

                flags = ["-v", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={self._module.ldflags}"]
                packages = [self._module.packages[name] for name in names]
                self._run([str(go.binary), "build", *flags, f"-o={partial}/", *packages], log, count)
            for name in names:
                cache.install(name, partial / self._module.built_names.get(name, name))
        narrator.say(f"Built {', '.join(names)} in {clock(step.elapsed_seconds)}.")

    def _count_packages(self, go: Go, names: Sequence[str], log: Path, narrator: Narrator) -> int:
        """Load the modules and count the packages that the binaries consist of."""
        count = 0
        with narrator.step("Loading Go modules") as step:

            def note(line: str) -> None:
                nonlocal count
                if line.startswith(MODULE_NOTICE):
                    step.done += 1
                    step.detail = f"{step.done} modules"
                else:
                    count += 1

            packages = [self._module.packages[name] for name in names]
            self._run([str(go.binary), "list", "-deps", "-mod=readonly", *packages], log, note)
        return count

    def _run(self, command: Sequence[str], log: Path, on_line: Callable[[str], None]) -> None:
        ours = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GO111MODULE": "on"}
        # A machine that cross-compiles by default would build what it cannot run.
        kept = {key: value for key, value in self._environment.items() if key not in {"GOOS", "GOARCH"}}
        code = run_streaming(command, environment=kept | ours, folder=self._module.folder, log=log, on_line=on_line)
        if code:
            raise BinariesUnavailableError(
                f"`go {command[1]}` ended with exit code {code}. If the Go module proxy is out of reach, set "
                f"GOPROXY, or {self._module.otherwise}. The end of {log}:\n{last_lines(log)}"
            )
