"""What Prometheus reads: names with our prefix, bounded labels, help for each, and a page that explains them all."""

import re
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from modelarts_nodepool import metrics

PREFIX = "modelarts_nodepool_"
PAGE = Path(__file__).parents[2] / "docs/operations/metrics.md"
UNBOUNDED = {"uid", "name", "namespace", "node_pool", "object", "request_id"}
# Those of the design, section 8, and those that show that a rate limit holds calls back or the cloud sends garbage.
DESIGNED = {
    "cloud_requests_total": ("operation", "code"),
    "cloud_requests_delayed_total": ("lane",),
    "nodes": ("account", "resource_pool", "state"),
    "unreadable_node_pools": ("account", "resource_pool"),
    "cloud_request_duration_seconds": ("operation",),
    "reconciles_total": ("result",),
    "reconcile_duration_seconds": (),
    "poll_lag_seconds": (),
    "status_writes_total": (),
    "objects": ("state",),
    "deletion_blocked": ("reason",),
    "held_node_seconds_total": ("account", "reason"),
    "deletions_total": ("outcome",),
    "deletion_duration_seconds": (),
    "orphans_total": (),
    "account_ready": ("account",),
    "standing_confirmations": (),
    "objects_unwritable": ("kind",),
    "writes_refused_total": ("reason",),
    "leader": (),
    "watch_last_event_age_seconds": (),
    "sweep_repairs_total": ("kind",),
    "build_info": ("version",),
}


def families() -> dict[str, Metric]:
    """By the name that users see, without our prefix: counters end with _total."""
    found = {}
    for family in text_string_to_metric_families(metrics.render()):
        assert family.name.startswith(PREFIX)
        name = family.name.removeprefix(PREFIX)
        found[f"{name}_total" if family.type == "counter" else name] = family
    return found


def labels_in_code() -> dict[str, tuple[str, ...]]:
    """The labels of each metric; the library shows them nowhere else."""
    kept = {value for value in vars(metrics).values() if hasattr(value, "_labelnames")}
    found = {
        f"{collector._name}{'_total' if collector._type == 'counter' else ''}": tuple(collector._labelnames)  # noqa: SLF001
        for collector in kept
    }
    return {name.removeprefix(PREFIX): labels for name, labels in found.items()} | {
        gauge.name: gauge.labels for gauge in metrics.Scraped.gauges
    }


def test_every_metric_of_the_design_is_there_and_no_other() -> None:
    assert labels_in_code() == DESIGNED
    assert set(families()) == set(DESIGNED)


def test_every_metric_has_a_sentence_of_help() -> None:
    assert [name for name, family in families().items() if not family.documentation.endswith(".")] == []


def test_no_label_names_an_object() -> None:
    assert all(UNBOUNDED.isdisjoint(labels) for labels in labels_in_code().values())


@pytest.mark.parametrize("name", sorted(DESIGNED))
def test_the_page_explains_the_metric_with_its_type_and_labels(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| \S", PAGE.read_text(), re.MULTILINE)
    (found,) = [row for row in rows if row[0] == name]
    assert found[1] == families()[name].type
    assert tuple(re.findall(r"`(\w+)`", found[2])) == DESIGNED[name]


def test_the_page_explains_no_metric_that_is_not_there() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(DESIGNED)


def test_what_is_counted_is_rendered() -> None:
    metrics.CLOUD_REQUESTS.labels("delete_node_pool", "200").inc()
    line = 'modelarts_nodepool_cloud_requests_total{code="200",operation="delete_node_pool"}'
    assert line in metrics.render()


def test_a_gauge_is_asked_for_at_each_scrape_and_gone_with_its_source() -> None:
    scraped = metrics.Scraped()
    scraped.source = lambda: [(metrics.NODES, ("default", "pool-a", "available"), 3.0)]
    (nodes,) = [family for family in scraped.collect() if family.name == f"{PREFIX}nodes"]
    assert [(sample.labels, sample.value) for sample in nodes.samples] == [
        ({"account": "default", "resource_pool": "pool-a", "state": "available"}, 3.0)
    ]
    scraped.source = tuple
    assert not any(family.samples for family in scraped.collect())
