"""What is counted, in the text format of Prometheus. Label values are bounded: no object's name is ever one.

Counted by engine/ and app.py, served by engine/health.py as /metrics. Imports nothing of ours.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

# A registry of our own: the library's default one adds series about the interpreter that nobody asked for.
REGISTRY = CollectorRegistry()
# When a counter began is of no use here and doubles the series.
disable_created_metrics()  # type: ignore[no-untyped-call]
_PREFIX = "modelarts_nodepool"

CLOUD_REQUESTS = Counter(
    "cloud_requests_total",
    "Calls to ModelArts by operation and outcome (HTTP status, or the error's class without one).",
    ("operation", "code"),
    namespace=_PREFIX,
    registry=REGISTRY,
)
CLOUD_REQUEST_SECONDS = Histogram(
    "cloud_request_duration_seconds",
    "How long calls to ModelArts took.",
    ("operation",),
    namespace=_PREFIX,
    registry=REGISTRY,
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60),
)
STATUS_WRITES = Counter(
    "status_writes_total", "Status writes to node pool objects.", namespace=_PREFIX, registry=REGISTRY
)
DELETIONS = Counter(
    "deletions_total",
    "Objects released, by the reason of the release.",
    ("outcome",),
    namespace=_PREFIX,
    registry=REGISTRY,
)
ORPHANS = Counter(
    "orphans_total",
    "Node pools that may live on although nothing stands for them: retained after a DELETE was sent or held, "
    "finalizer stripped, gone before it was protected.",
    namespace=_PREFIX,
    registry=REGISTRY,
)
LEADER = Gauge("leader", "1 while this process works, 0 while it stands by.", namespace=_PREFIX, registry=REGISTRY)
BUILD = Gauge("build_info", "1, with the version as a label.", ("version",), namespace=_PREFIX, registry=REGISTRY)


def render() -> str:
    """Everything counted so far, as Prometheus reads it."""
    return generate_latest(REGISTRY).decode()
