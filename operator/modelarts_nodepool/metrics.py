"""What is counted and measured, in the text format of Prometheus. Label values are bounded: no object's name is one.

Counted by controllers/ and app.py, served by server/http_server.py as /metrics from a thread of its own. What the
cluster and the pollers hold is not kept here: it is asked for at each scrape (`AT_SCRAPE`), so that it is never old and
goes with what it is about. Every name is explained in docs/operations/metrics.md. Imports nothing of ours.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

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
RECONCILES = Counter(
    "reconciles_total",
    "Passes over one object, living or being deleted, by how they ended.",
    ("result",),
    namespace=_PREFIX,
    registry=REGISTRY,
)
RECONCILE_SECONDS = Histogram(
    "reconcile_duration_seconds",
    "How long such a pass took, its calls to the API server and to ModelArts included.",
    namespace=_PREFIX,
    registry=REGISTRY,
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60),
)
CLOUD_DELAYED = Counter(
    "cloud_requests_delayed_total",
    "Calls to ModelArts that waited for the rate limit of their access key, by lane (deletion, look, poll).",
    ("lane",),
    namespace=_PREFIX,
    registry=REGISTRY,
)
STATUS_WRITES = Counter(
    "status_writes_total", "Status writes to node pool objects.", namespace=_PREFIX, registry=REGISTRY
)
WRITES_REFUSED = Counter(
    "writes_refused_total",
    "Writes to node pool objects and accounts that the API server did not do, by why.",
    ("reason",),
    namespace=_PREFIX,
    registry=REGISTRY,
)
DELETIONS = Counter(
    "deletions_total",
    "Objects released, by the reason of the release.",
    ("outcome",),
    namespace=_PREFIX,
    registry=REGISTRY,
)
DELETION_SECONDS = Histogram(
    "deletion_duration_seconds",
    "From the deletionTimestamp to the release, of objects for which a DELETE was sent.",
    namespace=_PREFIX,
    registry=REGISTRY,
    buckets=(5, 15, 60, 180, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400),
)
ORPHANS = Counter(
    "orphans_total",
    "Node pools that may live on although nothing stands for them: retained after a DELETE was sent or held, "
    "finalizer stripped, gone before it was protected.",
    namespace=_PREFIX,
    registry=REGISTRY,
)
SWEEP_REPAIRS = Counter(
    "sweep_repairs_total",
    "What the sweep found wrong and repaired.",
    ("kind",),
    namespace=_PREFIX,
    registry=REGISTRY,
)
BUILD = Gauge("build_info", "1, with the version as a label.", ("version",), namespace=_PREFIX, registry=REGISTRY)


@dataclass(frozen=True, slots=True)
class AtScrape:
    """A gauge whose values are asked for at each scrape."""

    name: str
    documentation: str
    labels: tuple[str, ...] = ()


LEADER = AtScrape("leader", "1 while this process works and may act, 0 while it stands by.")
OBJECTS = AtScrape("objects", "Node pool objects by state; each is in exactly one.", ("state",))
NODES = AtScrape(
    "nodes",
    "Nodes of the node pools that have objects, as their status shows them.",
    ("account", "resource_pool", "state"),
)
UNREADABLE_NODE_POOLS = AtScrape(
    "unreadable_node_pools",
    "Node pools that ModelArts shows with numbers of nodes that cannot be read, in the newest good answer.",
    ("account", "resource_pool"),
)
DELETION_BLOCKED = AtScrape("deletion_blocked", "Objects whose deletion is held, by what holds it.", ("reason",))
ACCOUNT_READY = AtScrape(
    "account_ready", "1 where the account's Ready condition is True, 0 where it is False.", ("account",)
)
OBJECTS_UNWRITABLE = AtScrape(
    "objects_unwritable",
    "Objects of which a write was not done and is tried again: their status may be old.",
    ("kind",),
)
STANDING_CONFIRMATIONS = AtScrape(
    "standing_confirmations", "Objects that live and carry a confirmation of their own deletion."
)
POLL_LAG = AtScrape(
    "poll_lag_seconds", "How overdue the most overdue LIST of node pools is; 0 while all begin in time."
)
WATCH_AGE = AtScrape(
    "watch_last_event_age_seconds",
    "How long the quietest of the three watches has not said anything, bookmarks included.",
)

Sample = tuple[AtScrape, tuple[str, ...], float]


class Scraped(Collector):
    """All gauges of that kind. `source` gives their samples and is called in whichever thread serves the scrape."""

    gauges = (
        LEADER,
        OBJECTS,
        NODES,
        UNREADABLE_NODE_POOLS,
        DELETION_BLOCKED,
        ACCOUNT_READY,
        OBJECTS_UNWRITABLE,
        STANDING_CONFIRMATIONS,
        POLL_LAG,
        WATCH_AGE,
    )

    def __init__(self) -> None:
        """Without any sample until there is a source."""
        self.source: Callable[[], Iterable[Sample]] = tuple

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Without asking the source: so the library knows the names."""
        return iter(self._families().values())

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family each, also where it has no sample."""
        families = self._families()
        for gauge, labels, value in self.source():
            families[gauge].add_metric(labels, value)
        return iter(families.values())

    def _families(self) -> dict[AtScrape, GaugeMetricFamily]:
        return {
            gauge: GaugeMetricFamily(f"{_PREFIX}_{gauge.name}", gauge.documentation, labels=gauge.labels)
            for gauge in self.gauges
        }


AT_SCRAPE = Scraped()
REGISTRY.register(AT_SCRAPE)


def render() -> str:
    """Everything there is, as Prometheus reads it."""
    return generate_latest(REGISTRY).decode()
