"""Which Kubernetes the lab runs: versions, the Go packages behind each binary, and the key of the cache.

The Go module beside this file is the pin of the sources; a test holds the versions here to it.
"""

import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "1.36.3"
ETCD_VERSION = "3.6.8"
GO_MINIMUM = (1, 26)
MODULE_FOLDER = Path(__file__).parent
TOOLCHAIN_REQUIREMENTS = MODULE_FOLDER / "toolchain.txt"

APISERVER, CONTROLLER_MANAGER, ETCD, KUBECTL = (
    "kube-apiserver",
    "kube-controller-manager",
    "etcd",
    "kubectl",
)
SERVERS = (ETCD, APISERVER, CONTROLLER_MANAGER)
PACKAGES = {
    ETCD: "go.etcd.io/etcd/server/v3",
    APISERVER: "k8s.io/kubernetes/cmd/kube-apiserver",
    CONTROLLER_MANAGER: "k8s.io/kubernetes/cmd/kube-controller-manager",
    KUBECTL: "k8s.io/kubernetes/cmd/kubectl",
}
# What `go build -o folder/` calls a binary when it is not our name for it.
BUILT_NAMES = {ETCD: "server"}

_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
# Without the stamp the server calls itself v0.0.0-master, and kubectl cannot parse its version.
_STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_STAMP = {
    "gitVersion": f"v{KUBERNETES_VERSION}",
    "gitMajor": _MAJOR,
    "gitMinor": _MINOR,
    "gitCommit": "unknown",
}
LDFLAGS = " ".join(
    ["-s", "-w", *(f"-X {package}.{key}={value}" for package in _STAMPED for key, value in _STAMP.items())]
)
KUBERNETES_MINOR = int(_MINOR)


@dataclass(frozen=True)
class Platform:
    """An operating system and a processor, as Go names them."""

    os: str
    arch: str

    @classmethod
    def here(cls) -> "Platform":
        """The platform of this machine."""
        machine = platform.machine().lower()
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
        return cls(sys.platform, arch)


def version_key(here: Platform, module_folder: Path = MODULE_FOLDER) -> str:
    """The name of the cache folder: another pin, flag or platform never finds these binaries."""
    digest = hashlib.sha256(LDFLAGS.encode())
    for name in ("go.mod", "go.sum"):
        digest.update((module_folder / name).read_bytes())
    pin = digest.hexdigest()[:12]
    return f"kubernetes-{KUBERNETES_VERSION}-etcd-{ETCD_VERSION}-{here.os}-{here.arch}-{pin}"
