"""The settings of `run`, and constants without a flag.

cli.py reads and checks flags and environment variables. Imports no other module of the operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

DISTRIBUTION = "modelarts-nodepool-operator"

# The API server.
KUBE_TIMEOUT = timedelta(seconds=15)
KUBE_RETRY_AFTER_LIMIT = timedelta(seconds=5)
KUBE_PAGE_SIZE = 500

# Limits of Events: they must not delay a deletion.
EVENTS_A_SECOND = 10
EVENTS_BURST = 50
EVENTS_QUEUED = 1000

# What bounds how long a change in the cluster can go unseen: docs/operations/high-availability.md.
DEFAULT_WATCH_TIMEOUT = timedelta(seconds=30)
DEFAULT_SWEEP_INTERVAL = timedelta(minutes=5)

# The namespace of deploy/kustomize/base.
DEFAULT_NAMESPACE = "modelarts-nodepool-operator"
# All addresses of both families: the kubelet probes the Pod's address, which may be IPv6 or IPv4.
DEFAULT_HTTP_HOST = "::"
DEFAULT_HTTP_PORT = 8080


# For each access key. ModelArts publishes no limits; these are far above what polls need (docs/operations/limits.md).
DEFAULT_CLOUD_RATE = 300
DEFAULT_CLOUD_BURST = 600


@dataclass(frozen=True, slots=True)
class CloudLimits:
    """Limits of requests to ModelArts with one access key: `rate` per second on average, `burst` at once."""

    rate: float = DEFAULT_CLOUD_RATE
    burst: int = DEFAULT_CLOUD_BURST


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of `run`, as its flags give them; the flags have the defaults.

    `endpoints` maps a region to the text of the URL given for it; `ca_bundle` is a file of PEM certificates;
    `http_port` 0 is any free port; `kubeconfig` None is that of kubectl, else the Pod's ServiceAccount.
    `metadata_endpoint` and `sts_endpoint` None are those of the cloud; `login_environment` are environment variables
    with the identity of the process in the cloud.
    """

    operator_namespace: str
    endpoints: Mapping[str, str]
    ca_bundle: str | None
    http_host: str
    http_port: int
    leader_election: bool
    watch_timeout: timedelta
    sweep_interval: timedelta
    kubeconfig: str | None
    metadata_endpoint: str | None
    sts_endpoint: str | None
    login_environment: Mapping[str, str] = field(repr=False)
    cloud_limits: CloudLimits
