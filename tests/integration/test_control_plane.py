"""The lab's control plane is a real Kubernetes, and leaves nothing behind."""

import asyncio
import os
import re
import signal
import socket
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.controlplane import Binaries, ControlPlane, ControlPlaneError
from lab.controlplane.failures import KubectlError, ServerStoppedError
from lab.controlplane.ports import free_ports
from lab.controlplane.servers import Servers
from tests.support.liveness import eventually, is_alive, pids_naming

pytestmark = pytest.mark.long

PORT_TAKEN = "A port was taken in the meantime; trying others."
# Started in a process of its own, so that it can be killed like a terminal that is closed.
PARENT = """
import sys, time
from pathlib import Path
from lab.controlplane import ControlPlane, ensure_binaries
with ControlPlane.start(Path(sys.argv[1]), ensure_binaries()) as plane:
    print(*plane.pids.values(), flush=True)
    time.sleep(600)
"""


async def test_it_serves_the_version_of_its_binary(control_plane: ControlPlane) -> None:
    binary = await asyncio.create_subprocess_exec(
        control_plane.binaries.kube_apiserver, "--version", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await binary.communicate()
    assert said.decode().split()[-1] == control_plane.version
    answered = await control_plane.kubectl("version", "-o", "json")
    assert f'"{control_plane.version}"' in answered.stdout


async def test_a_namespace_and_its_content_can_be_deleted(control_plane: ControlPlane) -> None:
    await control_plane.kubectl("create", "namespace", "short-lived")
    await control_plane.kubectl("create", "configmap", "content", "-n", "short-lived")
    await control_plane.kubectl("delete", "namespace", "short-lived", "--timeout=240s")
    gone = await control_plane.kubectl("get", "namespace", "short-lived", check=False)
    assert gone.code == 1
    assert "NotFound" in gone.stderr


async def test_the_garbage_collector_removes_dependents(control_plane: ControlPlane) -> None:
    await control_plane.kubectl("create", "configmap", "owner")
    uid = (await control_plane.kubectl("get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}")).stdout
    dependent = f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: dependent
  ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}}}]
