"""Starts, restarts and stops the three servers in their order; everything here blocks.

`plane.py` is the face of it. One lock guards the children: stopping waits for a restart and cuts it short.
"""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from lab.controlplane import commands
from lab.controlplane.binaries import Binaries
from lab.controlplane.child import Child
from lab.controlplane.commands import Layout
from lab.controlplane.failures import ControlPlaneError, PortTakenError
from lab.controlplane.identities import (
    ADMIN,
    write_kubeconfig,
    write_private,
    write_signing_key,
    write_tokens,
)
from lab.controlplane.ports import free_ports
from lab.controlplane.waiting import Answer, ask, wait_until_ready

PORT_ATTEMPTS = 5
GRACE_SECONDS = 2.0
ETCD, API, CONTROLLERS = "etcd", "kube-apiserver", "kube-controller-manager"
DEFAULT_SERVICE_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


class Servers:
    """The children of one control plane and what is needed to start them again."""

    def __init__(self, layout: Layout, binaries: Binaries, abandoned: threading.Event) -> None:
        self.layout = layout
        self.admin_kubeconfig = layout.folder / "kubeconfig"
        self._binaries = binaries
        self._abandoned = abandoned
        self._children: dict[str, Child] = {}
        self._lock = threading.RLock()
        self._tokens = write_tokens(layout.tokens)
        write_signing_key(layout.signing_key)
        write_private(layout.audit_policy, commands.AUDIT_POLICY)
        for own in (layout.home, layout.certificates):
            own.mkdir(mode=0o700)

    @classmethod
    def start(
        cls,
        folder: Path,
        binaries: Binaries,
        narrate: Callable[[str], None],
        abandoned: threading.Event,
        choose_ports: Callable[[int], tuple[int, ...]] = free_ports,
    ) -> "Servers":
        """Start all three and wait until they work; nothing is left running when that fails."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if any(folder.iterdir()):
            raise ControlPlaneError(f"The folder {folder} is not empty. Give the control plane one of its own.")
        for attempt in range(1, PORT_ATTEMPTS + 1):
            client_port, peer_port, api_port = choose_ports(3)
            servers = cls(Layout(folder, client_port, peer_port, api_port), binaries, abandoned)
            try:
                servers._start_all(narrate)
            except PortTakenError:
                servers._end_children()
                if attempt == PORT_ATTEMPTS:
                    raise
                narrate("A port was taken in the meantime; trying others.")
                _empty(folder)
            except BaseException:
                servers.stop()
                raise
            else:
                return servers
        raise AssertionError("the last attempt returns or raises")

    def _start_all(self, narrate: Callable[[str], None]) -> None:
        with self._changing():
            narrate(f"Starting {ETCD}")
            etcd = self._launch(ETCD, commands.etcd(self._binaries.etcd, self.layout))
            wait_until_ready(etcd, self._ask_etcd, self._abandoned)
            narrate(f"Starting {API} on {self.layout.server}")
            self._start_apiserver()
            narrate(f"Starting {CONTROLLERS}")
            self._write_kubeconfigs()
            command = commands.kube_controller_manager(self._binaries.kube_controller_manager, self.layout)
            controllers = self._launch(CONTROLLERS, command)
            # The default ServiceAccount is made by the controllers: once it is there, they work.
            wait_until_ready(controllers, lambda: self._ask_api(DEFAULT_SERVICE_ACCOUNT), self._abandoned)

    def _ask_etcd(self) -> Answer:
        """Whether etcd is ready, and is ours: another one may hold the port, and its data is not ours to touch."""
        answer = ask(f"{self.layout.etcd_url}/v3/cluster/member/list", body="{}")
        if answer.status == HTTPStatus.OK and f'"{self.layout.etcd_name}"' not in answer.body:
            return Answer(0, f"another etcd answers on {self.layout.etcd_url}")
        return answer

    def _start_apiserver(self) -> None:
        server = self._launch(API, commands.kube_apiserver(self._binaries.kube_apiserver, self.layout))
        wait_until_ready(server, lambda: self._ask_api("/readyz"), self._abandoned)

    def _launch(self, name: str, command: list[str]) -> Child:
        child = Child(name, command, self.layout.folder / f"{name}.log", self.layout.folder)
        self._children[name] = child
        return child

    def _ask_api(self, path: str) -> Answer:
        authority = self.layout.authority
        if not authority.exists() or not authority.stat().st_size:
            return Answer(0, "no certificate yet")
        return ask(f"{self.layout.server}{path}", authority=authority.read_text(), token=self._tokens.admin)

    def _write_kubeconfigs(self) -> None:
        server, authority = self.layout.server, self.layout.authority.read_bytes()
        write_kubeconfig(self.admin_kubeconfig, server, authority, ADMIN, self._tokens.admin)
        path, token = self.layout.controller_manager_kubeconfig, self._tokens.controller_manager
        write_kubeconfig(path, server, authority, CONTROLLERS, token)

    @property
    def pids(self) -> dict[str, int]:
        """The servers' process ids."""
        return {name: child.pid for name, child in self._children.items()}

    def version(self) -> str:
        """The API server's gitVersion."""
        answer = self._ask_api("/version")
        if answer.status != HTTPStatus.OK:
            raise ControlPlaneError(f"{self.layout.server}/version: {answer.status} {answer.body[:200]}")
        return str(json.loads(answer.body)["gitVersion"])

    def restart_apiserver(self, down_seconds: float) -> None:
        """Kill the API server as a crash would, and start it again."""
        with self._changing():
            self._children[API].kill()
            self._abandoned.wait(down_seconds)
            self._start_apiserver()

    def raise_if_ended(self) -> None:
        """Raise for the first server that is not alive."""
        for child in self._children.values():
            child.raise_if_ended()

    def stop(self) -> None:
        """End the servers, the clients of each before it."""
        self._abandoned.set()
        self._end_children()

    def _end_children(self) -> None:
        with self._lock:
            while self._children:
                _, child = self._children.popitem()
                child.stop(GRACE_SECONDS)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            if self._abandoned.is_set():
                raise ControlPlaneError("The control plane was stopped.")
            yield


def _empty(folder: Path) -> None:
    """Remove what a failed attempt wrote; the folder was empty before it."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
