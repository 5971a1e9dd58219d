"""Whatever bytes come back over the wire: a call is sent once, and ends with a value or a CloudError."""

import asyncio

from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelarts_nodepool.errors import CloudError
from modelarts_nodepool.ports import Accepted, NodePoolListing
from tests.contract.client.clients import a_client
from tests.contract.client.raw_server import Writer, raw_server
from tests.support.bodies import BODIES

NAMES = [
    "Content-Length", "Transfer-Encoding", "Content-Encoding", "Location", "Date", "Retry-After", "X-Request-Id",
    "Connection", "Set-Cookie", "Upgrade", "Content-Type", "X-Anything",
]  # fmt: skip
VALUES = [
    "0", "2", "-1", "9" * 30, "chunked", "gzip", "gzip, chunked", "identity", "close", "keep-alive", "javascript:x",
    "http://[::", "//", "https://elsewhere.invalid/", "Fri, 31 Dec 9999 23:59:59 -1200", "a=b; Domain=..; Expires=x",
]  # fmt: skip
STATUSES = st.sampled_from(
    [100, 101, 103, 200, 202, 204, 206, 301, 304, 400, 401, 403, 404, 408, 409, 429, 500, 503, 599]
)
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.text(max_size=10)), max_size=4)


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    body = draw(BODIES)
    lines = [f"HTTP/1.1 {draw(STATUSES)} Words", *(f"{name}: {value}" for name, value in draw(HEADERS))]
    if draw(st.booleans()):
        lines.append(f"Content-Length: {len(body)}")
    reply = bytearray("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body)
    if draw(st.booleans()):
        place = draw(st.integers(0, len(reply)))
        reply[place : place + draw(st.integers(0, 20))] = draw(st.binary(max_size=4))
    return bytes(reply)


async def outcomes(reply: bytes) -> tuple[list[object], list[str]]:
    """What a list and a DELETE come to, and the requests that the server saw."""

    async def answer_and_close(writer: Writer) -> None:
        writer.write(reply)
        await writer.drain()

    found: list[object] = []
    async with raw_server(answer_and_close) as server, a_client(server.endpoint) as client:
        for call in (client.list_node_pools("pool-a"), client.delete_node_pool("pool-a", "training-a")):
            try:
                found.append(await call)
            except CloudError as error:
                found.append(error)
        return found, [head.split(" ")[0] for head in server.heads]


@settings(max_examples=150, deadline=None)
@given(replies() | st.binary(max_size=100))
@example(b"HTTP/1.1 302 Found\r\nLocation: javascript:x\r\n\r\n")
@example(b"HTTP/1.1 401 Unauthorized\r\nDate: Fri, 31 Dec 9999 23:59:59 -1200\r\nContent-Length: 0\r\n\r\n")
def test_any_answer_is_a_value_or_a_cloud_error_after_one_request(reply: bytes) -> None:
    (listed, deleted), seen = asyncio.run(outcomes(reply))
    assert seen == ["GET", "DELETE"]
    assert isinstance(listed, NodePoolListing | CloudError)
    assert isinstance(deleted, Accepted | CloudError)
    if isinstance(listed, NodePoolListing):
        assert b"NodePoolList" in reply
        assert b"items" in reply
    for outcome in (listed, deleted):
        if isinstance(outcome, CloudError):
            assert outcome.message.isprintable()
            assert outcome.__context__ is None
