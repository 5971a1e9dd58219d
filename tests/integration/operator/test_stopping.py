"""SIGTERM and Ctrl-C: exit code 0, quickly, and nothing left behind."""

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.limits import QUICKLY_SECONDS
from tests.support.liveness import is_alive
from tests.support.operator import OperatorProcess
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])


@SIGNALS
def test_it_stops_quickly_while_it_works(tenant: Tenant, operator: OperatorProcess, number: signal.Signals) -> None:
    tenant.mirrored("training-a")
    pid = operator.pid
    found = re.findall(r"listening on http://127\.0\.0\.1:(\d+)", operator.text_of_this_life())
    code, seconds = operator.stop(number)
    assert code == 0
    assert seconds < QUICKLY_SECONDS
    assert not is_alive(pid)
    assert operator.lines()[-1]["message"] == "stopped"
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(found[0])), 1):
        pass
    operator.start()


def test_it_stops_quickly_while_the_cloud_does_not_answer(tenant: Tenant, operator: OperatorProcess) -> None:
    tenant.mirrored("training-a")
    tenant.cloud.fault(operation="list_node_pools", resourcePool=tenant.resource_pool, delaySeconds=3600)
    since = tenant.cloud.last
    tenant.until_true(
        lambda: tenant.cloud.requests(tenant.resource_pool, "list_node_pools", since), "a look that hangs"
    )
    code, seconds = operator.stop()
    assert code == 0
    assert seconds < QUICKLY_SECONDS
    operator.start()


@pytest.fixture
def lost(identity: Path, cloud: Cloud, tmp_path: Path) -> Iterator[OperatorProcess]:
    """One whose API server is not there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{unused.getsockname()[1]}"
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(re.sub(r"https://127\.0\.0\.1:\d+", server, identity.read_text()))
        operator = OperatorProcess(kubeconfig, f"{cloud.region}={cloud.endpoint}", tmp_path / "operator.log")
        yield operator
        operator.end()


@SIGNALS
def test_it_stops_quickly_while_there_is_no_api_server(lost: OperatorProcess, number: signal.Signals) -> None:
    lost.launch()
    while lost.readiness()[0] != 503:
        pass
    code, seconds = lost.stop(number)
    assert code == 0
    assert seconds < QUICKLY_SECONDS
