"""Authenticates each request to the API server: token, client certificate, impersonation, TLS server name.

kube/connection.py puts an `Authenticator` into every session as an aiohttp client middleware, so that kopf's requests
are authenticated too. Credentials come from the ClientConfig: text, files, or a credential plugin. They are read again
when they rotate. They are sent to this API server only, also after a redirect, and never logged.
"""

import asyncio
import base64
import logging
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs
from yarl import URL

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.addresses import is_tls
from modelarts_nodepool.kube.kubeconfig import ClientConfig, Cluster, PluginCredentials, User
from modelarts_nodepool.logs import redact

# client-go reads token files once a minute. A ServiceAccount's token lives an hour and is replaced well before.
REFRESH = timedelta(minutes=1)
# Requests of kopf's watches have no other limit in time: a plugin that hangs must not block them. It runs on.
_MAX_WAIT_SECONDS = 10.0
# A server that answers 401 to everything must not start a plugin for each request.
_PAUSE_SECONDS = 10.0
_UNAUTHORIZED = 401
# Certificates and keys as PEM: a certificate and its key.
_KeyPair = tuple[bytes, bytes]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The Authorization header and the TLS context, None for none; `expires_at` in seconds of time.time()."""

    header: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    expires_at: float | None = None


class Authenticator:
    """Adds credentials to requests for one server.

    It reads files once a minute. It runs a credential plugin when the plugin's credentials have expired. It does
    either at once after a 401, and repeats the refused request once if the credentials have changed.
    """

    def __init__(self, config: ClientConfig, refresh: timedelta = REFRESH) -> None:
        """Reads nothing yet: `read` does, else the first request."""
        self._config = config
        self._origin = URL(config.server).origin()
        self._reader = _Reader(config)
        self._runs_plugin = config.user.plugin is not None
        self._refresh_seconds = refresh.total_seconds()
        self._credentials: Credentials | None = None
        self._read_at = 0.0
        self._unchanged_at: float | None = None
        self._reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Read the credentials for the first time. Raises errors.SettingsError."""
        self._credentials = await self._reader.read()
        self._read_at = time.monotonic()

    async def close(self) -> None:
        """Cancel a read in progress."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Called by aiohttp for every request, redirected ones included."""
        if request.url.origin() != self._origin:
            return await handler(request)
        if self._credentials is None:
            await self.read()
        elif self._is_expired(self._credentials):
            await self._read_again()
        sent = self._add_to(request)
        response = await handler(request)
        if response.status != _UNAUTHORIZED or not self._may_read_again():
            return response
        if sent is self._credentials:
            await self._read_again()
        if not _differ(sent, self._credentials):
            self._unchanged_at = time.monotonic()
            return response
        response.release()
        self._add_to(request)
        return await handler(request)

    def _is_expired(self, credentials: Credentials) -> bool:
        if self._runs_plugin:
            expires_at = credentials.expires_at
            return expires_at is not None and time.time() > expires_at and self._may_read_again()
        return time.monotonic() - self._read_at >= self._refresh_seconds

    def _may_read_again(self) -> bool:
        if not self._runs_plugin:
            return True
        return self._unchanged_at is None or time.monotonic() - self._unchanged_at >= _PAUSE_SECONDS

    def _add_to(self, request: ClientRequest) -> Credentials | None:
        credentials = self._credentials
        if credentials is None:
            return None
        if credentials.header is not None:
            request.headers[hdrs.AUTHORIZATION] = credentials.header
        for name, _ in self._config.impersonation:
            request.headers.popall(name, None)
        for name, value in self._config.impersonation:
            request.headers.add(name, value)
        if self._config.cluster.tls_server_name:
            request.server_hostname = self._config.cluster.tls_server_name
        if credentials.tls is not None:
            # aiohttp offers no other way to change the context of a request that other code makes. A new context
            # means a new connection.
            request._ssl = credentials.tls  # noqa: SLF001 - see above
        return credentials

    async def _read_again(self) -> None:
        """Wait for a read, which concurrent requests share. If it fails, the last credentials stay in use."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._try_to_read(), name="read the API server's credentials")
        await asyncio.wait([self._reading], timeout=_MAX_WAIT_SECONDS)

    async def _try_to_read(self) -> None:
        try:
            self._credentials = await self._reader.read()
            self._unchanged_at = None
        except SettingsError as error:
            self._unchanged_at = time.monotonic()
            _logger.warning(
                "The API server's credentials could not be read again; the last ones stay in use. %s", error
            )
        finally:
            self._read_at = time.monotonic()


def _differ(one: Credentials | None, other: Credentials | None) -> bool:
    return one is None or other is None or one.header != other.header or one.tls is not other.tls


class _Reader:
    """Reads the credentials of a ClientConfig. Keeps the TLS context as long as its certificates are the same."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._built_from: tuple[bytes, _KeyPair | None] | None = None
        self._tls: ssl.SSLContext | None = None

    async def read(self) -> Credentials:
        """Raises errors.SettingsError if something cannot be read."""
        given = await self._run_plugin()
        header = f"Bearer {given.token}" if given.token else self._build_header()
        if header and not header.isprintable():
            raise SettingsError(f"The token for the API server ({self._config.source}) holds more than one line.")
        redact(header.partition(" ")[2] if header else None)
        tls = self._build_tls(given.certificate) if is_tls(self._config.server) else None
        return Credentials(header, tls, given.expires.timestamp() if given.expires else None)

    async def _run_plugin(self) -> PluginCredentials:
        plugin = self._config.user.plugin
        if plugin is None:
            return PluginCredentials()
        # In a Pod no plugin runs, and its module costs memory.
        from modelarts_nodepool.kube.exec_plugin import run_plugin  # noqa: PLC0415 - see above

        return await run_plugin(plugin, self._config.cluster)

    def _build_header(self) -> str | None:
        user = self._config.user
        if user.username:
            redact(user.password)
            return f"Basic {base64.b64encode(f'{user.username}:{user.password}'.encode()).decode()}"
        token = self._read_token_file() or user.token
        return f"Bearer {token}" if token else None

    def _read_token_file(self) -> str:
        user = self._config.user
        if not user.token_file:
            return ""
        try:
            token = Path(user.token_file).read_text(encoding="utf-8").strip()
            why = "it is empty"
        except OSError as error:
            token, why = "", str(error.strerror)
        except ValueError:
            token, why = "", "it is not text"
        if not token and not user.token:
            raise SettingsError(
                f"The token for the API server ({self._config.source}) cannot be read from {user.token_file}: {why}."
            )
        return token

    def _build_tls(self, given: _KeyPair | None) -> ssl.SSLContext:
        cluster, source = self._config.cluster, self._config.source
        certificate = given or _read_pair(self._config.user, source)
        authorities = _read_file(cluster.ca_file, source) if cluster.ca_file else cluster.ca_data
        built_from = (authorities, certificate)
        if self._tls is None or built_from != self._built_from:
            self._tls = build_context(cluster, authorities, certificate, source)
            self._built_from = built_from
        return self._tls


