"""Servers and proxies on loopback that write down who reached them, how, and as whom; they answer as an API server."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.certificates import Authority

_VERSION = json.dumps({"gitVersion": "v1.36.3", "major": "1", "minor": "36"}).encode()
_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Seen:
    """One request: all that is not the same for every client."""

    server: str
    path: str
    authorization: str = ""
    impersonation: tuple[tuple[str, str], ...] = ()
    certificate: str = ""
    asked_name: str = ""
    proxy: str = ""
    proxy_authorization: str = ""
    is_compressed: bool = True


@dataclass
class Recorder:
    """`seen` are the requests in order. `refuses` decides which of them get a 401, `proxy_status` what proxies say
    and `asked_proxies` which were asked."""

    authority: Authority
    seen: list[Seen] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    refuses: Callable[[Seen], bool] = lambda _: False
    proxy_status: str = "200 OK"
    asked_proxies: list[str] = field(default_factory=list)
    _names: dict[int, str] = field(default_factory=dict)
    _tunnels: dict[int, tuple[str, str]] = field(default_factory=dict)

    def at(self, server: str, scheme: str = "https", host: str = "127.0.0.1") -> str:
        """The URL of a server or of a proxy."""
        return f"{scheme}://{host}:{self.ports[server]}"

    async def serve(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of an API server."""
        peer = writer.get_extra_info("peername")[1]
        tls = writer.get_extra_info("ssl_object")
        while head := await _head(reader):
            self._note(head, name, tls, *self._tunnels.get(peer, ("", "")))
            await _reply(writer, 401 if self.refuses(self.seen[-1]) else 200)

    async def forward(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a proxy: a tunnel, or requests with whole URLs. Every host is on this machine."""
        head = await _head(reader)
        while head:
            method, target, _ = head[0].split(" ", 2)
            headers = _headers(head)
            authorization = _decode(_one(headers, "proxy-authorization"))
            self.asked_proxies.append(name)
            if not self.proxy_status.startswith("200"):
                writer.write(f"HTTP/1.1 {self.proxy_status}\r\nContent-Length: 0{_END.decode()}".encode())
                return
            if method == "CONNECT":
                await self._tunnel(target, (name, authorization), reader, writer)
                return
            host, _, path = target.removeprefix("http://").partition("/")
            server = next(each for each, port in self.ports.items() if host.endswith(f":{port}"))
            self._note([f"{method} /{path} HTTP/1.1", *head[1:]], server, None, name, authorization)
            await _reply(writer, 200)
            head = await _head(reader)

    async def _tunnel(
        self, target: str, via: tuple[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        self._tunnels[back.get_extra_info("sockname")[1]] = via
        writer.write(b"HTTP/1.1 200 OK" + _END)
        ways = [asyncio.ensure_future(_carry(reader, back)), asyncio.ensure_future(_carry(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            back.transport.abort()

    def _note(
        self, head: list[str], server: str, tls: ssl.SSLObject | None, proxy: str, proxy_authorization: str
    ) -> None:
        headers = _headers(head)
        certificate = tls.getpeercert() if tls else None
        named: Any = (certificate or {}).get("subject", ())
        subject = dict(pair for part in named for pair in part)
        self.seen.append(
            Seen(
                server=server,
                path=head[0].split(" ")[1],
                authorization=_decode(_one(headers, "authorization")),
                impersonation=tuple(sorted(pair for pair in headers if pair[0].startswith("impersonate-"))),
                certificate=subject.get("commonName", ""),
                asked_name=self._names.get(id(tls), "") if tls else "",
                proxy=proxy,
                proxy_authorization=proxy_authorization,
                is_compressed="gzip" in _one(headers, "accept-encoding"),
            )
        )

    def server_side(self, certificate: Path) -> ssl.SSLContext:
        """TLS that asks for a client certificate and does without one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        context.load_verify_locations(self.authority.folder / "ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL

        def on_name(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            self._names[id(tls)] = name or ""

        context.sni_callback = on_name
        return context


def _headers(head: list[str]) -> list[tuple[str, str]]:
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:])]


def _one(headers: list[tuple[str, str]], name: str) -> str:
    return ", ".join(value for key, value in headers if key == name)


def _decode(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    if kind == "Basic":
        return f"Basic {base64.b64decode(value).decode()}"
    try:
        # What a plugin was told and gave back, whatever the order of its fields.
        return json.dumps(json.loads(base64.b64decode(value, validate=True)), sort_keys=True)
    except ValueError:
        return authorization


async def _head(reader: asyncio.StreamReader) -> list[str]:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        return (await reader.readuntil(_END)).decode().strip().split("\r\n")
    return []


async def _reply(writer: asyncio.StreamWriter, status: int) -> None:
    failure = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401, "reason": "Unauthorized"}
    body = _VERSION if status == 200 else json.dumps(failure).encode()
    head = f"HTTP/1.1 {status} Words\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(head.encode() + _END + body)
    with contextlib.suppress(ConnectionError):
        await writer.drain()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()


def make_authority(folder: Path) -> Authority:
    """The certificates of the recorder's servers, and of people: alice, who has an encrypted key, too, and bob."""
    authority = Authority.made_in(folder)
    everywhere = "IP:127.0.0.1,DNS:localhost,DNS:kube.example"
    authority.sign("server", everywhere)
    authority.sign("kube.example")
    authority.sign_itself("itself", everywhere)
    for name in ("alice", "bob"):
        authority.sign(name)
    authority.encrypt("alice")
    (authority.folder / "empty").touch()
    return authority


@asynccontextmanager
async def a_recorder(authority: Authority) -> AsyncIterator[Recorder]:
    """Servers `a` and `b` with TLS, `named` and `itself` with odd certificates, `plain` without TLS; two proxies."""
    recorder, tasks = Recorder(authority), set[asyncio.Task[None]]()
    certificates = {
        name: authority.folder / file
        for name, file in (("a", "server.crt"), ("b", "server.crt"), ("named", "kube.example.crt"))
    } | {"itself": authority.folder / "itself.crt", "secure-proxy": authority.folder / "server.crt"}

    def accepting(name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            how = recorder.forward if name.endswith("proxy") else recorder.serve
            task = asyncio.ensure_future(_closing(how(name, reader, writer), writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        return accept

    servers = []
    for name in (*certificates, "plain", "proxy"):
        tls = recorder.server_side(certificates[name]) if name in certificates else None
        servers.append(await asyncio.start_server(accepting(name), "127.0.0.1", 0, ssl=tls))
        recorder.ports[name] = servers[-1].sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        for server in servers:
            server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def _closing(work: Coroutine[object, object, None], writer: asyncio.StreamWriter) -> None:
    try:
        await work
    finally:
        writer.close()
