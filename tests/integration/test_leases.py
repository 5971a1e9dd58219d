"""Candidates for one Lease on a real API server: who gets it, when, and when its holder lets go."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from yarl import URL

from lab.controlplane import ControlPlane
from modelarts_nodepool.clock import SystemClock
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.leader_election import LEASE_NAME, Elector, LeaseTimes
from tests.support.limits import HANGING_SECONDS
from tests.support.proxy import Proxy

TIMES = LeaseTimes(
    duration=timedelta(seconds=4),
    deadline=timedelta(seconds=2),
    retry=timedelta(seconds=0.4),
    poll=timedelta(seconds=0.2),
)


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[Proxy]:
    server = URL(control_plane.server)
    assert server.host
    assert server.port
    with Proxy.to(server.host, server.port) as proxy:
        yield proxy


@pytest.fixture
async def cluster(control_plane: ControlPlane) -> AsyncIterator[KubeCluster]:
    async with await Connection.open(version="0", kubeconfig=str(control_plane.kubeconfig)) as connection:
        yield KubeCluster(connection, TIMES.retry * 5)


@pytest.fixture
async def far_cluster(control_plane: ControlPlane, proxy: Proxy, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    """The same through the proxy, each call bounded as the operator bounds it."""
    kubeconfig = proxy.kubeconfig(control_plane.kubeconfig, tmp_path / "kubeconfig")
    async with await Connection.open(version="0", kubeconfig=str(kubeconfig)) as connection:
        yield KubeCluster(connection, TIMES.retry * 5)


@pytest.fixture
async def namespace(control_plane: ControlPlane) -> AsyncIterator[str]:
    name = f"lease-{uuid.uuid4().hex[:8]}"
    await control_plane.kubectl("create", "namespace", name)
    yield name
    await control_plane.kubectl("delete", "namespace", name, "--wait=false")


def candidate(cluster: KubeCluster, namespace: str, name: str) -> Elector:
    return Elector(cluster, SystemClock(), namespace, name, TIMES)


async def test_of_many_candidates_one_holds_the_lease(cluster: KubeCluster, namespace: str) -> None:
    candidates = [candidate(cluster, namespace, f"c{number}") for number in range(5)]
    tasks = [asyncio.create_task(one.acquire()) for one in candidates]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=HANGING_SECONDS)
    await asyncio.sleep(TIMES.retry.total_seconds())
    assert [one.holds() for one in candidates].count(True) == 1
    assert [task.done() for task in tasks].count(True) == 1
    assert {one.problem for one in candidates} == {""}, "that another holds it is no problem"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_lease_that_is_given_away_is_taken_up_long_before_it_would_have_run_out(
    cluster: KubeCluster, namespace: str
) -> None:
    first, second = candidate(cluster, namespace, "first"), candidate(cluster, namespace, "second")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(TIMES.poll.total_seconds() * 2)
    assert not waiting.done()
    await first.release()
    assert not first.holds()
    async with asyncio.timeout(TIMES.duration.total_seconds() - 1):
        await waiting
    assert second.holds()


async def test_the_lease_of_a_dead_holder_is_taken_when_it_has_run_out_and_not_before(
    cluster: KubeCluster, namespace: str
) -> None:
    dead, other = candidate(cluster, namespace, "dead"), candidate(cluster, namespace, "other")
    await dead.acquire()
    begun = time.monotonic()
    async with asyncio.timeout(HANGING_SECONDS):
        await other.acquire()
    assert time.monotonic() - begun >= TIMES.duration.total_seconds()
    assert not dead.holds(), "its deadline is over before another may hold it"


async def test_a_holder_whose_calls_hang_lets_go_at_its_deadline(
    far_cluster: KubeCluster, namespace: str, proxy: Proxy
) -> None:
    holder = candidate(far_cluster, namespace, "holder")
    await holder.acquire()
    renewing = asyncio.create_task(holder.run())
    await asyncio.sleep(TIMES.retry.total_seconds() * 2)
    assert holder.holds()
    proxy.freeze()
    begun = time.monotonic()
    async with asyncio.timeout(HANGING_SECONDS):
        await renewing
    # One call alone would hang as long as the deadline: it is cut short.
    assert time.monotonic() - begun < TIMES.duration.total_seconds()
    assert not holder.holds()


@pytest.mark.parametrize("found", ["another", ""], ids=["still there", "gone again"])
async def test_a_holder_that_finds_another_in_its_place_lets_go_before_its_deadline(
    cluster: KubeCluster, namespace: str, found: str
) -> None:
    # As after a long pause of this process: another took it over, led, and perhaps gave it away.
    holder = candidate(cluster, namespace, "holder")
    await holder.acquire()
    path = paths.lease(namespace, LEASE_NAME)
    lease = await cluster.get(path)
    await cluster.replace(path, {**lease, "spec": {**lease["spec"], "holderIdentity": found}})
    async with asyncio.timeout(TIMES.deadline.total_seconds()):
        await holder.run()
    assert not holder.holds()
    assert (await cluster.get(path))["spec"].get("holderIdentity", "") == found
