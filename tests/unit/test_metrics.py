"""What Prometheus reads: names with our prefix, bounded labels, help for each."""

from prometheus_client.parser import text_string_to_metric_families

from modelarts_nodepool import metrics

UNBOUNDED = {"uid", "name", "namespace", "node_pool", "object", "request_id"}


def test_every_series_has_our_prefix_and_a_sentence_of_help() -> None:
    families = list(text_string_to_metric_families(metrics.render()))
    assert {family.name for family in families} >= {
        "modelarts_nodepool_cloud_requests",
        "modelarts_nodepool_deletions",
        "modelarts_nodepool_orphans",
        "modelarts_nodepool_leader",
    }
    for family in families:
        assert family.name.startswith("modelarts_nodepool_")
        assert family.documentation.endswith(".")


def test_no_label_names_an_object() -> None:
    collectors = [metrics.CLOUD_REQUESTS, metrics.CLOUD_REQUEST_SECONDS, metrics.DELETIONS, metrics.BUILD]
    for collector in collectors:
        assert UNBOUNDED.isdisjoint(collector._labelnames)  # noqa: SLF001 - the library shows them nowhere else


def test_what_is_counted_is_rendered() -> None:
    metrics.CLOUD_REQUESTS.labels("delete_node_pool", "200").inc()
    line = 'modelarts_nodepool_cloud_requests_total{code="200",operation="delete_node_pool"}'
    assert line in metrics.render()
