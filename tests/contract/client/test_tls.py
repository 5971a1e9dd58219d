"""Who answers is verified: against public authorities, or against a bundle that was named. Case 35."""

import ssl
import subprocess
from pathlib import Path

import pytest

from modelarts_nodepool.errors import SettingsError, Unreachable
from tests.contract.client.clients import a_client
from tests.contract.client.raw_server import a_reply, raw_server

EMPTY_LIST = b'{"kind": "NodePoolList", "items": null}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same folder."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*command.split(), *names], cwd=folder, check=True, capture_output=True)  # noqa: S603 - a fixed command
    return folder / "cert.pem"


@pytest.fixture(scope="module")
def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


async def test_unknown_authority_is_refused_before_anything_is_sent(server_side: ssl.SSLContext) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server:
        async with a_client(server.endpoint) as client:
            with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.delete_node_pool("pool-a", "training-a")
        assert server.heads == []


async def test_named_authority_is_trusted(certificate: Path, server_side: ssl.SSLContext) -> None:
    async with (
        raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server,
        a_client(server.endpoint, ca_bundle=certificate) as client,
    ):
        assert (await client.list_node_pools("pool-a")).node_pools == {}


async def test_certificate_of_another_host_is_refused(certificate: Path, server_side: ssl.SSLContext) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server:
        async with a_client(f"https://localhost:{server.port}", ca_bundle=certificate) as client:
            with pytest.raises(Unreachable):
                await client.list_node_pools("pool-a")
        assert server.heads == []


async def test_bundle_that_cannot_be_read_is_a_setting_to_mend(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(SettingsError, match="CA bundle"):
            async with a_client("https://127.0.0.1:1", ca_bundle=path):
                pass
