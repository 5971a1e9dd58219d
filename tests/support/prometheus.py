"""A Prometheus that scrapes one operator every second, with the shipped rules and no patience, asked over HTTP."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from lab.controlplane.ports import LOOPBACK, free_ports
from lab.toolbox import Prometheus
from tests.support.crds import REPOSITORY
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually

RULES = REPOSITORY / "deploy" / "monitoring" / "rules.yaml"
EVERY = "1s"


class Scraper:
    """One that runs."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives right now."""
        answer = self._client.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == httpx.codes.OK, f"{expression}: {answer.text}"
        return list(answer.json()["data"]["result"])

    def firing(self) -> set[str]:
        """The names of the alerts that fire, with the label reason where they have one."""
        alerts = self._client.get("/api/v1/alerts").json()["data"]["alerts"]
        return {
            "/".join(filter(None, [alert["labels"]["alertname"], alert["labels"].get("reason")]))
            for alert in alerts
            if alert["state"] == "firing"
        }

    @classmethod
    @contextmanager
    def scraping(cls, prometheus: Prometheus, target: str, folder: Path) -> Iterator["Scraper"]:
        """Run one; `target` is HOST:PORT of /metrics."""
        (port,) = free_ports(1)
        # What the alerts wait for is promtool's to check; here they are to fire at all.
        (folder / "rules.yaml").write_text(re.sub(r"for: \d+m", "for: 0s", RULES.read_text()))
        config = {
            "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY, "scrape_timeout": EVERY},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [{"job_name": "operator", "static_configs": [{"targets": [target]}]}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        command = [
            str(prometheus.server),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
        ]
        with (
            (folder / "prometheus.log").open("wb") as log,
            httpx.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False, timeout=HANGING_SECONDS) as client,
            subprocess.Popen(command, stdout=log, stderr=log) as process,  # noqa: S603 - pinned or the user's own
        ):
            try:
                assert eventually(lambda: _is_ready(client)), (folder / "prometheus.log").read_text()[-3000:]
                yield cls(client)
            finally:
                process.kill()


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.HTTPError:
        return False
