"""kube/ against a real API server: patches, classes of errors, lists, Events."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.node_pool import Counts, NodePoolStatus
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.errors import ClusterUnavailable, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import KubeCluster, build_finalizer_added, build_finalizer_removed, build_status
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.crds import find_missing
from modelarts_nodepool.kube.events import EventRecorder, EventType, Reference
from modelarts_nodepool.ports import Cluster
from tests.support.limits import HANGING_SECONDS

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[Connection]:
    async with await Connection.open(version="0", kubeconfig=str(control_plane.kubeconfig)) as connection:
        yield connection


@pytest.fixture
def cluster(connection: Connection) -> Cluster:
    return KubeCluster(connection)


@pytest.fixture
async def namespace(control_plane: ControlPlane) -> AsyncIterator[str]:
    name = f"kube-{uuid.uuid4().hex[:8]}"
    await control_plane.kubectl("create", "namespace", name)
    yield name
    await control_plane.kubectl("delete", "namespace", name, "--wait=false")


def configmaps(namespace: str) -> str:
    return f"{paths.namespace(namespace)}/configmaps"


def a_configmap(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def a_node_pool(cluster: Cluster, namespace: str, *finalizers: str) -> NodePool:
    metadata = {"name": "training-a", "finalizers": list(finalizers)}
    body = {"metadata": metadata, "spec": {"poolName": "pool-a"}} | {
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1",
        "kind": "ModelArtsNodePool",
    }
    return NodePool.from_body(await cluster.create(paths.node_pools_in(namespace), body))


async def is_gone(cluster: Cluster, path: str) -> bool:
    try:
        await cluster.get(path)
    except ObjectGone:
        return True
    return False


@pytest.fixture
async def definitions(control_plane: ControlPlane, cluster: Cluster) -> None:
    await control_plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    async with asyncio.timeout(HANGING_SECONDS):
        while await find_missing(cluster):  # noqa: ASYNC110 - the API server tells nobody
            await asyncio.sleep(0.1)


@pytest.mark.usefixtures("definitions")
async def test_both_kinds_are_served_once_they_are_installed(cluster: Cluster) -> None:
    assert not await find_missing(cluster)


@pytest.mark.usefixtures("definitions")
async def test_the_finalizer_comes_and_goes_among_those_of_others(cluster: Cluster, namespace: str) -> None:
    fresh = await a_node_pool(cluster, namespace, "others.example/a", "others.example/b")
    path = paths.path_of(fresh)
    held = NodePool.from_body(await cluster.json_patch(path, build_finalizer_added(fresh)))
    assert held.is_protected
    released = NodePool.from_body(await cluster.json_patch(path, build_finalizer_removed(held)))
    assert released.metadata.finalizers == ("others.example/a", "others.example/b")


@pytest.mark.usefixtures("definitions")
async def test_the_object_goes_with_our_finalizer(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    fresh = await a_node_pool(cluster, namespace)
    path = paths.path_of(fresh)
    await cluster.json_patch(path, build_finalizer_added(fresh))
    await control_plane.kubectl("delete", "manp", "training-a", "-n", namespace, "--wait=false")
    deleted = NodePool.from_body(await cluster.get(path))
    assert deleted.metadata.deleted
    await cluster.json_patch(path, build_finalizer_removed(deleted))
    assert await is_gone(cluster, path)


@pytest.mark.usefixtures("definitions")
async def test_a_patch_decided_on_an_older_object_changes_nothing(cluster: Cluster, namespace: str) -> None:
    fresh = await a_node_pool(cluster, namespace)
    path = paths.path_of(fresh)
    held = NodePool.from_body(await cluster.json_patch(path, build_finalizer_added(fresh)))
    for late in (build_finalizer_added(fresh), build_status(fresh, NodePoolStatus(observed_generation=1))):
        with pytest.raises(ObjectChanged):
            await cluster.json_patch(path, late)
    with pytest.raises(ObjectChanged):
        await cluster.json_patch(f"{path}/status", build_status(fresh, NodePoolStatus()))
    assert NodePool.from_body(await cluster.get(path)) == held


@pytest.mark.usefixtures("definitions")
async def test_a_patch_never_hits_an_object_created_again(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    first = await a_node_pool(cluster, namespace)
    path = paths.path_of(first)
    await control_plane.kubectl("delete", "manp", "training-a", "-n", namespace)
    with pytest.raises(ObjectGone):
        await cluster.json_patch(path, build_finalizer_added(first))
    second = await a_node_pool(cluster, namespace)
    with pytest.raises(ObjectChanged):
        await cluster.json_patch(path, build_finalizer_added(first))
    assert NodePool.from_body(await cluster.get(path)) == second


@pytest.mark.usefixtures("definitions")
async def test_a_status_is_written_and_read_back(cluster: Cluster, namespace: str) -> None:
    fresh = await a_node_pool(cluster, namespace)
    status = NodePoolStatus(observed_generation=1, counts=Counts(available=3))
    answer = await cluster.json_patch(paths.status_path_of(fresh), build_status(fresh, status))
    assert NodePool.from_body(answer).status == status
    assert "managedFields" not in answer["metadata"]


@pytest.mark.usefixtures("definitions")
async def test_a_status_against_the_schema_is_not_taken_for_a_change(cluster: Cluster, namespace: str) -> None:
    fresh = await a_node_pool(cluster, namespace)
    patch = [{"op": "add", "path": "/status", "value": {"counts": {"available": -1}}}]
    with pytest.raises(ClusterUnavailable, match=r"status\.counts\.available") as failure:
        await cluster.json_patch(paths.status_path_of(fresh), patch)
    assert failure.value.status == 422


@pytest.mark.usefixtures("definitions")
async def test_no_finalizer_is_added_to_a_terminating_object(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    fresh = await a_node_pool(cluster, namespace, "others.example/a")
    await control_plane.kubectl("delete", "manp", "training-a", "-n", namespace, "--wait=false")
    deleted = NodePool.from_body(await cluster.get(paths.path_of(fresh)))
    with pytest.raises(ClusterUnavailable, match="being deleted"):
        await cluster.json_patch(paths.path_of(fresh), build_finalizer_added(deleted))
    removed = [{"op": "remove", "path": "/metadata/finalizers"}]
    await cluster.json_patch(paths.path_of(fresh), removed)


async def test_lists_are_complete_over_several_pages(cluster: KubeCluster, namespace: str) -> None:
    bodies = [a_configmap(f"c{number:04}", number=str(number)) for number in range(520)]
    for start in range(0, len(bodies), 20):
        batch = bodies[start : start + 20]
        await asyncio.gather(*(cluster.create(configmaps(namespace), body) for body in batch))
    found = await cluster.list_as(configmaps(namespace), dict)
    assert sorted(body["data"]["number"] for body in found) == sorted(str(n) for n in range(520))
    assert not any("managedFields" in body["metadata"] for body in found)
    names = await cluster.list_metadata(configmaps(namespace), lambda body: (body["metadata"]["name"], set(body)))
    assert [name for name, _ in names] == [f"c{number:04}" for number in range(520)]
    assert not any("data" in keys for _, keys in names)


async def test_an_empty_collection_is_an_empty_list(cluster: Cluster, namespace: str) -> None:
    assert await cluster.list_as(paths.secrets(namespace), dict) == []


async def test_secrets_are_listed_by_their_label(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
    for name in ("keys", "others"):
        await control_plane.kubectl("create", "secret", "generic", name, "-n", namespace)
    label = "modelarts.huaweicloud.com/credentials=true"
    await control_plane.kubectl("label", "secret", "keys", label, "-n", namespace)
    found = await cluster.list_as(paths.secrets(namespace), dict)
    assert [body["metadata"]["name"] for body in found] == ["keys"]


async def test_what_is_not_there_is_gone_and_a_taken_name_is_a_change(cluster: Cluster, namespace: str) -> None:
    for path in (f"{configmaps(namespace)}/x", "/apis/nobody.example/v1/things", "/api/v1/nothings"):
        with pytest.raises(ObjectGone):
            await cluster.get(path)
    await cluster.create(configmaps(namespace), a_configmap("a"))
    with pytest.raises(ObjectChanged, match="already exists"):
        await cluster.create(configmaps(namespace), a_configmap("a"))


async def test_an_event_is_shown_by_kubectl_describe(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    body = await cluster.create(configmaps(namespace), a_configmap("a"))
    about = Reference("ConfigMap", "a", namespace, body["metadata"]["uid"], "v1")
    recorder = EventRecorder(cluster)
    recorder.record(about, EventType.WARNING, "DeletionBlocked", "held because of a test")
    await run_until(recorder, 1)
    assert recorder.posted == 1
    shown = json.loads((await control_plane.kubectl("get", "events", "-n", namespace, "-o", "json")).stdout)
    [event] = shown["items"]
    assert event["involvedObject"]["uid"] == body["metadata"]["uid"]
    assert event["reportingComponent"] == "modelarts-nodepool-operator"
    described = (await control_plane.kubectl("describe", "configmap", "a", "-n", namespace)).stdout
    assert "DeletionBlocked" in described
    assert "held because of a test" in described


async def test_events_of_an_account_are_accepted_without_a_namespace(cluster: Cluster) -> None:
    recorder = EventRecorder(cluster)
    about = Reference("ModelArtsAccount", "default", "", str(uuid.uuid4()))
    recorder.record(about, EventType.NORMAL, "CredentialsValid", "all is well")
    await run_until(recorder, 1)
    assert recorder.posted == 1


async def test_a_namespace_without_permission_is_survived(
    control_plane: ControlPlane, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    await control_plane.kubectl("create", "serviceaccount", "silent", "-n", namespace)
    kubeconfig = await control_plane.service_account_kubeconfig(namespace, "silent")
    async with await Connection.open(version="0", kubeconfig=str(kubeconfig)) as connection:
        recorder = EventRecorder(KubeCluster(connection))
        about = Reference("ConfigMap", "a", namespace, "u", "v1")
        for number in range(3):
            recorder.record(about, EventType.NORMAL, "R", str(number))
        await run_until(recorder, 3)
    assert (recorder.posted, recorder.dropped) == (0, 3)
    assert caplog.text.count("refuses Events") == 1


async def test_a_terminating_namespace_is_survived(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    held = a_configmap("held") | {"metadata": {"name": "held", "finalizers": ["others.example/a"]}}
    await cluster.create(configmaps(namespace), held)
    await control_plane.kubectl("delete", "namespace", namespace, "--wait=false")
    recorder = EventRecorder(cluster)
    recorder.record(Reference("ConfigMap", "held", namespace, "u", "v1"), EventType.NORMAL, "R", "x")
    await run_until(recorder, 1)
    assert (recorder.posted, recorder.dropped) == (0, 1)
    removed = [{"op": "remove", "path": "/metadata/finalizers"}]
    await cluster.json_patch(f"{configmaps(namespace)}/held", removed)


async def run_until(recorder: EventRecorder, count: int) -> None:
    """Run the recorder until so many Events are posted or dropped."""
    task = asyncio.create_task(recorder.run())
    async with asyncio.timeout(HANGING_SECONDS):
        while recorder.posted + recorder.dropped < count:  # noqa: ASYNC110 - it tells nobody, on purpose
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
