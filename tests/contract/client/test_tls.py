"""Who answers is verified: against public authorities, or against a bundle that was named."""

import ssl
from pathlib import Path

import pytest

from modelarts_nodepool.errors import SettingsError, Unreachable
from modelarts_nodepool.modelarts.tls import build_trust
from tests.contract.client.clients import a_client
from tests.contract.client.raw_server import a_reply, raw_server

EMPTY_LIST = b'{"kind": "NodePoolList", "items": null}'
# What other libraries read as "do not verify" or "trust these instead".
MISLEADING = {
    "PYTHONHTTPSVERIFY": "0",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "GIT_SSL_NO_VERIFY": "1",
}


@pytest.fixture(autouse=True)
def _usual_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


async def test_case_35_unknown_authority_is_refused_before_anything_is_sent(
    server_side: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in MISLEADING.items():
        monkeypatch.setenv(name, value)
    async with raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server:
        async with a_client(server.endpoint, trust=build_trust()) as client:
            with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.delete_node_pool("pool-a", "training-a")
        assert server.heads == []


async def test_case_35_authority_of_the_bundle_is_trusted(trust: ssl.SSLContext, server_side: ssl.SSLContext) -> None:
    async with (
        raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server,
        a_client(server.endpoint, trust=trust) as client,
    ):
        assert (await client.list_node_pools("pool-a")).node_pools == {}


async def test_case_35_bundle_of_other_libraries_is_not_used(
    certificate: Path, server_side: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(certificate))
    async with (
        raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server,
        a_client(server.endpoint, trust=build_trust()) as client,
    ):
        with pytest.raises(Unreachable):
            await client.list_node_pools("pool-a")


async def test_case_35_ssl_cert_file_is_trusted_in_place_of_the_public_authorities(
    certificate: Path, server_side: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trust = build_trust()
    assert trust.cert_store_stats()["x509"] == 1
    async with (
        raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server,
        a_client(server.endpoint, trust=trust) as client,
    ):
        assert (await client.list_node_pools("pool-a")).node_pools == {}


async def test_certificate_of_another_host_is_refused(trust: ssl.SSLContext, server_side: ssl.SSLContext) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server:
        async with a_client(f"https://localhost:{server.port}", trust=trust) as client:
            with pytest.raises(Unreachable):
                await client.list_node_pools("pool-a")
        assert server.heads == []


def test_bundle_is_trusted_besides_the_public_authorities(certificate: Path) -> None:
    public = build_trust().cert_store_stats()["x509"]
    assert public > 50
    assert build_trust(certificate).cert_store_stats()["x509"] == public + 1


def test_trust_always_verifies(trust: ssl.SSLContext) -> None:
    for each in (trust, build_trust()):
        assert each.verify_mode is ssl.CERT_REQUIRED
        assert each.check_hostname


@pytest.mark.parametrize("content", [None, b"", b"not a certificate", b"\xff\xfe", "folder", "key"])
def test_bundle_that_cannot_be_used_is_a_setting_to_mend(
    content: bytes | str | None, tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bundle.pem"
    if content == "folder":
        path.mkdir()
    elif content == "key":
        path = certificate.with_name("key.pem")
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"CA bundle .* cannot be used: .* openssl x509"):
        build_trust(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(SettingsError, match=r"SSL_CERT_FILE is .* cannot be used: .* openssl x509"):
        build_trust()


def test_folder_of_certificates_that_is_none_is_a_setting_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    with pytest.raises(SettingsError, match="SSL_CERT_DIR is /nowhere"):
        build_trust()


async def test_case_33_endpoint_without_a_scheme_is_https(trust: ssl.SSLContext, server_side: ssl.SSLContext) -> None:
    async with (
        raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server,
        a_client(f"127.0.0.1:{server.port}", trust=trust) as client,
    ):
        assert (await client.list_node_pools("pool-a")).node_pools == {}


@pytest.mark.parametrize("path", ["/gateway", "/gateway/prefix/", "/v2", "?x=1", "#x"])
async def test_case_33_endpoint_with_a_path_is_refused_before_anything_is_sent(path: str) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST)) as server:
        with pytest.raises(SettingsError, match="has a path"):
            async with a_client(f"{server.endpoint}{path}"):
                pass
        assert server.heads == []
