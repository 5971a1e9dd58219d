"""Two replicas and one Lease: one works, the other is ready to, and no DELETE is ever sent by both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.liveness import eventually
from tests.support.operator import OperatorProcess
from tests.support.tenant import SLOW, Tenant


@pytest.fixture(scope="module")
def replicas(
    identity: Path, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """Both under the permissions that are shipped, with the Lease that is the default."""
    folder = tmp_path_factory.mktemp("replicas")
    one, other = (
        OperatorProcess(identity, f"{cloud.region}={cloud.endpoint}", folder / f"{name}.log", "--leader-election")
        for name in ("one", "other")
    )
    try:
        one.start()
        other.launch()
        assert eventually(lambda: is_standby(other)), other.tail()
        yield one, other
        for replica in (one, other):
            if replica.is_running:
                assert replica.stop()[0] == 0, replica.tail()
    finally:
        one.end()
        other.end()
    assert not [*one.errors(), *other.errors()]


@pytest.fixture(scope="module")
def operator(replicas: tuple[OperatorProcess, OperatorProcess]) -> OperatorProcess:
    """For the tenant's reports."""
    return replicas[0]


def is_standby(operator: OperatorProcess) -> bool:
    status, body = operator.readiness()
    return status == 200 and '"standby"' in body


def roles(replicas: tuple[OperatorProcess, OperatorProcess]) -> tuple[OperatorProcess, OperatorProcess]:
    """The leader and the standby."""
    leaders = [replica for replica in replicas if replica.is_ready()]
    assert len(leaders) == 1
    (standby,) = [replica for replica in replicas if replica is not leaders[0]]
    return leaders[0], standby


def test_only_the_leader_looks_at_the_cloud(tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess]) -> None:
    tenant.mirrored("training-a")
    _, standby = roles(replicas)
    tenant.wait_for_looks(3)
    assert is_standby(standby)
    assert not [line for line in standby.lines() if line["message"].startswith("list_node_pools")]


def test_the_standby_goes_on_when_the_leader_stops_and_sends_no_second_delete(
    tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess]
) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    leader, standby = roles(replicas)
    code, _ = leader.stop()
    assert code == 0
    assert eventually(standby.is_ready, 10), standby.tail()
    tenant.wait_for_looks(2)
    assert tenant.is_held("training-a")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    leader.launch()
    assert eventually(lambda: is_standby(leader)), leader.tail()


def test_the_standby_goes_on_when_the_leader_is_killed(
    tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess]
) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    leader, standby = roles(replicas)
    leader.kill()
    assert eventually(standby.is_ready, 40), standby.tail()
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    leader.launch()
    assert eventually(lambda: is_standby(leader)), leader.tail()
