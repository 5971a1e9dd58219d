"""A recorder, and both clients on the same kubeconfigs and the same environment: kubectl and ours."""

import asyncio
import base64
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.controlplane import Binaries
from modelarts_nodepool.errors import ClusterError, SettingsError
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from tests.support.certificates import Authority
from tests.support.limits import HANGING_SECONDS
from tests.support.recording import Recorder, Seen, a_recorder, make_authority

Content = Mapping[str, Any] | str | bytes


@dataclass(frozen=True)
class Outcome:
    """What the servers saw; nothing where the client refused. `words` is what it said then."""

    seen: Seen | None
    words: str


@dataclass
class Bench:
    """A folder with kubeconfigs, in which both clients are called. $NAME in a text stands for what is known here."""

    folder: Path
    recorder: Recorder
    kubectl: Path
    env: dict[str, str] = field(default_factory=dict)

    def words(self) -> dict[str, str]:
        at, ca = self.recorder.at, self.recorder.authority.folder

        def data(name: str) -> str:
            return base64.b64encode((ca / name).read_bytes()).decode()

        def pem(name: str) -> str:
            """As it stands in a JSON text that stands in a YAML text."""
            return (ca / name).read_text()

        return {
            "$ALICE": data("alice.crt"),
            "$KEY": data("alice.key"),
            "$CADATA": data("ca.crt"),
            "$CAPEM": pem("ca.crt"),
            "$ITSELFPEM": pem("itself.crt"),
            "$PEMCERT": pem("alice.crt").replace("\n", "\\n"),
            "$PEMKEY": pem("alice.key").replace("\n", "\\n"),
            "$A": at("a"),
            "$B": at("b"),
            "$NAMED": at("named"),
            "$ITSELF": at("itself"),
            "$PLAIN": at("plain", "http"),
            "$PORTPLAIN": str(self.recorder.ports["plain"]),
            "$PORT": str(self.recorder.ports["a"]),
            "$PROXY": at("proxy", "http"),
            "$HOSTPROXY": f"127.0.0.1:{self.recorder.ports['proxy']}",
            "$SECUREPROXY": at("secure-proxy"),
            "$CA": str(ca),
            "$DIR": str(self.folder),
        }

    def fill(self, text: str) -> str:
        """Longest names first, for some begin with others."""
        for name, value in sorted(self.words().items(), key=lambda item: -len(item[0])):
            text = text.replace(name, value)
        return text

    def write(self, name: str, content: Content) -> Path:
        """A file in the folder. An executable one if it is a script."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
            return path
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        path.write_text(self.fill(text))
        if text.startswith("#!"):
            path.chmod(0o755)
        return path

    async def ask_kubectl(self, *flags: str) -> Outcome:
        """`kubectl get --raw /version`."""
        before = len(self.recorder.seen)
        child = await asyncio.create_subprocess_exec(
            self.kubectl,
            "get",
            "--raw",
            "/version",
            *flags,
            cwd=self.folder,
            env=self.environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(HANGING_SECONDS):
            _, stderr = await child.communicate()
        return self._outcome(before, stderr.decode(), is_refused=child.returncode != 0)

    async def ask_ours(self, kubeconfig: str | None = None, context: str | None = None) -> Outcome:
        """The same request over our own connection."""
        before = len(self.recorder.seen)
        try:
            async with await Connection.open(version="0", kubeconfig=kubeconfig, context=context) as connection:
                await KubeCluster(connection).get("/version")
        except (SettingsError, ClusterError) as error:
            return self._outcome(before, str(error), is_refused=True)
        return self._outcome(before, "", is_refused=False)

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder / "home"), "PATH": os.environ["PATH"]} | self.env

    def _outcome(self, before: int, words: str, *, is_refused: bool) -> Outcome:
        seen = self.recorder.seen[before:]
        return Outcome(None if is_refused or not seen else seen[-1], words)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def bench(
    tmp_path: Path, authority: Authority, control_plane_binaries: Binaries, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    monkeypatch.chdir(tmp_path)
    async with a_recorder(authority) as recorder:
        yield Bench(tmp_path, recorder, control_plane_binaries.kubectl)


@pytest.fixture
def use_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """The whole environment of both clients: nothing of this machine but PATH."""

    def use(env: Mapping[str, str]) -> None:
        bench.env = {name: bench.fill(value) for name, value in env.items()}
        for name in list(os.environ):
            # What coverage and pytest keep there does not matter to either.
            if name.lower().endswith("_proxy") or name.startswith(("KUBE", "SSL_", "XDG")) or name == "REQUEST_METHOD":
                monkeypatch.delenv(name)
        for name, value in bench.environment().items():
            monkeypatch.setenv(name, value)

    assert shutil.which("sh")
    return use
