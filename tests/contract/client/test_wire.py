"""What goes over the wire, byte by byte, and what comes back from servers that misbehave."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from modelarts_nodepool import errors
from modelarts_nodepool.modelarts.transport import Bounds
from tests.contract.client.clients import PROJECT, SHORT, Reports, a_client
from tests.contract.client.raw_server import Writer, a_reply, raw_server, reset, wait_for_ever

NP = ("pool-a", "training-a")
EMPTY_LIST = json.dumps({"kind": "NodePoolList", "items": []}).encode()


def headers_of(head: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.split("\r\n")[1:] if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


def a_page(token: str) -> bytes:
    return a_reply(200, json.dumps({"kind": "NodeList", "items": [], "metadata": {"continue": token}}).encode())


async def test_delete_goes_out_as_the_api_page_describes_it() -> None:
    async with raw_server(a_reply(200, b"{}")) as server, a_client(server.endpoint) as client:
        await client.delete_node_pool(*NP)
    (head,) = server.heads
    headers = headers_of(head)
    assert head.startswith(f"DELETE /v2/{PROJECT}/pools/pool-a/nodepools/training-a HTTP/1.1\r\n")
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == "0"
    assert headers["x-project-id"] == PROJECT
    assert headers["user-agent"].startswith("modelarts-nodepool-operator/")
    assert "SignedHeaders=content-type;host;x-project-id;x-sdk-date," in headers["authorization"]
    assert "x-security-token" not in headers


async def test_2_continue_token_is_percent_encoded() -> None:
    last = a_reply(200, json.dumps({"kind": "NodeList", "items": None}).encode())
    async with raw_server(a_page("a b+/=&é"), last) as server, a_client(server.endpoint) as client:
        assert await client.list_node_pool_nodes(*NP) == []
    assert server.heads[1].split(" ")[1].endswith("/nodes?continue=a%20b%2B%2F%3D%26%C3%A9")


async def test_token_that_comes_again_is_malformed() -> None:
    async with raw_server(a_page("one"), a_page("two"), a_page("one")) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer, match="page it had given before"):
            await client.list_node_pool_nodes(*NP)
        assert len(server.heads) == 3


async def test_pages_without_end_are_malformed() -> None:
    pages = [a_page(str(number)) for number in range(1000)]
    async with raw_server(*pages) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer, match="100 pages"):
            await client.list_node_pool_nodes(*NP)
        assert len(server.heads) == 100


async def test_40_strange_body_makes_one_delete() -> None:
    body = json.dumps(["kind", {"status": {"resources": {"available": ["flavor"]}}}]).encode()
    async with raw_server(a_reply(200, body)) as server, a_client(server.endpoint) as client:
        await client.delete_node_pool(*NP)
        assert len(server.heads) == 1


async def test_cookies_are_not_kept() -> None:
    replies = a_reply(200, EMPTY_LIST, "Set-Cookie: session=1; Path=/")
    async with raw_server(replies) as server, a_client(server.endpoint) as client:
        await client.list_node_pools("pool-a")
        await client.list_node_pools("pool-a")
    assert not any("cookie" in headers_of(head) for head in server.heads)


async def test_36_netrc_does_not_replace_the_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password CANARY\ndefault login someone password CANARY\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    async with raw_server(a_reply(200, EMPTY_LIST)) as server, a_client(server.endpoint) as client:
        await client.list_node_pools("pool-a")
    assert headers_of(server.heads[0])["authorization"].startswith("SDK-HMAC-SHA256 ")


async def test_loopback_is_reached_without_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST)) as server, raw_server(a_reply(500)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.endpoint)
        async with a_client(server.endpoint) as client:
            await client.list_node_pools("pool-a")
        assert proxy.heads == []


async def test_proxy_that_refuses_means_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with raw_server(a_reply(407, b"", "Connection: close")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint.replace("//", "//user:CANARY@"))
        async with a_client("https://modelarts.invalid") as client:
            with pytest.raises(errors.Unreachable) as caught:
                await client.delete_node_pool(*NP)
        assert [head.split("\r\n")[0] for head in proxy.heads] == ["CONNECT modelarts.invalid:443 HTTP/1.1"]
    assert caught.value.had_no_effect
    assert "CANARY" not in str(caught.value)


async def test_proxy_that_is_no_url_is_a_setting_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:CANARY@proxy")
    with pytest.raises(errors.SettingsError, match="HTTPS_PROXY") as caught:
        async with a_client("https://modelarts.invalid"):
            pass
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


async def test_refused_connection_proves_that_nothing_was_sent() -> None:
    async with raw_server(a_reply(200)) as server:
        gone = server.endpoint
    async with a_client(gone) as client:
        with pytest.raises(errors.Unreachable) as caught:
            await client.delete_node_pool(*NP)
    assert caught.value.had_no_effect
    assert "kubectl get maacct" in caught.value.message
    assert caught.value.__context__ is None


async def test_server_without_tls_proves_that_nothing_was_sent() -> None:
    # It waits for the end of what it takes for a request's head, we wait for its part of the handshake.
    bounds = Bounds(connecting=timedelta(seconds=0.2))
    async with (
        raw_server(a_reply(400)) as server,
        a_client(server.endpoint.replace("http:", "https:"), bounds=bounds) as client,
    ):
        with pytest.raises(errors.Unreachable, match="ConnectTimeout"):
            await client.delete_node_pool(*NP)


async def test_30_connection_reset_leaves_the_effect_unknown() -> None:
    async with raw_server(reset) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.NoAnswer) as caught:
            await client.delete_node_pool(*NP)
        assert len(server.heads) == 1
    assert not caught.value.had_no_effect


async def test_silent_server_is_given_up_at_the_deadline() -> None:
    async with raw_server(wait_for_ever) as server, a_client(server.endpoint, bounds=SHORT) as client:
        for call in (client.delete_node_pool, client.show_node_pool):
            with pytest.raises(errors.NoAnswer, match=r"within 0\.5 s"):
                await call(*NP)


async def drip(writer: Writer) -> None:
    """One byte at a time, always in time for a timeout between bytes, never in time for a deadline."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def test_dripping_body_is_given_up_at_the_deadline() -> None:
    async with raw_server(drip) as server, a_client(server.endpoint, bounds=SHORT) as client:
        with pytest.raises(errors.NoAnswer):
            await client.list_node_pools("pool-a")


