"""Puts on each request to the API server what proves who asks, read again as it rotates.

An aiohttp client middleware, so that kopf's requests get it too. Made by kube/connection.py. It never shows a
token, and never sends one to any other server, not even after a redirect.
"""

import asyncio
import logging
import time
from datetime import timedelta

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs
from yarl import URL

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.access import Access
from modelarts_nodepool.kube.auth import Proof, Reader

# client-go reads token files once a minute. A ServiceAccount's token lives an hour and is replaced well before.
REFRESH = timedelta(minutes=1)
# A command that hangs must not hold up kopf's watches for good, which nobody else bounds. It goes on meanwhile.
_LONGEST_WAIT_SECONDS = 10.0
# After a run of a plugin that brought nothing new: a server that answers 401 to everything must not have a command
# run for each request.
_PAUSE_SECONDS = 10.0
_UNAUTHORIZED = 401

_logger = logging.getLogger(__name__)


class Authorization:
    """Authorization header, impersonation headers, client certificate and TLS server name for one server.

    Files are read once a minute, a credential plugin is run when what it gave has expired, and either at once after a
    401. A request refused that way is repeated once if there is something new to prove it with.
    """

    def __init__(self, access: Access, refresh: timedelta = REFRESH) -> None:
        """Nothing is read yet: by `read`, else by the first request."""
        self._access = access
        self._origin = URL(access.server).origin()
        self._reader = Reader(access)
        self._refresh_seconds = refresh.total_seconds()
        self._proof: Proof | None = None
        self._read_at = 0.0
        self._fruitless_at: float | None = None
        self._reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Read for the first time. Raises errors.SettingsError."""
        self._proof = await self._reader.read()
        self._read_at = time.monotonic()

    async def close(self) -> None:
        """End a reading that still goes on."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Called by aiohttp for every request, redirected ones included."""
        if request.url.origin() != self._origin:
            return await handler(request)
        if self._proof is None:
            await self.read()
        elif self._is_old(self._proof):
            await self._read_again()
        sent = self._put_on(request)
        response = await handler(request)
        if response.status != _UNAUTHORIZED or not self._may_read_again():
            return response
        if sent is self._proof:
            await self._read_again()
        if not _differs(sent, self._proof):
            self._fruitless_at = time.monotonic()
            return response
        response.release()
        self._put_on(request)
        return await handler(request)

    def _is_old(self, proof: Proof) -> bool:
        if self._reader.is_from_plugin:
            return proof.expires_at is not None and time.time() > proof.expires_at and self._may_read_again()
        return time.monotonic() - self._read_at >= self._refresh_seconds

    def _may_read_again(self) -> bool:
        if not self._reader.is_from_plugin:
            return True
        return self._fruitless_at is None or time.monotonic() - self._fruitless_at >= _PAUSE_SECONDS

    def _put_on(self, request: ClientRequest) -> Proof | None:
        proof = self._proof
        if proof is None:
            return None
        if proof.header is not None:
            request.headers[hdrs.AUTHORIZATION] = proof.header
        for name, _ in self._access.impersonation:
            request.headers.popall(name, None)
        for name, value in self._access.impersonation:
            request.headers.add(name, value)
        if self._access.trust.server_name:
            request.server_hostname = self._access.trust.server_name
        if proof.tls is not None:
            # aiohttp has no other way to change it for requests that others make. A context of its own means a
            # connection of its own.
            request._ssl = proof.tls  # noqa: SLF001 - see above
        return proof

    async def _read_again(self) -> None:
        """Wait for a reading, which all who need one share. Whatever comes of it, the last proof stays in use."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="read the API server's credentials")
        await asyncio.wait([self._reading], timeout=_LONGEST_WAIT_SECONDS)

    async def _read(self) -> None:
        try:
            self._proof = await self._reader.read()
            self._fruitless_at = None
        except SettingsError as error:
            self._fruitless_at = time.monotonic()
            _logger.warning(
                "The API server's credentials could not be read again; the last ones stay in use. %s", error
            )
        finally:
            self._read_at = time.monotonic()


def _differs(one: Proof | None, other: Proof | None) -> bool:
    return one is None or other is None or one.header != other.header or one.tls is not other.tls
