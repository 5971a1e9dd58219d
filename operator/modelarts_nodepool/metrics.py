"""The metrics, in the text format of Prometheus. The number of label values is bounded: no label names an object.

controllers/ and app.py count; server/http_server.py serves /metrics in its thread. Gauges of objects and pollers are
computed at each scrape (`AT_SCRAPE`): they are never old, and go with their object. docs/operations/metrics.md explains
each name. Imports no other module of the operator.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

# Not the library's default registry: it has further series about the interpreter.
REGISTRY = CollectorRegistry()
# The start times of counters would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]
_PREFIX = "modelarts_nodepool"
_counter = partial(Counter, namespace=_PREFIX, registry=REGISTRY)
_histogram = partial(Histogram, namespace=_PREFIX, registry=REGISTRY)

CLOUD_REQUESTS = _counter(
    "cloud_requests_total",
    "Requests to ModelArts by operation and outcome (HTTP status, or the error's class if there is none).",
    ("operation", "code"),
)
CLOUD_REQUEST_SECONDS = _histogram(
    "cloud_request_duration_seconds",
    "Duration of requests to ModelArts.",
    ("operation",),
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60),
)
RECONCILES = _counter("reconciles_total", "Reconciles of objects, by result.", ("result",))
RECONCILE_SECONDS = _histogram(
    "reconcile_duration_seconds",
    "Duration of reconciles, including requests to the API server and to ModelArts.",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60),
)
CLOUD_DELAYED = _counter(
    "cloud_requests_delayed_total",
    "Requests to ModelArts that waited for the rate limit of their access key, by lane (deletion, look, poll).",
    ("lane",),
)
STATUS_WRITES = _counter("status_writes_total", "Status writes to node pool objects.")
WRITES_REFUSED = _counter(
    "writes_refused_total", "Failed writes to node pool objects and accounts, by reason.", ("reason",)
)
DELETIONS = _counter("deletions_total", "Released objects, by the reason of the release.", ("outcome",))
DELETION_SECONDS = _histogram(
    "deletion_duration_seconds",
    "Time from the deletionTimestamp to the release, for objects with a DELETE request.",
    buckets=(5, 15, 60, 180, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400),
)
ORPHANS = _counter(
    "orphans_total",
    "Node pools that may exist without an object: retained after a DELETE was sent or held, finalizer removed by "
    "another client, or deleted before the operator added its finalizer.",
)
SWEEP_REPAIRS = _counter(
    "sweep_repairs_total", "Differences between cluster and cache that a resync found and repaired, by kind.", ("kind",)
)
BUILD = Gauge(
    "build_info", "Always 1, with the version as a label.", ("version",), namespace=_PREFIX, registry=REGISTRY
)


@dataclass(frozen=True, slots=True)
class AtScrape:
    """A gauge whose values are computed at each scrape."""

    name: str
    documentation: str
    labels: tuple[str, ...] = ()


LEADER = AtScrape("leader", "1 if this process is the leader and may act, 0 if it is a standby.")
OBJECTS = AtScrape("objects", "Node pool objects by state; each object has exactly one.", ("state",))
NODES = AtScrape("nodes", "Nodes of node pools with an object, from the status.", ("account", "resource_pool", "state"))
UNREADABLE_NODE_POOLS = AtScrape(
    "unreadable_node_pools",
    "Node pools with unreadable node counts in the newest good answer of ModelArts.",
    ("account", "resource_pool"),
)
DELETION_BLOCKED = AtScrape("deletion_blocked", "Objects whose deletion is blocked, by reason.", ("reason",))
ACCOUNT_READY = AtScrape("account_ready", "1 if the account's Ready condition is True, 0 if it is False.", ("account",))
OBJECTS_UNWRITABLE = AtScrape(
    "objects_unwritable", "Objects with failed writes that are retried; their status may be old.", ("kind",)
)
STANDING_CONFIRMATIONS = AtScrape(
    "standing_confirmations", "Objects that are not being deleted and have the annotation that confirms a deletion."
)
POLL_LAG = AtScrape("poll_lag_seconds", "How long the most overdue LIST of node pools is overdue; 0 if none is.")
WATCH_AGE = AtScrape(
    "watch_last_event_age_seconds", "Time since the last event or bookmark of the watch that has been silent longest."
)

Sample = tuple[AtScrape, tuple[str, ...], float]


class Scraped(Collector):
    """All gauges of that kind. The thread that serves the scrape calls `source` for their samples."""

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
        """Has no samples until there is a source."""
        self.source: Callable[[], Iterable[Sample]] = tuple

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The families without samples, so that the library knows the names."""
        return iter(self._families().values())

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each gauge, also without samples."""
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
# The source above advances it at each scrape. Registered after it, so that the same scrape shows the new value.
HELD_NODE_SECONDS = _counter(
    "held_node_seconds_total",
    "Nodes of held deletions, multiplied by the seconds for which they were held, by the reason of the hold.",
    ("account", "reason"),
)


def render() -> str:
    """All metrics in the text format of Prometheus."""
    return generate_latest(REGISTRY).decode()