"""
    await control_plane.kubectl("apply", "-f", "-", stdin=dependent)
    await control_plane.kubectl("delete", "configmap", "owner")
    await control_plane.kubectl("wait", "--for=delete", "configmap/dependent", "--timeout=240s")


async def test_a_service_account_has_its_own_rights_and_no_others(control_plane: ControlPlane) -> None:
    await control_plane.kubectl("create", "serviceaccount", "reader", "-n", "default")
    kubeconfig = await control_plane.service_account_kubeconfig("default", "reader")
    as_reader = ("--kubeconfig", str(kubeconfig))
    whoami = await control_plane.kubectl("auth", "whoami", *as_reader)
    assert "system:serviceaccount:default:reader" in whoami.stdout
    refused = await control_plane.kubectl("get", "secrets", *as_reader, check=False)
    assert "Forbidden" in refused.stderr


async def test_the_audit_log_counts_a_write_once_it_is_answered(control_plane: ControlPlane) -> None:
    began = datetime.now(UTC)
    await control_plane.kubectl("create", "configmap", "counted")
    writes = control_plane.audit().since(began).writes().on("configmaps", "default", "counted")
    assert [(event.verb, event.user, event.code) for event in writes] == [("create", "lab-admin", 201)]
    assert all(event.user_agent.startswith("kubectl/") for event in writes)


async def test_objects_survive_a_restart_of_the_api_server(control_plane: ControlPlane) -> None:
    await control_plane.kubectl("create", "configmap", "survivor")
    pid = control_plane.pids["kube-apiserver"]
    await control_plane.restart_apiserver()
    assert control_plane.pids["kube-apiserver"] != pid
    await control_plane.kubectl("get", "configmap", "survivor")


async def test_a_failed_kubectl_command_says_what_kubectl_said(control_plane: ControlPlane) -> None:
    with pytest.raises(KubectlError, match=r"`kubectl get nonsense` ended with exit code 1: .*nonsense"):
        await control_plane.kubectl("get", "nonsense")


async def test_everything_stays_in_its_folder_and_is_private(control_plane: ControlPlane) -> None:
    assert control_plane.folder.stat().st_mode & 0o777 == 0o700
    readable = [path for path in control_plane.folder.iterdir() if path.stat().st_mode & 0o077]
    assert readable == []
    seen = await control_plane.kubectl("config", "view")
    assert seen.stdout.count("server:") == 1
    assert control_plane.server in seen.stdout


async def test_nothing_is_left_after_stop(tmp_path: Path, control_plane_binaries: Binaries) -> None:
    async with ControlPlane.start(tmp_path / "plane", control_plane_binaries) as plane:
        pids = plane.pids
        assert all(is_alive(pid) for pid in pids.values())
    assert not any(is_alive(pid) for pid in pids.values())
    plane.stop()


async def test_cancelling_the_start_leaves_no_process(tmp_path: Path, control_plane_binaries: Binaries) -> None:
    loop = asyncio.get_running_loop()
    underway = asyncio.Event()

    def narrate(text: str) -> None:
        if "kube-apiserver" in text:
            loop.call_soon_threadsafe(underway.set)

    async def start() -> None:
        async with ControlPlane.start(tmp_path / "plane", control_plane_binaries, narrate):
            pytest.fail("it was cancelled before it was ready")

    starting = asyncio.create_task(start())
    await underway.wait()
    assert pids_naming(str(tmp_path)) != []
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert pids_naming(str(tmp_path)) == []


def test_a_server_that_dies_is_named_with_its_last_words(tmp_path: Path, control_plane_binaries: Binaries) -> None:
    def run_and_lose_etcd() -> None:
        with ControlPlane.start(tmp_path / "plane", control_plane_binaries) as plane:
            os.kill(plane.pids["etcd"], signal.SIGKILL)
            assert eventually(lambda: has_ended(plane))

    with pytest.raises(ServerStoppedError, match=r"etcd ended with exit code 137\. The end of .*etcd\.log:\n  "):
        run_and_lose_etcd()
    assert pids_naming(str(tmp_path)) == []


def has_ended(plane: ControlPlane) -> bool:
    try:
        plane.raise_if_ended()
    except ServerStoppedError:
        return True
    return False


async def test_sigkill_of_the_parent_leaves_no_server(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "plane"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pids = [int(word) for word in (await parent.stdout.readline()).split()]
    parent.kill()
    await parent.wait()
    assert len(pids) == 3
    assert eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert eventually(lambda: pids_naming(str(tmp_path)) == [])


@pytest.mark.parametrize("position", [0, 1, 2], ids=["of etcd", "of etcd's peers", "of the API server"])
def test_a_port_that_was_taken_meanwhile_is_given_up(
    tmp_path: Path, control_plane_binaries: Binaries, position: int
) -> None:
    said: list[str] = []
    with socket.socket() as theirs:
        theirs.bind(("127.0.0.1", 0))
        start_with_a_taken_port(tmp_path, control_plane_binaries, position, theirs.getsockname()[1], said)
    assert said.count(PORT_TAKEN) == 1


def test_the_etcd_of_another_control_plane_is_never_used(
    tmp_path: Path, control_plane: ControlPlane, control_plane_binaries: Binaries
) -> None:
    said: list[str] = []
    command = Path(f"/proc/{control_plane.pids['etcd']}/cmdline").read_text()
    found = re.search(r"--listen-client-urls=http://127\.0\.0\.1:(\d+)\0", command)
    assert found
    start_with_a_taken_port(tmp_path, control_plane_binaries, 0, int(found[1]), said)
    assert said[:2] == ["Starting etcd", PORT_TAKEN]


def start_with_a_taken_port(folder: Path, binaries: Binaries, position: int, taken: int, said: list[str]) -> None:
    """Start and stop; the first choice of ports holds one that is taken, the others are free."""

    def choose(count: int) -> tuple[int, ...]:
        ports = list(free_ports(count))
        if not said:
            ports[position] = taken
        return tuple(ports)

    Servers.start(folder / "plane", binaries, said.append, threading.Event(), choose).stop()


def test_a_folder_that_is_in_use_is_refused(tmp_path: Path, control_plane_binaries: Binaries) -> None:
    (tmp_path / "precious").write_text("mine")
    with (
        pytest.raises(ControlPlaneError, match="is not empty"),
        ControlPlane.start(tmp_path, control_plane_binaries),
    ):
        pytest.fail("it started in somebody's folder")
    assert (tmp_path / "precious").read_text() == "mine"