async def test_dripping_body_of_an_accepted_delete_is_not_waited_for() -> None:
    async with raw_server(drip) as server, a_client(server.endpoint, bounds=SHORT) as client:
        assert (await client.delete_node_pool(*NP)).request_id is None


async def test_body_that_breaks_off_is_no_answer_to_a_list_and_a_whole_one_to_a_delete() -> None:
    reply = a_reply(200, EMPTY_LIST, "Connection: close", length=10_000)
    async with raw_server(reply) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.NoAnswer):
            await client.list_node_pools("pool-a")
        assert (await client.delete_node_pool(*NP)).request_id is None


async def test_rejected_key_is_known_from_the_status_even_where_the_body_breaks_off() -> None:
    reply = a_reply(401, b'{"err', "Connection: close", length=500)
    async with raw_server(reply) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.CredentialsRejected):
            await client.list_node_pools("pool-a")


async def test_error_body_without_end_is_cut() -> None:
    async with raw_server(a_reply(500, b"x" * 500_000)) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.ServerFailure) as caught:
            await client.list_node_pools("pool-a")
        assert len(caught.value.message) <= 1000


@pytest.mark.parametrize("reply", [b"garbage\r\n\r\nclose", b"HTTP/1.1 abc\r\n\r\nclose", b"\x00" * 50 + b"close"])
async def test_answer_that_is_no_http_is_no_answer(reply: bytes) -> None:
    async with raw_server(reply) as server, a_client(server.endpoint, bounds=SHORT) as client:
        with pytest.raises(errors.NoAnswer):
            await client.delete_node_pool(*NP)
        assert len(server.heads) == 1


async def test_connection_that_the_server_closed_in_between_is_replaced() -> None:
    async with (
        raw_server(a_reply(200, EMPTY_LIST, "X-Note: will close")) as server,
        a_client(server.endpoint) as client,
    ):
        await client.list_node_pools("pool-a")
        await asyncio.sleep(0.05)
        await client.list_node_pools("pool-a")
        assert len(server.heads) == 2


async def test_cancelled_call_ends_at_once_and_leaves_the_client_usable() -> None:
    reports = Reports()
    replies = (wait_for_ever, a_reply(200, EMPTY_LIST))
    async with raw_server(*replies) as server, a_client(server.endpoint, reports=reports) as client:
        task = asyncio.create_task(client.list_node_pools("pool-a"))
        await server.first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.list_node_pools("pool-a")).node_pools == {}
    assert reports.outcomes == ["Cancelled", "200"]


async def test_calls_at_the_same_time_do_not_mix() -> None:
    def one(name: str) -> bytes:
        return a_reply(200, json.dumps({"kind": "NodePool", "metadata": {"name": name}}).encode())

    async with raw_server(one("training-a")) as server, a_client(server.endpoint) as client:
        found = await asyncio.gather(*(client.show_node_pool("pool-a", "training-a") for _ in range(20)))
        assert {node_pool.name for node_pool in found} == {"training-a"}
        assert len(server.heads) == 20