def _read_pair(user: User, source: str) -> _KeyPair | None:
    if not user.has_certificate:
        return None
    return (
        user.certificate_data or _read_file(user.certificate_file, source),
        user.key_data or _read_file(user.key_file, source),
    )


def _read_file(path: str, source: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} of {source} cannot be read: {error.strerror}.") from None


def build_context(cluster: Cluster, authorities: bytes, certificate: _KeyPair | None, source: str) -> ssl.SSLContext:
    """A TLS context as strict as Go's.

    `authorities` are PEM certificates, empty for those of the system; `source` names the configuration in messages.
    Raises errors.SettingsError.
    """
    tls = _load_authorities(authorities, has_file=bool(cluster.ca_file), source=source)
    # Python 3.13 rejects CA certificates that kubectl accepts; clusters with such CAs are common.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Go trusts each certificate in the file, also a server certificate or an intermediate one.
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Go reads subjectAltName only.
    tls.hostname_checks_common_name = False
    if cluster.is_insecure:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _load_certificate(tls, certificate, source)
    return tls


def _load_authorities(authorities: bytes, *, has_file: bool, source: str) -> ssl.SSLContext:
    if not authorities and not has_file:
        return ssl.create_default_context()
    try:
        # Never "": for an empty file Python would load the authorities of the system.
        return ssl.create_default_context(cadata=authorities.decode("ascii", "ignore") or "\n")
    except (OSError, ValueError):
        raise SettingsError(
            f"The certificate authority of the API server ({source}) cannot be read: it has to be PEM certificates "
            "(-----BEGIN CERTIFICATE-----). See kubectl config view --minify."
        ) from None


def _load_certificate(tls: ssl.SSLContext, certificate: _KeyPair, source: str) -> None:
    def refuse() -> str:
        # Without this OpenSSL asks for the password at the terminal, and waits.
        raise PermissionError("the key is encrypted, which is not supported")

    try:
        with as_files(certificate) as (certificate_file, key_file):
            tls.load_cert_chain(certificate_file, key_file, refuse)
    except (OSError, ValueError) as error:
        why = str(error) if isinstance(error, PermissionError) else "both have to be PEM, and belong together"
        raise SettingsError(
            f"The client certificate or key for the API server ({source}) cannot be used: {why}. "
            "See kubectl config view --minify."
        ) from None


@contextmanager
def as_files(contents: _KeyPair) -> Iterator[list[str]]:
    """Paths of files with these contents, for OpenSSL reads certificates from files only.

    On Linux the files are in memory: nothing is written to a disk, and no folder has to be writable.
    """
    if not hasattr(os, "memfd_create"):
        with _as_temporary_files(contents) as paths:
            yield paths
        return
    descriptors = [os.memfd_create("tls") for _ in contents]
    try:
        for descriptor, content in zip(descriptors, contents, strict=True):
            os.write(descriptor, content)
        yield [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@contextmanager
def _as_temporary_files(contents: _KeyPair) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(number) for number, _ in enumerate(contents)]
        for path, content in zip(paths, contents, strict=True):
            path.touch(0o600)
            path.write_bytes(content)
        yield [str(path) for path in paths]
