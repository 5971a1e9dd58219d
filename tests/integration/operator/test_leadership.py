"""A leader that is cut off, and one that is frozen: the other takes over, and nothing is sent twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from yarl import URL

from lab.controlplane import ControlPlane
from tests.support.cloud import Cloud
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually
from tests.support.operator import OperatorProcess
from tests.support.proxy import Proxy
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long

# The Lease lasts 15 s and a candidate looks every second; what it takes depends on the machine.
TAKEN_OVER_SECONDS = HANGING_SECONDS
# The deadline is 10 s; one that steps down ends its work before it says so.
STEPPED_DOWN_SECONDS = HANGING_SECONDS


@pytest.fixture(scope="module")
def proxy(installed: ControlPlane) -> Iterator[Proxy]:
    server = URL(installed.server)
    assert server.host
    assert server.port
    with Proxy.to(server.host, server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def replicas(
    identity: Path, cloud: Cloud, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """The first leads, and reaches the API server through the proxy alone."""
    folder = tmp_path_factory.mktemp("replicas")
    endpoint = f"{cloud.region}={cloud.endpoint}"
    proxied = proxy.kubeconfig(identity, folder / "proxied.kubeconfig")
    one = OperatorProcess(proxied, endpoint, folder / "one.log", "--leader-election")
    other = OperatorProcess(identity, endpoint, folder / "other.log", "--leader-election")
    try:
        one.start(TAKEN_OVER_SECONDS)
        other.launch()
        assert eventually(lambda: is_standby(other)), other.tail()
        yield one, other
    finally:
        one.end()
        other.end()


@pytest.fixture(scope="module")
def operator(replicas: tuple[OperatorProcess, OperatorProcess]) -> OperatorProcess:
    """For the tenant's reports."""
    return replicas[0]


def is_standby(operator: OperatorProcess) -> bool:
    status, body = operator.readiness()
    return status == 200 and '"standby"' in body


def leads(operator: OperatorProcess) -> bool:
    return operator.metrics().value("leader") == 1


def shows_objects(operator: OperatorProcess) -> bool:
    return bool(operator.metrics().labels_of("objects", "state"))


def test_a_leader_that_is_cut_off_steps_down_and_the_other_takes_over(
    tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess], proxy: Proxy
) -> None:
    one, other = replicas
    tenant.mirrored("training-a")
    assert (leads(one), leads(other)) == (True, False)
    assert (shows_objects(one), shows_objects(other)) == (True, False)
    proxy.freeze()
    assert eventually(lambda: not leads(one), STEPPED_DOWN_SECONDS), one.tail()
    assert not shows_objects(one), "what a former leader remembers is not shown"
    assert eventually(other.is_ready, TAKEN_OVER_SECONDS), other.tail()
    # A standby that could not take over is not ready, and alive all the same.
    assert eventually(lambda: one.readiness()[0] == 503 and "the Lease cannot be read or written" in one.readiness()[1])
    assert one.liveness()[0] == 200
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    proxy.thaw()
    assert eventually(lambda: is_standby(one)), one.readiness()
    assert tenant.deletes() == ["accepted"]


def test_a_leader_that_was_frozen_sends_no_second_delete_when_it_thaws(
    tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess]
) -> None:
    one, other = replicas
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.mirrored("training-b")
    assert leads(other)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    other.hold_still()
    try:
        tenant.delete("training-b")
        assert eventually(one.is_ready, TAKEN_OVER_SECONDS), one.tail()
        tenant.until_gone("training-b")
    finally:
        other.go_on()
    assert eventually(lambda: is_standby(other), STEPPED_DOWN_SECONDS), other.tail()
    assert not leads(other)
    assert not shows_objects(other)
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted", "accepted"]
