"""Alerts, their runbooks and the metrics they ask for belong together."""

import json
import re
from typing import Any

import pytest
import yaml

from modelarts_nodepool import metrics
from tests.support.crds import REPOSITORY

(GROUP,) = yaml.safe_load((REPOSITORY / "deploy" / "monitoring" / "rules.yaml").read_text())["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
PAGE = (REPOSITORY / "docs" / "operations" / "alerts.md").read_text()
METRIC = re.compile(r"\bmodelarts_nodepool_\w+")


def known() -> set[str]:
    """Every series that the operator may show."""
    suffixes = ("", "_total", "_bucket", "_sum", "_count", "_info")
    return {f"{family.name}{suffix}" for family in metrics.REGISTRY.collect() for suffix in suffixes}


def test_every_alert_has_its_heading_and_every_heading_its_alert() -> None:
    assert re.findall(r"^## (\w+)$", PAGE, re.MULTILINE) == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_its_runbook_and_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    assert rule["annotations"]["runbook"] == f"docs/operations/alerts.md#{rule['alert'].lower()}"
    assert rule["labels"]["severity"] in {"warning", "critical"}
    asked = METRIC.findall(rule["expr"])
    assert asked
    assert set(asked) <= known()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_keeps_the_label_of_its_cluster(rule: dict[str, Any]) -> None:
    """Each aggregation, so that clusters in one Prometheus are never counted together."""
    aggregations = re.findall(r"\b(?:sum|max|min|count|avg)\b(?! by \(cluster\b)", rule["expr"])
    assert aggregations == []


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((REPOSITORY / "deploy" / "monitoring" / "dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(queries) > 10
    for query in queries:
        asked = METRIC.findall(query)
        assert asked, query
        assert set(asked) <= known(), query
        assert query.count('{cluster=~"$cluster"') == len(asked), query
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
