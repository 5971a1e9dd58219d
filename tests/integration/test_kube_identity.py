"""Who we are to a real API server: ServiceAccounts, tokens that rotate, and kopf on our connection."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kopf
import pytest
import yaml

from lab.controlplane import ControlPlane
from modelarts_nodepool.errors import ClusterUnavailable, SettingsError
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from tests.support.limits import HANGING_SECONDS

SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


@pytest.fixture
async def namespace(control_plane: ControlPlane) -> AsyncIterator[str]:
    name = f"identity-{uuid.uuid4().hex[:8]}"
    await control_plane.kubectl("create", "namespace", name)
    yield name
    await control_plane.kubectl("delete", "namespace", name, "--wait=false")


def configmaps(namespace: str) -> str:
    return f"{paths.namespace(namespace)}/configmaps"


def a_configmap(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def bind(plane: ControlPlane, namespace: str, name: str, role: str) -> None:
    await plane.kubectl("create", "serviceaccount", name, "-n", namespace)
    account = f"--serviceaccount={namespace}:{name}"
    await plane.kubectl("create", "rolebinding", name, f"--clusterrole={role}", account, "-n", namespace)


async def token_of(plane: ControlPlane, namespace: str, name: str) -> str:
    return (await plane.kubectl("create", "token", name, "-n", namespace)).stdout.strip()


def with_token_file(plane: ControlPlane, folder: Path) -> Path:
    content = yaml.safe_load(plane.kubeconfig.read_text())
    for user in content["users"]:
        user["user"] = {"tokenFile": str(folder / "token")}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


async def test_a_service_account_is_refused_what_its_role_does_not_allow(
    control_plane: ControlPlane, namespace: str
) -> None:
    await bind(control_plane, namespace, "reader", "view")
    kubeconfig = await control_plane.service_account_kubeconfig(namespace, "reader")
    async with await Connection.open(version="0", kubeconfig=str(kubeconfig)) as connection:
        cluster = KubeCluster(connection)
        assert await cluster.list_as(configmaps(namespace), dict) is not None
        with pytest.raises(ClusterUnavailable, match="kubectl auth can-i") as failure:
            await cluster.list_as(paths.secrets(namespace), dict)
        assert failure.value.status == 403


async def test_a_rotated_token_is_used_for_reads_writes_and_kopfs_session(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    await bind(control_plane, namespace, "writer", "edit")
    (tmp_path / "token").write_text("expired")
    kubeconfig = with_token_file(control_plane, tmp_path)
    async with await Connection.open(version="0", kubeconfig=str(kubeconfig)) as connection:
        cluster, session = KubeCluster(connection), connection.new_session()
        with pytest.raises(ClusterUnavailable, match="401"):
            await cluster.list_as(configmaps(namespace), dict)
        (tmp_path / "token").write_text(await token_of(control_plane, namespace, "writer") + "\n")
        # Refused at first, then sent again with the same content and the new token.
        await cluster.create(configmaps(namespace), a_configmap("a", key="kept"))
        assert (await cluster.get(f"{configmaps(namespace)}/a"))["data"] == {"key": "kept"}
        async with session.post(connection.server + SELF, json=REVIEW) as answer:
            said = await answer.json()
        assert said["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:writer"


def with_changes(plane: ControlPlane, folder: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> str:
    content = yaml.safe_load(plane.kubeconfig.read_text())
    for entry in content["clusters"]:
        entry["cluster"] |= cluster
    for entry in content["users"]:
        entry["user"] |= user
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return str(path)


async def version_with(kubeconfig: str) -> str:
    async with await Connection.open(version="0", kubeconfig=kubeconfig) as connection:
        return str((await KubeCluster(connection).get("/version"))["gitVersion"])


async def test_the_certificate_is_checked_against_the_name_in_the_kubeconfig(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    right = with_changes(control_plane, tmp_path, {"tls-server-name": "kubernetes.default.svc"}, {})
    assert await version_with(right) == control_plane.version
    wrong = with_changes(control_plane, tmp_path, {"tls-server-name": "wrong.example"}, {})
    with pytest.raises(ClusterUnavailable, match="Certificate"):
        await version_with(wrong)


async def test_an_insecure_kubeconfig_is_taken_at_its_word(control_plane: ControlPlane, tmp_path: Path) -> None:
    unknown = {"tls-server-name": "wrong.example", "certificate-authority-data": ""}
    with pytest.raises(ClusterUnavailable, match="Certificate"):
        await version_with(with_changes(control_plane, tmp_path, unknown, {}))
    cluster = unknown | {"insecure-skip-tls-verify": True}
    assert await version_with(with_changes(control_plane, tmp_path, cluster, {})) == control_plane.version


async def test_a_client_certificate_has_to_fit_its_key(control_plane: ControlPlane, tmp_path: Path) -> None:
    # The API server's own pair stands in for a person's: what is tested is that both are loaded.
    [certificate] = control_plane.folder.rglob("apiserver.crt")
    user = {"client-certificate": str(certificate), "client-key": str(certificate.with_suffix(".key"))}
    assert await version_with(with_changes(control_plane, tmp_path, {}, user)) == control_plane.version
    user["client-key"] = str(certificate)
    with pytest.raises(SettingsError, match="certificate or key"):
        await version_with(with_changes(control_plane, tmp_path, {}, user))


@asynccontextmanager
async def kopf_on(connection: Connection, namespace: str) -> AsyncIterator[asyncio.Queue[Mapping[str, Any]]]:
    """kopf watching ConfigMaps of a namespace, on sessions of ours, as handlers/ gives it them."""
    seen: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    registry, stop = kopf.OperatorRegistry(), asyncio.Event()
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: Any) -> kopf.AiohttpSession:  # noqa: ANN401 - kopf's
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=connection.new_session())

    @kopf.on.event("configmaps", registry=registry, id="seen")
    async def on_configmap(event: Any, **_: Any) -> None:  # noqa: ANN401 - kopf's
        seen.put_nowait(event["object"])

    running = asyncio.create_task(
        kopf.operator(registry=registry, settings=settings, namespaces=[namespace], standalone=True, stop_flag=stop)
    )
    yield seen
    stop.set()
    await running


async def test_kopf_watches_over_our_connection_and_leaves_it_open(control_plane: ControlPlane, namespace: str) -> None:
    async with await Connection.open(version="0", kubeconfig=str(control_plane.kubeconfig)) as connection:
        cluster = KubeCluster(connection)
        for name in ("first", "second"):
            async with kopf_on(connection, namespace) as seen:
                await cluster.create(configmaps(namespace), a_configmap(name))
                async with asyncio.timeout(HANGING_SECONDS):
                    while (await seen.get())["metadata"]["name"] != name:
                        pass
        assert len(await cluster.list_as(configmaps(namespace), dict)) >= 2
