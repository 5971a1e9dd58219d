"""Watches that die without a word: the operator finds out by itself, serves on, and sends nothing twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from yarl import URL

from lab.controlplane import ControlPlane
from tests.integration.operator.conftest import living
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually
from tests.support.operator import OperatorProcess
from tests.support.proxy import Proxy
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long

# A call on a connection that died takes fifteen seconds to be given up, beside what the watch itself needs.
SECONDS = HANGING_SECONDS


@dataclass
class Scene:
    """An operator behind a proxy, and a tenant that reaches the API server without it."""

    proxy: Proxy
    operator: OperatorProcess
    tenant: Tenant


@dataclass
class Stage:
    """Makes scenes; each flag is the operator's own."""

    plane: ControlPlane
    identity: Path
    api: Api
    cloud: Cloud
    folder: Path

    @contextmanager
    def set_up(self, *flags: str) -> Iterator[Scene]:
        server = URL(self.plane.server)
        assert server.host
        assert server.port
        with Proxy.to(server.host, server.port) as proxy:
            kubeconfig = proxy.kubeconfig(self.identity, self.folder / "proxied.kubeconfig")
            endpoint = f"{self.cloud.region}={self.cloud.endpoint}"
            operator = OperatorProcess(kubeconfig, endpoint, self.folder / "operator.log", *flags)
            try:
                operator.start()
                with living(self.plane, self.api, self.cloud, operator) as tenant:
                    yield Scene(proxy, operator, tenant)
            finally:
                operator.end()


@pytest.fixture
def stage(installed: ControlPlane, identity: Path, api: Api, cloud: Cloud, tmp_path: Path) -> Stage:
    return Stage(installed, identity, api, cloud, tmp_path)


def restarts(operator: OperatorProcess) -> list[str]:
    return [line["message"] for line in operator.lines() if line["message"].startswith("the watch misses events")]


def test_a_stream_that_died_silently_is_opened_anew_and_nothing_is_sent_twice(stage: Stage) -> None:
    with stage.set_up("--watch-timeout", "3") as scene:
        tenant, operator = scene.tenant, scene.operator
        tenant.mirrored("training-a", cloud=SLOW)
        tenant.delete("training-a")
        tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
        pid = operator.pid
        scene.proxy.freeze_open_ones()
        tenant.in_cloud("training-b")
        tenant.create("training-b")
        tenant.until_ready("training-b", seconds=SECONDS)
        tenant.finish_delete("training-a")
        tenant.until_gone("training-a", seconds=SECONDS)
        assert tenant.deletes() == ["accepted"]
        assert operator.pid == pid
        tenant.until_true(
            lambda: operator.metrics().value("watch_last_event_age_seconds") < 10, "events of the watch that was opened"
        )


def test_the_sweep_finds_what_a_blind_watch_does_not_tell_and_repairs_it(stage: Stage) -> None:
    with stage.set_up("--watch-timeout", "600", "--sweep-interval", "2") as scene:
        tenant, operator = scene.tenant, scene.operator
        for name in ("deleted", "stripped", "vanished"):
            tenant.mirrored(name)
        scene.proxy.freeze_open_ones()
        tenant.in_cloud("created")
        tenant.create("created")
        tenant.patch("stripped", {"metadata": {"finalizers": None}})
        tenant.delete("vanished")
        tenant.api.strip(tenant.path("vanished"))
        tenant.delete("deleted")
        tenant.until_ready("created", seconds=SECONDS)
        tenant.until_gone("deleted", seconds=SECONDS)
        tenant.until_true(lambda: tenant.is_held("stripped"), "protected again", seconds=SECONDS)
        assert tenant.deletes() == ["accepted"]
        tenant.until_metric(2, "objects")
        tenant.until_metric(1, "orphans_total")  # the node pool whose object vanished

        def are_repaired() -> bool:
            found = operator.metrics()
            return all(found.value("sweep_repairs_total", kind=kind) for kind in ("missed", "outdated", "vanished"))

        tenant.until_true(are_repaired, "a repair of each kind")
        assert restarts(operator)


def test_livez_fails_while_neither_watch_nor_sweep_works_and_service_resumes_by_itself(stage: Stage) -> None:
    with stage.set_up("--watch-timeout", "1", "--sweep-interval", "1") as scene:
        tenant, operator = scene.tenant, scene.operator
        tenant.mirrored("training-a")
        assert operator.liveness()[0] == 200
        pid = operator.pid
        scene.proxy.freeze()
        tenant.delete("training-a")
        assert eventually(lambda: operator.readiness()[0] == 503, SECONDS), operator.readiness()
        assert eventually(lambda: operator.liveness()[0] == 503, SECONDS), operator.liveness()
        assert "the watch has been silent for" in operator.liveness()[1]
        scene.proxy.thaw()
        assert eventually(operator.is_ready, SECONDS), operator.tail()
        assert eventually(lambda: operator.liveness()[0] == 200, SECONDS), operator.liveness()
        tenant.until_gone("training-a", seconds=SECONDS)
        assert tenant.deletes() == ["accepted"]
        assert operator.pid == pid
