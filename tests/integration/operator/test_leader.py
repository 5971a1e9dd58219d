"""Two replicas and one Lease: one works, the other is ready to, and no DELETE is ever sent by both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from tests.support.cloud import Cloud
from tests.support.door import Door
from tests.support.liveness import eventually
from tests.support.operator import OperatorProcess
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long

# The one error that is expected of a leader that stood still.
LOST = "is lost"


@pytest.fixture(scope="module")
def door(installed: ControlPlane) -> Iterator[Door]:
    with Door.standing(installed) as door:
        yield door


@pytest.fixture(scope="module")
def replicas(
    identity: Path, cloud: Cloud, door: Door, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """Both under the permissions that are shipped, with the Lease that is the default."""
    folder = tmp_path_factory.mktemp("replicas")
    kubeconfig = door.kubeconfig(identity, folder / "kubeconfig")
    one, other = (
        OperatorProcess(kubeconfig, f"{cloud.region}={cloud.endpoint}", folder / f"{name}.log", "--leader-election")
        for name in ("one", "other")
    )
    try:
        one.start()
        other.launch()
        assert eventually(other.is_standby), other.tail()
        yield one, other
        for replica in (one, other):
            if replica.is_running:
                assert replica.stop()[0] == 0, replica.tail()
    finally:
        one.end()
        other.end()
    assert not [error for error in (*one.errors(), *other.errors()) if LOST not in error]


@pytest.fixture(scope="module")
def operator(replicas: tuple[OperatorProcess, OperatorProcess]) -> OperatorProcess:
    """For the tenant's reports."""
    return replicas[0]


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
    assert standby.is_standby()
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
    assert [line for line in leader.lines() if line["message"].endswith(" released")], (
        "the next need not wait for its end"
    )
    assert eventually(standby.is_ready), standby.tail()
    tenant.wait_for_looks(2)
    assert tenant.is_held("training-a")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    leader.launch()
    assert eventually(leader.is_standby), leader.tail()


def test_the_standby_holds_for_running_jobs_as_the_killed_leader_did(
    tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess]
) -> None:
    tenant.mirrored("training-a")
    tenant.cloud.put_job(tenant.resource_pool, "llama", "training-a")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "WorkloadsRunning")
    leader, standby = roles(replicas)
    leader.kill()
    assert eventually(standby.is_ready), standby.tail()
    tenant.wait_for_looks(3)
    assert not tenant.deletes()
    assert tenant.until_blocked("training-a", "WorkloadsRunning") == message
    tenant.cloud.put_job(tenant.resource_pool, "llama", status="Completed")
    tenant.annotate("training-a", reconcile_at="now")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    leader.launch()
    assert eventually(leader.is_standby), leader.tail()


def test_the_standby_goes_on_when_the_leader_is_killed(
    tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess]
) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    leader, standby = roles(replicas)
    leader.kill()
    assert eventually(standby.is_ready), standby.tail()
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    leader.launch()
    assert eventually(leader.is_standby), leader.tail()


def test_a_leader_that_stood_still_after_its_write_ahead_sends_nothing_when_it_goes_on(
    tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess], door: Door
) -> None:
    tenant.mirrored("training-a")
    leader, standby = roles(replicas)
    hold = door.hold_after("PATCH", f"{tenant.path('training-a')}/status", '"sentTime"')
    tenant.delete("training-a")
    tenant.until_true(hold.arrived.is_set, "the write-ahead written")
    leader.hold_still()
    door.let_go(hold)
    assert eventually(standby.is_ready), standby.tail()
    leader.go_on()
    assert eventually(leader.is_standby), leader.tail()
    assert LOST in str(leader.errors())
    tenant.wait_for_looks(3)
    assert not tenant.deletes(), "whether it was sent is not known: looked at first"
    tenant.cloud.remove_node_pool(tenant.resource_pool, "training-a")
    tenant.until_gone("training-a")
    assert not tenant.deletes()


def test_a_leader_that_stood_still_while_nodes_go_sends_no_second_delete(
    tenant: Tenant, replicas: tuple[OperatorProcess, OperatorProcess]
) -> None:
    names = ("training-a", "training-b", "training-c")
    for name in names:
        tenant.mirrored(name, cloud=SLOW)
    leader, standby = roles(replicas)
    tenant.delete("training-a")
    tenant.until_true(lambda: tenant.deletes("training-a"), "a DELETE")
    leader.hold_still()
    tenant.delete("training-b")
    assert eventually(standby.is_ready), standby.tail()
    tenant.until_true(lambda: tenant.deletes("training-b"), "a DELETE of the other leader")
    leader.go_on()
    tenant.delete("training-c")
    assert eventually(leader.is_standby), leader.tail()
    tenant.until_true(lambda: tenant.deletes("training-c"), "a DELETE")
    tenant.finish_delete("training-a", "training-b")
    tenant.finish_delete("training-c")
    tenant.until_gone(*names)
    assert [tenant.deletes(name) for name in names] == [["accepted"]] * 3
