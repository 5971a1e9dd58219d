from pathlib import Path

import pytest

from lab.controlplane import commands
from lab.controlplane.commands import Layout

LAYOUT = Layout(Path("/lab"), 1001, 1002, 1003, "lab")
BINARY = Path("/bin/server")


@pytest.mark.parametrize(
    "command",
    [
        commands.etcd(BINARY, LAYOUT),
        commands.kube_apiserver(BINARY, LAYOUT),
        commands.kube_controller_manager(BINARY, LAYOUT),
    ],
    ids=["etcd", "kube-apiserver", "kube-controller-manager"],
)
def test_every_url_is_on_loopback_and_every_file_in_the_folder(command: list[str]) -> None:
    values = [argument.partition("=")[2].removeprefix("lab=") for argument in command[1:]]
    for value in values:
        assert not value.startswith("http") or value.partition("//")[2].startswith("127.0.0.1:")
        assert not value.startswith("/") or value.startswith("/lab/")


def test_the_api_server_asks_who_may_what() -> None:
    assert "--authorization-mode=RBAC" in commands.kube_apiserver(BINARY, LAYOUT)


def test_no_request_body_reaches_the_audit_log() -> None:
    assert "level: Metadata" in commands.AUDIT_POLICY
    assert "level: Request" not in commands.AUDIT_POLICY
