"""A door before the API server that a test can shut for one kind of request, going in or coming out.

It has the API server's own certificate, for without TLS nobody sends a token; token and everything else go on to the
real API server. A request that is held before it gets in never does, once its caller is gone. What comes out can be
changed, as an API server of another version would have said it.
"""

import asyncio
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from lab.controlplane import ControlPlane
from tests.support.limits import HANGING_SECONDS

# Of one connection, or computed anew on each.
_OWN = frozenset({"host", "connection", "content-length", "transfer-encoding", "keep-alive"})

# The path and the answer, to the answer.
Change = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass(slots=True)
class Hold:
    """Requests with this method, this end of the path and this text in the body; `is_after`: their answers."""

    method: str
    path: str
    is_after: bool
    text: bytes
    arrived: threading.Event = field(default_factory=threading.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    def hits(self, request: web.BaseRequest, body: bytes) -> bool:
        return request.method == self.method and request.path.endswith(self.path) and self.text in body


class Door:
    """Stands open but for what it is told to hold."""

    def __init__(self, plane: ControlPlane) -> None:
        self._server = plane.server
        authority = plane.folder / "certificates" / "apiserver.crt"
        self._tls = ssl.create_default_context(cadata=authority.read_text())
        self._own_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own_tls.load_cert_chain(authority, authority.with_suffix(".key"))
        self._change: Change | None = None
        self._holds: list[Hold] = []
        self._serving = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self.url = ""

    @classmethod
    @contextmanager
    def standing(cls, plane: ControlPlane) -> Iterator["Door"]:
        """In a thread of its own until the block ends."""
        door = cls(plane)
        thread = threading.Thread(target=door._run, name="door")
        thread.start()
        try:
            assert door._serving.wait(HANGING_SECONDS)
            yield door
        finally:
            door._loop.call_soon_threadsafe(door._closing.set)
            thread.join(HANGING_SECONDS)

    def kubeconfig(self, of: Path, path: Path) -> Path:
        """The same identity, through this door."""
        path.write_text(re.sub(r"server: https://\S+", f"server: {self.url}", of.read_text()))
        return path

    def hold_before(self, method: str, path: str, text: str = "") -> Hold:
        """From now on they do not get in."""
        return self._hold(Hold(method, path, is_after=False, text=text.encode()))

    def hold_after(self, method: str, path: str, text: str = "") -> Hold:
        """From now on they get in, and their answers do not come out."""
        return self._hold(Hold(method, path, is_after=True, text=text.encode()))

    def change(self, change: Change | None) -> None:
        """From now on each whole JSON answer to a GET is what this makes of it."""
        self._change = change

    def open(self) -> None:
        """Hold nothing that comes from now on."""
        self._holds.clear()

    def let_go(self, hold: Hold) -> None:
        """What is held goes on, late."""
        self._holds.remove(hold)
        self._loop.call_soon_threadsafe(hold.goes_on.set)

    def _hold(self, hold: Hold) -> Hold:
        self._holds.append(hold)
        return hold

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            auto_decompress=False,
            # Nothing is added: the API server refuses a GET that says of what type its empty body is.
            skip_auto_headers=["Content-Type"],
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        async with session:

            async def pass_on(request: web.BaseRequest) -> web.StreamResponse:
                return await self._pass(session, request)

            runner = web.ServerRunner(web.Server(pass_on, handler_cancellation=True), shutdown_timeout=0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._own_tls).start()
            host, port = runner.addresses[0][:2]
            self.url = f"https://{host}:{port}"
            self._serving.set()
            await self._closing.wait()
            await runner.cleanup()

    async def _pass(self, session: aiohttp.ClientSession, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        hold = next((hold for hold in self._holds if hold.hits(request, body)), None)
        if hold is not None and not hold.is_after:
            await _stays(hold)
        url = URL(self._server + request.raw_path, encoded=True)
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _OWN}
        async with session.request(request.method, url, headers=headers, data=body or None) as answer:
            if hold is not None:
                await answer.read()
                await _stays(hold)
            if self._change is not None and request.method == "GET" and "watch" not in request.query:
                said = self._change(request.path, json.loads(await answer.read()))
                return web.json_response(said, status=answer.status)
            back = web.StreamResponse(status=answer.status)
            back.headers.extend({key: value for key, value in answer.headers.items() if key.lower() not in _OWN})
            await back.prepare(request)
            async for part in answer.content.iter_any():
                await back.write(part)
            await back.write_eof()
            return back


async def _stays(hold: Hold) -> None:
    """Until it is let go, or the caller is gone, which cancels this."""
    hold.arrived.set()
    await hold.goes_on.wait()
