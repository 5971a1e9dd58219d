"""A connection to the API server: TLS, proxy, credentials, a limited number of sockets.

app.py and the commands open it; kube/client.py and the watches send through it. It does not know kopf: watch/ gives
kopf sessions from `new_session()`.
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

from modelarts_nodepool.kube.auth import REFRESH, Authenticator
from modelarts_nodepool.kube.kubeconfig import ClientConfig, load_client_config
from modelarts_nodepool.logs import redact

# Without a limit, 1,000 deletions at once opened as many TLS connections and took twice the memory and CPU.
REQUESTS_AT_ONCE = 10
_CONNECT_SECONDS = 10
# Long enough that a deletion needs no new TLS handshake, shorter than load balancers keep an idle connection.
_KEEPALIVE_SECONDS = 30
_CLOSE_SECONDS = 0.3


class Connection:
    """An open connection pool to one API server.

    `server` is its URL without a trailing slash (it may have a path), `default_namespace` that of the context or the
    Pod, `source` names the configuration in messages, `session` is for requests of our own. Each of them takes one of
    the `slots`, for which it waits before its time-out begins.
    """

    def __init__(self, config: ClientConfig, version: str, refresh: timedelta = REFRESH) -> None:
        """Needs a running event loop. Reads and sends nothing yet.

        Credentials in files are read again every `refresh`.
        """
        self.server = config.server
        self.default_namespace = config.namespace
        self.source = config.source
        self._headers = {"User-Agent": f"modelarts-nodepool-operator/{version}"}
        if not config.is_compressed:
            self._headers["Accept-Encoding"] = "identity"
        self._proxy = config.proxy
        redact(URL(config.proxy).password if config.proxy else None)
        self._authenticator = Authenticator(config, refresh)
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._connector = aiohttp.TCPConnector(
            limit=REQUESTS_AT_ONCE,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            socket_factory=self._new_socket,
        )
        self.slots = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._sessions: list[aiohttp.ClientSession] = []
        self.session = self.new_session()

    @classmethod
    async def open(cls, *, version: str, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """Read the kubeconfig and the credentials; nothing is sent yet. Raises errors.SettingsError."""
        return await cls.to(load_client_config(kubeconfig, context), version=version)

    @classmethod
    async def to(cls, config: ClientConfig, *, version: str) -> Self:
        """One of several connections to the same API server: only the credentials are read.

        Raises errors.SettingsError if the credentials cannot be read.
        """
        connection = cls(config, version)
        try:
            await connection._authenticator.read()
        except BaseException:
            await connection.close()
            raise
        return connection

    def new_session(self, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
        """Another session with the same sockets and credentials; closing it closes nothing else.

        `middlewares` see each request before ours, and each answer after.

        kopf closes its session when it stops and after a 401, and refuses a session that it has seen fail: give it a
        new one at each login.
        """
        session = aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            middlewares=(*middlewares, self._authenticator),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            # A watch has no end; the caller of any other request limits its time.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            # With trust_env a ~/.netrc could add its credentials.
            trust_env=False,
            proxy=self._proxy,
        )
        self._sessions = [known for known in self._sessions if not known.closed]
        self._sessions.append(session)
        return session

    async def close(self) -> None:
        """Close all sockets and all sessions."""
        await self._authenticator.close()
        for session in self._sessions:
            await session.close()
        await self._connector.close()
        # aiohttp does not wait for the end of TLS. An event loop that ends earlier leaves sockets open.
        await self._wait_until_closed()
        for one in self._open_sockets():
            # The other end does not answer.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        await self._wait_until_closed()

    async def _wait_until_closed(self) -> None:
        begun = time.monotonic()
        while self._open_sockets() and time.monotonic() - begun < _CLOSE_SECONDS:  # noqa: ASYNC110 - no event exists
            await asyncio.sleep(_CLOSE_SECONDS / 100)

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
