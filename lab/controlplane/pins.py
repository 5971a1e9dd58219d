"""Which Kubernetes the lab runs: versions, the Go packages behind each binary, and the key of the cache.

The Go module beside this file is the pin of the sources; a test holds the versions here to it.
"""

import hashlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class GoModule:
    """A pinned Go module and the binaries that it builds: `packages` by our name of the binary.

    `built_names` are those that `go build` calls otherwise; `estimate` says to people how
    long it takes, `otherwise` what they can do instead.
    """

    folder: Path
    packages: Mapping[str, str]
    ldflags: str
    estimate: str
    otherwise: str
    built_names: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Twelve digits that change with any pin and any flag."""
        digest = hashlib.sha256(self.ldflags.encode())
        for name in ("go.mod", "go.sum"):
            digest.update((self.folder / name).read_bytes())
        return digest.hexdigest()[:12]


CONTROL_PLANE = GoModule(
    folder=MODULE_FOLDER,
    packages=PACKAGES,
    ldflags=LDFLAGS,
    estimate="some eight minutes on two cores, once",
    otherwise="point KUBEBUILDER_ASSETS at ready binaries",
    # What `go build -o folder/` calls a binary when it is not our name for it.
    built_names={ETCD: "server"},
)


def version_key(here: Platform, module: GoModule = CONTROL_PLANE) -> str:
    """The name of the cache folder: another pin, flag or platform never finds these binaries."""
    return f"kubernetes-{KUBERNETES_VERSION}-etcd-{ETCD_VERSION}-{here.os}-{here.arch}-{module.digest()}"
