"""The one connection to the API server: TLS, proxy, tokens, a bounded number of sockets.

Opened once by app; kube/cluster.py and the watches in handlers/ talk through it. It knows no kopf: handlers
wrap `new_session()` for it.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
import urllib.request
import weakref
from contextlib import suppress
from typing import Self

import aiohttp
from kubernetes.aio.client import Configuration
from yarl import URL

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.authorization import Authorization
from modelarts_nodepool.kube.kubeconfig import Access, load_access

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

    def __init__(self, access: Access, version: str) -> None:
        """From a configuration in hand. Needs a running event loop. Raises errors.SettingsError."""
        configuration = access.configuration
        self.server = str(configuration.host).rstrip("/")
        self.default_namespace = access.namespace
        self.source = access.source
        self._user_agent = f"modelarts-nodepool-operator/{version}"
        self._proxy = configuration.proxy or find_proxy(URL(self.server))
        tls = _build_tls(configuration, access.source)
        self._authorization = _build_authorization(URL(self.server), access, tls)
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._connector = aiohttp.TCPConnector(
            limit=_MAX_CONNECTIONS,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            ssl=tls,
            socket_factory=self._new_socket,
        )
        self._sessions: list[aiohttp.ClientSession] = []
        self.session = self.new_session()

    @classmethod
    async def open(cls, *, version: str, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """Read the configuration and prepare; nothing is sent yet. Raises errors.SettingsError."""
        return cls(await load_access(kubeconfig, context), version)

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
            headers={"User-Agent": self._user_agent},
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


def _build_authorization(server: URL, access: Access, tls: ssl.SSLContext) -> Authorization:
    configuration = access.configuration

    async def reload() -> None:
        before = configuration.cert_file
        await access.reload()
        if configuration.cert_file and configuration.cert_file != before:
            tls.load_cert_chain(configuration.cert_file, configuration.key_file)

    return Authorization(server, lambda: _header(configuration), reload, tls_server_name=configuration.tls_server_name)


def _header(configuration: Configuration) -> str | None:
    value = configuration.api_key.get("BearerToken")
    # A token file often ends with a line feed, which no header may hold.
    return value.strip() if value else None


def _build_tls(configuration: Configuration, source: str) -> ssl.SSLContext:
    try:
        tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
        if configuration.cert_file:
            tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"A certificate or key of the API server's configuration ({source}) cannot be read "
            f"({type(error).__name__}): see kubectl config view --minify."
        ) from error
    # Python 3.13 asks more of a CA than kubectl does; clusters with such CAs are common.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return tls


def find_proxy(server: URL) -> str | None:
    """The environment's proxy for this server. NO_PROXY may hold networks, as Go programs understand it."""
    host = server.host or ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(server.scheme)
    if not proxy or urllib.request.proxy_bypass(host) or _is_in_networks(host, proxies.get("no", "")):
        return None
    return proxy


def _is_in_networks(host: str, no_proxy: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        try:
            network = ipaddress.ip_network(entry.strip(), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False
