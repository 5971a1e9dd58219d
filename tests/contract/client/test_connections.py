"""Connections that end, stall or are used again: no call is ever sent twice, none waits beyond its deadline."""

import asyncio
import contextlib
import json
import socket
from datetime import timedelta

import pytest

from modelarts_nodepool import errors
from modelarts_nodepool.modelarts.transport import Bounds
from tests.contract.client.clients import SHORT, Reports, a_client
from tests.contract.client.raw_server import Reply, Writer, a_reply, raw_server, reset, wait_for_ever

NP = ("pool-a", "training-a")
EMPTY_LIST = json.dumps({"kind": "NodePoolList", "items": []}).encode()


async def close_unanswered(_: Writer) -> None:
    """The end of the connection in place of an answer, as a server does that has just timed it out."""


@pytest.mark.parametrize("ending", [close_unanswered, reset], ids=["closed", "reset"])
async def test_case_30_delete_on_a_connection_that_ends_is_not_sent_again(ending: Reply) -> None:
    async with raw_server(a_reply(200, EMPTY_LIST), ending) as server, a_client(server.endpoint) as client:
        await client.list_node_pools("pool-a")
        with pytest.raises(errors.NoAnswer) as caught:
            await client.delete_node_pool(*NP)
        assert [head.split(" ")[0] for head in server.heads] == ["GET", "DELETE"]
    assert not caught.value.had_no_effect


async def test_each_call_has_a_connection_of_its_own() -> None:
    # So that no DELETE meets a connection that the server is just closing, which would leave its effect unknown.
    async with raw_server(a_reply(200, EMPTY_LIST)) as server, a_client(server.endpoint) as client:
        for _ in range(3):
            await client.list_node_pools("pool-a")
        assert (len(server.heads), server.connections) == (3, 3)
        assert all("\r\nConnection: close\r\n" in head for head in server.heads)


async def test_answer_too_many_is_not_taken_for_the_answer_to_the_next_call() -> None:
    listed = json.dumps({"kind": "NodePoolList", "items": [{"metadata": {"name": "training-a"}}]}).encode()
    replies = (a_reply(200, listed) + a_reply(200, EMPTY_LIST), a_reply(200, listed))
    async with raw_server(*replies) as server, a_client(server.endpoint) as client:
        for _ in range(3):
            assert set((await client.list_node_pools("pool-a")).node_pools) == {"training-a"}


async def test_rest_of_a_body_that_was_not_read_does_not_become_the_next_answer() -> None:
    # The body of an accepted DELETE is not waited for; what comes late must not answer the next call.
    async with raw_server(a_reply(200, b"", length=500), a_reply(200, EMPTY_LIST)) as server:
        async with a_client(server.endpoint, bounds=SHORT) as client:
            await client.delete_node_pool(*NP)
            assert (await client.list_node_pools("pool-a")).node_pools == {}
        assert server.connections == 2


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


async def test_client_whose_connections_were_closed_sends_nothing() -> None:
    async with raw_server(a_reply(200)) as server:
        async with a_client(server.endpoint) as client:
            pass
        with pytest.raises(errors.Unreachable):
            await client.delete_node_pool(*NP)
        assert server.heads == []


async def test_address_of_ipv6_on_loopback_works_where_the_machine_has_one() -> None:
    # Without IPv6 the same address cannot be reached, which has to be said as such.
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        async with raw_server(a_reply(200, EMPTY_LIST), listening=taken), a_client(f"http://[::1]:{port}") as client:
            assert (await client.list_node_pools("pool-a")).node_pools == {}
        return
    async with a_client("http://[::1]:9") as client:
        with pytest.raises(errors.Unreachable):
            await client.list_node_pools("pool-a")


async def test_silent_server_is_given_up_at_the_deadline() -> None:
    async with raw_server(wait_for_ever) as server, a_client(server.endpoint, bounds=SHORT) as client:
        for call in (client.delete_node_pool, client.show_node_pool):
            with pytest.raises(errors.NoAnswer, match=r"within 0\.5 s"):
                await call(*NP)
        assert len(server.heads) == 2


def drip(start: bytes, drop: bytes) -> Reply:
    """One drop at a time: always in time for a timeout between bytes, never in time for a deadline."""

    async def reply(writer: Writer) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.02)

    return reply


DRIPPING_BODY = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" ")
DRIPPING_CHUNKS = drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")
DRIPPING_HEADERS = drip(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n")
ENDLESS_HINTS = drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")


@pytest.mark.parametrize(
    "reply", [DRIPPING_BODY, DRIPPING_CHUNKS, DRIPPING_HEADERS, ENDLESS_HINTS], ids=["body", "chunks", "headers", "103"]
)
async def test_dripping_answer_is_given_up_at_the_deadline(reply: Reply) -> None:
    async with raw_server(reply) as server, a_client(server.endpoint, bounds=SHORT) as client:
        with pytest.raises(errors.NoAnswer, match=r"within 0\.5 s"):
            await client.list_node_pools("pool-a")


@pytest.mark.parametrize("reply", [DRIPPING_HEADERS, ENDLESS_HINTS], ids=["headers", "103"])
async def test_delete_with_a_dripping_head_is_given_up_at_the_deadline(reply: Reply) -> None:
    async with raw_server(reply) as server, a_client(server.endpoint, bounds=SHORT) as client:
        with pytest.raises(errors.NoAnswer, match=r"within 0\.5 s"):
            await client.delete_node_pool(*NP)
        assert len(server.heads) == 1


@pytest.mark.parametrize("reply", [DRIPPING_BODY, DRIPPING_CHUNKS], ids=["body", "chunks"])
async def test_dripping_body_of_an_accepted_delete_is_not_waited_for(reply: Reply) -> None:
    async with raw_server(reply) as server, a_client(server.endpoint, bounds=SHORT) as client:
        assert (await client.delete_node_pool(*NP)).request_id is None


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
