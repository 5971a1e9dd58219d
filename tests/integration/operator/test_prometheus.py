"""A real Prometheus scrapes the operator at work: the alerts fire and resolve, and every panel has data."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from lab.toolbox import ensure_prometheus
from tests.support.crds import REPOSITORY
from tests.support.operator import OperatorProcess
from tests.support.prometheus import Scraper
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long

DASHBOARD = REPOSITORY / "deploy" / "monitoring" / "dashboard.json"
HELD = "ModelArtsNodePoolDeletionBlocked/Paused"
DOWN = "ModelArtsNodePoolOperatorDown"


@pytest.fixture(scope="module")
def scraper(operator: OperatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraper]:
    target = urlsplit(operator.url).netloc
    with Scraper.scraping(ensure_prometheus(), target, tmp_path_factory.mktemp("prometheus")) as scraper:
        yield scraper


def queries() -> list[str]:
    """Of all panels, with the variables filled in as Grafana does."""
    found = [
        target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel.get("targets", [])
    ]
    return [
        query.replace("$__rate_interval", "10s").replace("$account", ".*").replace("$cluster", ".*") for query in found
    ]


def test_an_alert_fires_while_a_deletion_is_held_every_panel_shows_data_and_it_resolves(
    tenant: Tenant, scraper: Scraper
) -> None:
    tenant.mirrored("kept")
    tenant.patch("kept", {"spec": {"deletionPolicy": "Retain"}})
    tenant.delete("kept")
    tenant.until_gone("kept")
    tenant.mirrored("held")
    tenant.annotate("held", paused="true")
    tenant.delete("held")
    tenant.until_blocked("held", "Paused")
    tenant.until_true(lambda: HELD in scraper.firing(), f"{HELD} fires")
    assert DOWN not in scraper.firing()
    for query in queries():
        tenant.until_true(lambda query=query: scraper.query(query), f"data for {query}")  # type: ignore[misc]
    assert scraper.query("sum(modelarts_nodepool_deletion_blocked)")[0]["value"][1] == "1"
    tenant.annotate("held", paused=None)
    tenant.until_gone("held")
    tenant.until_true(lambda: HELD not in scraper.firing(), f"{HELD} resolves")


def test_credentials_that_fail_fire_by_the_name_of_the_account(tenant: Tenant, scraper: Scraper) -> None:
    tenant.mirrored("training-a")
    rejected = f'ALERTS{{alertname="ModelArtsNodePoolCredentialsFailing",account="{tenant.name}",alertstate="firing"}}'
    tenant.until_true(lambda: not scraper.query(rejected), "nothing fires")
    tenant.put_secret(accessKey="AKNOBODY", secretKey="SKNOBODY")
    tenant.until_true(lambda: scraper.query(rejected), "the alert fires")


def test_an_operator_that_stops_is_told(tenant: Tenant, scraper: Scraper) -> None:
    """The last of the module."""
    tenant.until_true(lambda: DOWN not in scraper.firing(), "nothing fires")
    assert tenant.operator.stop()[0] == 0
    tenant.until_true(lambda: DOWN in scraper.firing(), f"{DOWN} fires")
