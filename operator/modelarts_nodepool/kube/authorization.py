"""Puts the bearer token on each request to the API server, read again from its source as it rotates.

An aiohttp client middleware, so that kopf's requests get it too. Made by kube/connection.py. It never shows a
token, and never sends one to any other server, not even after a redirect.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs
from yarl import URL

from modelarts_nodepool.logs import redact

_REFRESH_SECONDS = 60.0
# A command that hangs must not hold up kopf's watches, which nobody else bounds.
_RELOAD_SECONDS = 10.0
_UNAUTHORIZED = 401

_logger = logging.getLogger(__name__)


class Authorization:
    """The Authorization header of one server.

    ServiceAccount tokens live an hour and are replaced in their file well before; the file is read once a
    minute, and at once after a 401. A request refused that way is repeated once if the token is a new one.
    """

    def __init__(
        self,
        server: URL,
        header: Callable[[], str | None],
        reload: Callable[[], Awaitable[None]],
        *,
        tls_server_name: str | None = None,
        refresh_seconds: float = _REFRESH_SECONDS,
    ) -> None:
        self._origin = server.origin()
        self._header = header
        self._reload = reload
        self._tls_server_name = tls_server_name
        self._refresh_seconds = refresh_seconds
        self._read_at = time.monotonic()
        self._lock = asyncio.Lock()
        self._known: str | None = None
        self._current()

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Called by aiohttp for every request, redirected ones included."""
        if request.url.origin() != self._origin:
            return await handler(request)
        if self._tls_server_name:
            request.server_hostname = self._tls_server_name
        if time.monotonic() - self._read_at >= self._refresh_seconds and not self._lock.locked():
            await self._read_again(self._read_at)
        sent = self._put_on(request)
        read_at = self._read_at
        response = await handler(request)
        if response.status != _UNAUTHORIZED or sent is None:
            return response
        await self._read_again(read_at)
        if self._current() == sent:
            return response
        response.release()
        self._put_on(request)
        return await handler(request)

    def _put_on(self, request: ClientRequest) -> str | None:
        value = self._current()
        if value is not None:
            request.headers[hdrs.AUTHORIZATION] = value
        return value

    def _current(self) -> str | None:
        value = self._header()
        if value is None or value == self._known:
            return value
        self._known = value
        redact(value.partition(" ")[2])
        return value

    async def _read_again(self, seen: float) -> None:
        """Read the token again unless somebody has since `seen`."""
        async with self._lock:
            if self._read_at != seen:
                return
            try:
                async with asyncio.timeout(_RELOAD_SECONDS):
                    await self._reload()
            except Exception as error:  # noqa: BLE001 - the token in hand may well be good for an hour
                _logger.warning(
                    "the API server's token could not be read again (%s), the last one stays in use",
                    type(error).__name__,
                )
            finally:
                self._read_at = time.monotonic()
