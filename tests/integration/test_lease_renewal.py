"""A Lease that another held meanwhile is lost, even where it is free again: seen on a real API server."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from modelarts_nodepool.clock import SystemClock
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.cluster import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.leases import LEASE_NAME, Elector, LeaseTimes
from modelarts_nodepool.lab.controlplane import ControlPlane

QUICK = LeaseTimes(retry=timedelta(seconds=0.2))


@pytest.fixture
async def cluster(control_plane: ControlPlane) -> AsyncIterator[KubeCluster]:
    async with await Connection.open(version="0", kubeconfig=str(control_plane.kubeconfig)) as connection:
        yield KubeCluster(connection)


@pytest.fixture
async def namespace(control_plane: ControlPlane) -> AsyncIterator[str]:
    name = f"lease-{uuid.uuid4().hex[:8]}"
    await control_plane.kubectl("create", "namespace", name)
    yield name
    await control_plane.kubectl("delete", "namespace", name, "--wait=false")


def candidate(cluster: KubeCluster, namespace: str, identity: str) -> Elector:
    return Elector(cluster, SystemClock(), namespace, identity, QUICK)


async def holder(cluster: KubeCluster, namespace: str) -> str:
    lease = await cluster.get(paths.lease(namespace, LEASE_NAME))
    return str(lease["spec"].get("holderIdentity", ""))


@pytest.mark.parametrize("left", ["", "other"], ids=["gone again", "still there"])
async def test_a_lease_that_another_held_meanwhile_is_lost_and_not_renewed(
    cluster: KubeCluster, namespace: str, left: str
) -> None:
    one = candidate(cluster, namespace, "one")
    await one.acquire()
    # As after a long pause of this process: another took it over, led, and perhaps gave it away.
    lease = dict(await cluster.get(paths.lease(namespace, LEASE_NAME)))
    lease["spec"] = {**lease["spec"], "holderIdentity": left}
    await cluster.replace(paths.lease(namespace, LEASE_NAME), lease)
    async with asyncio.timeout(5):
        await one.run()
    assert not one.holds()
    assert await holder(cluster, namespace) == left
