"""Bodies and frames that no well-behaved server sends: what they may mean, and what they may cost."""

import gzip
import json
import tracemalloc
from functools import cache

import pytest

from modelarts_nodepool import errors
from tests.contract.client.clients import Reports, a_client
from tests.contract.client.raw_server import Reply, a_reply, raw_server

NP = ("pool-a", "training-a")
EMPTY_LIST = json.dumps({"kind": "NodePoolList", "items": []}).encode()
TRAINING = b'{"kind": "NodePoolList", "items": [{"metadata": {"name": "training-a"}}]}'
OK_AND_CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"


def a_list(item: bytes) -> bytes:
    return b'{"kind": "NodePoolList", "items": [' + item + b"]}"


def with_count(count: bytes) -> bytes:
    return a_list(b'{"metadata":{"name":"training-a"},"status":{"resources":{"available":{"count":' + count + b"}}}}")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + a_reply(200, TRAINING),
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3 + a_reply(200, TRAINING),
        OK_AND_CLOSE + b"\r\n" + TRAINING,
        b"HTTP/1.0 200 OK\r\nX-Note: close\r\n\r\n" + TRAINING,
        OK_AND_CLOSE + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(TRAINING), TRAINING),
        a_reply(200, b"\xef\xbb\xbf" + TRAINING),
        a_reply(200, TRAINING, "Content-Type: text/html; charset=gb18030"),
        a_reply(200, TRAINING, "Content-Encoding: identity"),
        a_reply(200, TRAINING, "X-Request-Id: <script>", "X-Request-Id: two"),
    ],
    ids=["100", "103", "no length", "HTTP/1.0", "chunked", "BOM", "wrong charset", "identity", "ids"],
)
async def test_unusual_frame_of_a_good_list_is_read(reply: bytes) -> None:
    reports = Reports()
    async with raw_server(reply) as server, a_client(server.endpoint, reports=reports) as client:
        listing = await client.list_node_pools("pool-a")
        assert set(listing.node_pools) == {"training-a"}
        assert [report.request_id for report in reports.seen] == [None]


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind": "NodePoolList", "items": [{"metadata": {"name": "training-a"}}], "items": []}',
        b'{"kind": "NodePoolList", "items": [], "items": null}',
        b'{"kind": "NodePool", "kind": "NodePoolList", "items": []}',
        a_list(b'{"metadata": {"name": "training-a", "name": "training-b"}}'),
        EMPTY_LIST.replace(b"NodePoolList", b"NodePoolList\xe9"),
        b"[" * 200_000,
        b'{"kind": ' + b"[" * 970 + b"]" * 970 + b"}",
        b'{"kind": "NodePoolList", "items": [], "metadata": {"remainingItemCount": ' + b"9" * 5000 + b"}}",
        b'{"kind": "NodePoolList", "items": [], "metadata": {"continue": 0}}',
        b'{"kind": "NodePoolList", "items": {}}',
        b'{"kind": "nodepoollist", "items": []}',
        b'{"kind": "NodePoolList", "Items": []}',
        b'{"items": []}',
        EMPTY_LIST + EMPTY_LIST,
        EMPTY_LIST[:-1],
        EMPTY_LIST.replace(b'"', b"'"),
        b'{"error_code": "ModelArts.50015001", "error_msg": "Pool not found"}',
    ],
)
async def test_case_26_doubtful_list_is_malformed_and_never_empty(body: bytes) -> None:
    async with raw_server(a_reply(200, body)) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer) as caught:
            await client.list_node_pools("pool-a")
    assert caught.value.message.startswith("list_node_pools of resource pool pool-a was answered 200, but ")
    assert "The answer is ignored. Check that --endpoint and any proxy lead to ModelArts" in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    "count",
    [b"NaN", b"Infinity", b"-Infinity", b"-1", b"true", b"1e400", b"9" * 4000, b'"\\ud800"', b"[" * 500 + b"]" * 500],
    ids=["NaN", "infinity", "-infinity", "negative", "true", "1e400", "huge", "surrogate", "deep"],
)
async def test_case_23_unreadable_count_is_told_of_its_node_pool(count: bytes) -> None:
    async with raw_server(a_reply(200, with_count(count))) as server, a_client(server.endpoint) as client:
        found = (await client.list_node_pools("pool-a")).node_pools["training-a"]
    assert found.counts is None
    assert found.problem is not None
    assert len(found.problem) < 200
    assert found.problem.isprintable()


async def test_token_that_fits_no_url_is_malformed() -> None:
    for token in ("\\ud800", "a\\u0000b", "x" * 5000, "a\\r\\nHost: elsewhere"):
        page = b'{"kind": "NodeList", "items": [], "metadata": {"continue": "' + token.encode() + b'"}}'
        async with raw_server(a_reply(200, page)) as server, a_client(server.endpoint) as client:
            with pytest.raises(errors.MalformedAnswer, match="continue token is"):
                await client.list_node_pool_nodes(*NP)
            assert len(server.heads) == 1


@cache
def bomb() -> bytes:
    """Small, and large where it is unpacked."""
    return gzip.compress(gzip.compress(b" " * 50_000_000))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP"])
async def test_compressed_body_is_not_unpacked(encoding: str) -> None:
    replies = [a_reply(status, bomb(), f"Content-Encoding: {encoding}") for status in (200, 200, 404, 401)]
    async with raw_server(*replies) as server, a_client(server.endpoint) as client:
        tracemalloc.start()
        with pytest.raises(errors.MalformedAnswer, match=rf"compressed body \('{encoding}'\)"):
            await client.list_node_pools("pool-a")
        assert (await client.delete_node_pool(*NP)).request_id is None
        with pytest.raises(errors.WrongEndpoint):
            await client.show_node_pool(*NP)
        with pytest.raises(errors.CredentialsRejected):
            await client.list_node_pools("pool-a")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5_000_000


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


@pytest.mark.parametrize(
    "reply",
    [
        b"garbage\r\n\r\nclose",
        b"HTTP/1.1 abc\r\n\r\nclose",
        b"\x00" * 50 + b"close",
        SWITCHED + b"close",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\n{}close",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\nclose",
        b"HTTP/1.1 200 OK\r\nX-Folded: a\x00b\r\n\r\nclose",
        b"HTTP/2 200\r\n\r\nclose",
    ],
    ids=["garbage", "status", "zeros", "101", "two lengths", "long header", "zero in header", "HTTP/2"],
)
async def test_answer_that_is_no_http_leaves_the_effect_unknown(reply: Reply) -> None:
    async with raw_server(reply) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.NoAnswer) as caught:
            await client.delete_node_pool(*NP)
        assert len(server.heads) == 1
    assert not caught.value.had_no_effect


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 -1200", "never", "", "Mon, 99 Foo 0000 00:00:00 GMT"])
async def test_date_that_cannot_be_is_no_clock_skew(date: str) -> None:
    replies = [a_reply(status, b"{}", f"Date: {date}", f"Retry-After: {date}") for status in (401, 429)]
    async with raw_server(*replies) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.CredentialsRejected):
            await client.list_node_pools("pool-a")
        with pytest.raises(errors.Throttled) as caught:
            await client.list_node_pools("pool-a")
        assert caught.value.retry_after is None
