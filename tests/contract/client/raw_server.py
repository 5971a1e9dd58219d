"""A server of raw bytes on loopback, for answers that no well-behaved server gives."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Writer = asyncio.StreamWriter
Reply = bytes | Callable[[Writer], Awaitable[None]]


def a_reply(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """A whole HTTP/1.1 answer. `length` is what Content-Length claims where that is not the truth."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def reset(writer: Writer) -> None:
    """Break the connection without a word."""
    writer.transport.abort()


async def wait_for_ever(_: Writer) -> None:
    """Say nothing and keep the connection."""
    await asyncio.Event().wait()


@dataclass
class RawServer:
    """Replies one after the other, the last one again and again. Keeps the heads of all requests."""

    replies: list[Reply]
    heads: list[str] = field(default_factory=list)
    first: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    endpoint: str = ""
    port: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self.answer_one(reader, writer):
                    pass
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def answer_one(self, reader: asyncio.StreamReader, writer: Writer) -> bool:
        """Whether the connection stays."""
        head = await reader.readuntil(b"\r\n\r\n")
        reply = self.replies[min(len(self.heads), len(self.replies) - 1)]
        self.heads.append(head.decode())
        self.first.set()
        if callable(reply):
            await reply(writer)
            return False
        writer.write(reply)
        await writer.drain()
        return b"close" not in reply


@asynccontextmanager
async def raw_server(
    *replies: Reply, tls: ssl.SSLContext | None = None, listening: socket.socket | None = None
) -> AsyncIterator[RawServer]:
    """Serve these replies until the block ends; on a free port of 127.0.0.1 unless a socket is given."""
    served = RawServer(list(replies))
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.ensure_future(served.answer(reader, writer))
        tasks.add(task)

    sock = listening or socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(accept, sock=sock, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    served.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{served.port}"
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # An aborted connection is closed by the loop's next turn.
        await asyncio.sleep(0)
        await server.wait_closed()
