"""A Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager as processes.

The demo and the integration tests start one with `with ControlPlane.start(…)` or `async with`. It keeps
everything in the folder that it is given, and belongs to no event loop: tests on many loops can share it.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from lab.controlplane.audit import AuditLog, AuditReader
from lab.controlplane.binaries import Binaries
from lab.controlplane.identities import write_kubeconfig
from lab.controlplane.kubectl import Kubectl
from lab.controlplane.lifetime import Starting
from lab.controlplane.servers import Servers

TOKEN_LIFETIME = "24h"  # noqa: S105 - a duration, for `kubectl create token`


class ControlPlane:
    """A control plane that runs; made by `start`, stopped when the context ends.

    `kubeconfig` is the administrator's, `kubectl` is bound to it: `await plane.kubectl("get", "nodes")`,
    or `plane.kubectl.run(…)` where nothing is asynchronous.
    """

    def __init__(self, servers: Servers, binaries: Binaries) -> None:
        self._servers = servers
        self._audit = AuditReader(servers.layout.audit_log)
        self.binaries = binaries
        self.folder = servers.layout.folder
        self.server = servers.layout.server
        self.kubeconfig = servers.admin_kubeconfig
        self.kubectl = Kubectl(binaries.kubectl, self.kubeconfig, servers.layout.home)

    @classmethod
    def start(
        cls, folder: Path, binaries: Binaries, narrate: Callable[[str], None] = lambda _: None
    ) -> "Starting[ControlPlane]":
        """Start one in an empty folder: a context manager, plain or asynchronous."""
        return Starting(lambda abandoned: cls(Servers.start(folder, binaries, narrate, abandoned), binaries))

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the servers, by their names."""
        return self._servers.pids

    @property
    def version(self) -> str:
        """What the API server says it is, e.g. `v1.36.3`."""
        return self._servers.version()

    def audit(self) -> AuditLog:
        """Every request that the API server has answered until now."""
        return self._audit.read()

    def service_account_kubeconfig_blocking(self, namespace: str, name: str) -> Path:
        """A kubeconfig for a ServiceAccount that exists, with a token from the TokenRequest API."""
        token = self.kubectl.run("create", "token", name, "-n", namespace, f"--duration={TOKEN_LIFETIME}")
        path = self.folder / f"{namespace}.{name}.kubeconfig"
        authority = self._servers.layout.authority.read_bytes()
        return write_kubeconfig(path, self.server, authority, name, token.stdout.strip())

    async def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig for a ServiceAccount that exists, with a token from the TokenRequest API."""
        return await asyncio.to_thread(self.service_account_kubeconfig_blocking, namespace, name)

    def restart_apiserver_blocking(self, down_seconds: float = 0.0) -> None:
        """Kill the API server, leave it down for a while, start it on the same port and wait for it."""
        self._servers.restart_apiserver(down_seconds)

    async def restart_apiserver(self, down_seconds: float = 0.0) -> None:
        """Kill the API server, leave it down for a while, start it on the same port and wait for it."""
        await asyncio.to_thread(self.restart_apiserver_blocking, down_seconds)

    def raise_if_ended(self) -> None:
        """Raise, with its last words, when a server ended although nobody asked it to."""
        self._servers.raise_if_ended()

    def stop(self) -> None:
        """End all servers. Safe to call again; the folder stays, it is the caller's."""
        self._servers.stop()
