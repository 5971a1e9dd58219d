"""Proxies of the environment: used for what is elsewhere, never told what is not theirs, passed by where asked."""

import ssl

import pytest

from modelarts_nodepool import errors
from tests.contract.client.clients import PROJECT, a_client
from tests.contract.client.proxy import a_proxy
from tests.contract.client.raw_server import a_reply, raw_server

NP = ("pool-a", "training-a")
EMPTY_LIST = b'{"kind": "NodePoolList", "items": []}'
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_call_goes_through_the_tunnel_of_a_proxy(
    variable: str, trust: ssl.SSLContext, server_side: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server, a_proxy(server.port) as proxy:
        monkeypatch.setenv(variable, proxy.endpoint.replace("//", "//user:CANARY@"))
        async with a_client("https://modelarts.invalid", trust=trust) as client:
            await client.delete_node_pool(*NP)
        (connect,) = proxy.heads
        (head,) = server.heads
    assert connect.startswith("CONNECT modelarts.invalid:443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpDQU5BUlk=" in connect
    assert "SDK-HMAC-SHA256" not in connect
    assert head.startswith(f"DELETE /v2/{PROJECT}/pools/pool-a/nodepools/training-a HTTP/1.1\r\n")
    assert "\r\nHost: modelarts.invalid\r\n" in head
    assert "\r\nAuthorization: SDK-HMAC-SHA256 " in head
    assert "proxy-authorization" not in head.lower()


async def test_address_of_ipv6_keeps_its_brackets(
    trust: ssl.SSLContext, server_side: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server, a_proxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        async with a_client("https://[2001:db8::1]:8443", trust=trust) as client:
            await client.list_node_pools("pool-a")
        assert len(proxy.heads) == 1
        assert "\r\nHost: [2001:db8::1]:8443\r\n" in server.heads[0]


async def test_server_behind_a_proxy_is_verified_too(
    server_side: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST), tls=server_side) as server, a_proxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        async with a_client("https://modelarts.invalid") as client:
            with pytest.raises(errors.Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.delete_node_pool(*NP)
        assert server.heads == []


@pytest.mark.parametrize("spared", ["modelarts.invalid", ".invalid", "*"])
async def test_host_of_no_proxy_is_reached_directly(spared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(a_reply(500)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        monkeypatch.setenv("NO_PROXY", f"localhost,{spared}")
        async with a_client("https://modelarts.invalid") as client:
            with pytest.raises(errors.Unreachable):
                await client.list_node_pools("pool-a")
        assert proxy.heads == []


async def test_proxy_for_plain_http_alone_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        async with a_client("https://modelarts.invalid") as client:
            with pytest.raises(errors.Unreachable):
                await client.list_node_pools("pool-a")
        assert proxy.heads == []


async def test_loopback_is_reached_without_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST)) as server, raw_server(a_reply(500)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.endpoint)
        async with a_client(server.endpoint) as client:
            await client.list_node_pools("pool-a")
        assert proxy.heads == []


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_proxy_that_refuses_means_that_nothing_was_sent(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(a_reply(status, b"", "Connection: close")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint.replace("//", "//user:CANARY@"))
        async with a_client("https://modelarts.invalid") as client:
            with pytest.raises(errors.Unreachable) as caught:
                await client.delete_node_pool(*NP)
        assert [head.split("\r\n")[0] for head in proxy.heads] == ["CONNECT modelarts.invalid:443 HTTP/1.1"]
    assert caught.value.had_no_effect
    assert "CANARY" not in str(caught.value)


async def test_proxy_that_cannot_be_reached_means_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(a_reply(200)) as proxy:
        gone = proxy.endpoint
    monkeypatch.setenv("HTTPS_PROXY", gone)
    async with a_client("https://modelarts.invalid") as client:
        with pytest.raises(errors.Unreachable, match="HTTPS_PROXY"):
            await client.delete_node_pool(*NP)


async def test_proxy_that_is_no_url_is_a_setting_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:CANARY@proxy")
    with pytest.raises(errors.SettingsError, match="HTTPS_PROXY") as caught:
        async with a_client("https://modelarts.invalid"):
            pass
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None
