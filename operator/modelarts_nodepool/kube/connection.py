"""The one connection to the API server: TLS, proxy, tokens, a bounded number of sockets.

Opened once by app; kube/client.py and the watches in watch/ talk through it. It knows no kopf: handlers
wrap `new_session()` for it.
"""

import asyncio
import socket
import time
import weakref
from contextlib import suppress
from datetime import timedelta
from typing import Self

import aiohttp
from yarl import URL

from modelarts_nodepool.kube.access import Access
from modelarts_nodepool.kube.authorization import REFRESH, Authorization
from modelarts_nodepool.kube.kubeconfig import load_access
from modelarts_nodepool.logs import redact

# Unlimited, a thousand deletions at once opened as many TLS connections and cost twice the memory and CPU.
_MAX_CONNECTIONS = 10
_CONNECT_SECONDS = 10
# Long enough to spare a deletion the TLS handshake, shorter than load balancers keep an idle connection.
_KEEPALIVE_SECONDS = 30
_GOODBYE_SECONDS = 0.3


class Connection:
    """An open way to one API server.

    `server` is its URL without a trailing slash (it may have a path), `default_namespace` that of the
    context or the Pod, `source` says in words where the configuration came from, `session` is for our own calls.
    """

    def __init__(self, access: Access, version: str, refresh: timedelta = REFRESH) -> None:
        """From a configuration in hand. Needs a running event loop; nothing is read or sent yet.

        Files that hold credentials are read again every `refresh`.
        """
        self.server = access.server
        self.default_namespace = access.namespace
        self.source = access.source
        self._headers = {"User-Agent": f"modelarts-nodepool-operator/{version}"}
        if not access.is_compressed:
            self._headers["Accept-Encoding"] = "identity"
        self._proxy = access.proxy
        redact(URL(access.proxy).password if access.proxy else None)
        self._authorization = Authorization(access, refresh)
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._connector = aiohttp.TCPConnector(
            limit=_MAX_CONNECTIONS,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            socket_factory=self._new_socket,
        )
        self._sessions: list[aiohttp.ClientSession] = []
        self.session = self.new_session()

    @classmethod
    async def open(cls, *, version: str, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """Read the configuration and prepare; nothing is sent yet. Raises errors.SettingsError."""
        return await cls.to(load_access(kubeconfig, context), version=version)

    @classmethod
    async def to(cls, access: Access, *, version: str) -> Self:
        """One of several connections to the same API server: the kubeconfig is not read again.

        Raises errors.SettingsError where the credentials cannot be had.
        """
        connection = cls(access, version)
        try:
            await connection._authorization.read()
        except BaseException:
            await connection.close()
            raise
        return connection

    def new_session(self, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
        """Another session over the same sockets and tokens; closing it closes nothing else.

        `middlewares` see each request before ours and each answer after.

        kopf closes the session it was given when it stops and after a 401, and refuses one it has seen fail:
        give it a new one at each login.
        """
        session = aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            middlewares=(*middlewares, self._authorization),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            # Watches last; every other call is bounded by its caller.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            # trust_env would also let a ~/.netrc add credentials of its own.
            trust_env=False,
            proxy=self._proxy,
        )
        self._sessions = [known for known in self._sessions if not known.closed]
        self._sessions.append(session)
        return session

    async def close(self) -> None:
        """Close all sockets and every session given out."""
        await self._authorization.close()
        for session in self._sessions:
            await session.close()
        await self._connector.close()
        # aiohttp does not wait for TLS to say goodbye, and an event loop that ends before that leaves sockets open.
        await self._until_closed()
        for one in self._open_sockets():
            # Nobody answers at the other end.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        await self._until_closed()

    async def _until_closed(self) -> None:
        begun = time.monotonic()
        while self._open_sockets() and time.monotonic() - begun < _GOODBYE_SECONDS:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_GOODBYE_SECONDS / 100)

    def _open_sockets(self) -> list[socket.socket]:
        return [one for one in self._sockets if one.fileno() >= 0]

    def _new_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, *_ = address
        new = socket.socket(family, kind, protocol)
        self._sockets.add(new)
        return new

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
