"""The command lines of etcd, kube-apiserver and kube-controller-manager, and the audit policy.

Pure: `plane.py` writes what stands here to files and starts it. Each flag that is not obvious says why.
"""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from lab.controlplane.ports import LOOPBACK

# Namespace and foreground deletion, default ServiceAccounts, aggregated roles, findings about policies.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "validatingadmissionpolicy-status-controller",
)

# No controller above and nothing that is deployed uses them. Each costs storage, watches and CPU from the start.
UNUSED_APIS = (
    "autoscaling/v1",
    "autoscaling/v2",
    "certificates.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1",
    "resource.k8s.io/v1",
)

# Every request is recorded once, when it is answered. Bodies are not: they would hold Secrets.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["/readyz*", "/livez*", "/healthz*"]
- level: Metadata
"""


@dataclass(frozen=True)
class Layout:
    """Where everything of one control plane stands: files below `folder`, ports on loopback."""

    folder: Path
    etcd_client_port: int
    etcd_peer_port: int
    api_port: int
    etcd_name: str = field(default_factory=lambda: f"lab-{secrets.token_hex(8)}")  # nobody else has it

    @property
    def etcd_url(self) -> str:
        """Where the API server finds etcd."""
        return f"http://{LOOPBACK}:{self.etcd_client_port}"

    @property
    def server(self) -> str:
        """Where clients find the API server."""
        return f"https://{LOOPBACK}:{self.api_port}"

    @property
    def certificates(self) -> Path:
        """The folder in which the API server makes its certificate."""
        return self.folder / "certificates"

    @property
    def home(self) -> Path:
        """The home folder of every kubectl that we run: its caches must not mix with the user's."""
        return self.folder / "home"

    @property
    def authority(self) -> Path:
        """The certificate that clients trust."""
        return self.certificates / "apiserver.crt"

    @property
    def tokens(self) -> Path:
        """The file of bearer tokens."""
        return self.folder / "tokens.csv"

    @property
    def signing_key(self) -> Path:
        """The key that signs ServiceAccount tokens."""
        return self.folder / "service-account.key"

    @property
    def audit_policy(self) -> Path:
        """What the API server records."""
        return self.folder / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        """Where it records it, one JSON object a line."""
        return self.folder / "audit.log"

    @property
    def controller_manager_kubeconfig(self) -> Path:
        """The controller manager's own identity."""
        return self.folder / "controller-manager.kubeconfig"


def etcd(binary: Path, layout: Layout) -> list[str]:
    """One etcd member on loopback, without waiting for the disk: nothing here outlives the run."""
    peer = f"http://{LOOPBACK}:{layout.etcd_peer_port}"
    return [
        str(binary),
        f"--name={layout.etcd_name}",
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={layout.etcd_url}",
        f"--advertise-client-urls={layout.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={layout.etcd_name}={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(binary: Path, layout: Layout) -> list[str]:
    """The API server with RBAC, bearer tokens from a file and a complete audit log."""
    return [
        str(binary),
        f"--etcd-servers={layout.etcd_url}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--secure-port={layout.api_port}",
        f"--cert-dir={layout.certificates}",
        f"--token-auth-file={layout.tokens}",
        f"--service-account-key-file={layout.signing_key}",
        f"--service-account-signing-key-file={layout.signing_key}",
        f"--service-account-issuer={layout.server}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        # There is no kubelet, so no pod ever mounts a token.
        "--disable-admission-plugins=ServiceAccount",
        # The Service "kubernetes" may not have a loopback address, and nobody here uses it.
        "--endpoint-reconciler-type=none",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        # A request is answered only after it is on record: who counts right after a call counts it too.
        "--audit-log-mode=blocking",
        # Never rotated: a count must see the whole run.
        "--audit-log-maxsize=100000",
        "--profiling=false",
        f"--runtime-config={','.join(f'{api}=false' for api in UNUSED_APIS)}",
        # A few clients share one machine: queues and their configuration are work for nothing.
        "--enable-priority-and-fairness=false",
        # One API server never looks for another. The second feature needs the first.
        "--feature-gates=APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false",
    ]


def kube_controller_manager(binary: Path, layout: Layout) -> list[str]:
    """The controllers that deletion depends on, each under its own ServiceAccount as in a real cluster."""
    return [
        str(binary),
        f"--kubeconfig={layout.controller_manager_kubeconfig}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",
    ]
