"""Takes programs out of a Debian package without root: apt fetches and verifies it, dpkg unpacks it into the cache."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.controlplane.cache import Cache
from lab.controlplane.child import last_lines
from lab.controlplane.external import run_streaming
from lab.controlplane.failures import BinariesUnavailableError
from lab.controlplane.narration import Narrator


class DebianPackage:
    """A way to get programs that need nothing but the C library."""

    def __init__(self, package: str, environment: Mapping[str, str]) -> None:
        self._package = package
        self._environment = dict(environment) | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}

    def obtain(self, names: Sequence[str], cache: Cache, narrator: Narrator) -> None:
        """Fetch the package and take `/usr/bin/<name>` of each into the cache."""
        if shutil.which("apt-get", path=self._environment.get("PATH")) is None:
            raise self._unavailable(names, "there is no apt-get to fetch them with")
        with cache.partial() as partial, narrator.step(f"Fetching Debian's package {self._package}"):
            self._fetch(names, partial)
            (package,) = partial.glob("*.deb")
            self._run(names, ["dpkg", "-x", str(package), str(partial / "unpacked")], partial)
            for name in names:
                cache.install(name, partial / "unpacked" / "usr" / "bin" / name)
        narrator.say(f"Took {', '.join(names)} from Debian's package {self._package}.")

    def _fetch(self, names: Sequence[str], partial: Path) -> None:
        """With the system's lists where they are good; else with lists of our own, which need no root."""
        log = partial / "apt.log"
        # apt has a user of its own for downloads, who may not write here.
        ours = ["-o", "APT::Sandbox::User="]
        if not self._ends_well(["apt-get", *ours, "download", self._package], partial, log):
            for folder in ("lists", "cache"):
                (partial / folder / "partial").mkdir(parents=True)
            ours += ["-o", f"Dir::State::lists={partial}/lists", "-o", f"Dir::Cache={partial}/cache"]
            self._run(names, ["apt-get", *ours, "update"], partial)
            self._run(names, ["apt-get", *ours, "download", self._package], partial)

    def _run(self, names: Sequence[str], command: Sequence[str], folder: Path) -> None:
        log = folder / "apt.log"
        if not self._ends_well(command, folder, log):
            raise self._unavailable(names, f"`{command[0]}` failed:\n{last_lines(log)}")

    def _ends_well(self, command: Sequence[str], folder: Path, log: Path) -> bool:
        environment = self._environment
        return run_streaming(command, environment=environment, folder=folder, log=log, on_line=lambda _: None) == 0

    def _unavailable(self, names: Sequence[str], why: str) -> BinariesUnavailableError:
        return BinariesUnavailableError(
            f"{' and '.join(names)} could not be had: {why}\nInstall them so that they are on PATH, "
            f"for example: apt-get install {self._package}"
        )
