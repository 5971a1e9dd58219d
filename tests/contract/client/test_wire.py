"""What goes over the wire, byte by byte."""

import json
from pathlib import Path

import pytest

from modelarts_nodepool import errors
from tests.contract.client.clients import PROJECT, a_client
from tests.contract.client.raw_server import a_reply, raw_server

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


async def test_case_02_continue_token_is_percent_encoded() -> None:
    last = a_reply(200, json.dumps({"kind": "NodeList", "items": None}).encode())
    async with raw_server(a_page("a b+/=&é"), last) as server, a_client(server.endpoint) as client:
        assert await client.list_node_pool_nodes(*NP) == []
    assert server.heads[1].split(" ")[1].endswith("/nodes?continue=a%20b%2B%2F%3D%26%C3%A9")


async def test_token_that_comes_again_is_malformed() -> None:
    async with raw_server(a_page("one"), a_page("two"), a_page("one")) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer, match="returned to an earlier page"):
            await client.list_node_pool_nodes(*NP)
        assert len(server.heads) == 3


async def test_pages_without_end_are_malformed() -> None:
    pages = [a_page(str(number)) for number in range(1000)]
    async with raw_server(*pages) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer, match="100 pages"):
            await client.list_node_pool_nodes(*NP)
        assert len(server.heads) == 100


async def test_cookies_are_not_kept() -> None:
    replies = a_reply(200, EMPTY_LIST, "Set-Cookie: session=1; Path=/")
    async with raw_server(replies) as server, a_client(server.endpoint) as client:
        await client.list_node_pools("pool-a")
        await client.list_node_pools("pool-a")
    assert not any("cookie" in headers_of(head) for head in server.heads)


async def test_case_36_netrc_does_not_replace_the_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password CANARY\ndefault login someone password CANARY\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    async with raw_server(a_reply(200, EMPTY_LIST)) as server, a_client(server.endpoint) as client:
        await client.list_node_pools("pool-a")
    assert headers_of(server.heads[0])["authorization"].startswith("SDK-HMAC-SHA256 ")
