"""What proves to the API server who asks, read from where the kubeconfig says: text, files, a credential plugin.

Called by kube/authorization.py, which decides when. Each reading gives the header and the TLS context of that moment.
"""

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.access import Access, ClientCertificate
from modelarts_nodepool.kube.addresses import is_tls
from modelarts_nodepool.kube.exec_plugin import PluginCredentials, run_plugin
from modelarts_nodepool.kube.tls import build_context
from modelarts_nodepool.logs import redact


@dataclass(frozen=True, slots=True)
class Proof:
    """The Authorization header and the TLS context, None for none; `expires_at` in seconds of time.time()."""

    header: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    expires_at: float | None = None


class Reader:
    """Reads an Access again and again. The TLS context stays the same object while what it is made of does."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._made_of: tuple[bytes, tuple[bytes, bytes] | None] | None = None
        self._tls: ssl.SSLContext | None = None

    async def read(self) -> Proof:
        """Raises errors.SettingsError where something cannot be read; what was read before stays good."""
        plugin = self._access.login.plugin
        given = await run_plugin(plugin) if plugin else PluginCredentials()
        header = f"Bearer {given.token}" if given.token else self._header()
        if header and not header.isprintable():
            raise SettingsError(f"The token for the API server ({self._access.source}) holds more than one line.")
        redact(header.partition(" ")[2] if header else None)
        tls = self._context(given.certificate) if is_tls(self._access.server) else None
        return Proof(header, tls, given.expires.timestamp() if given.expires else None)

    @property
    def is_from_plugin(self) -> bool:
        """Whether a reading runs a command."""
        return self._access.login.plugin is not None

    def _header(self) -> str | None:
        login = self._access.login
        if login.username:
            redact(login.password)
            return f"Basic {base64.b64encode(f'{login.username}:{login.password}'.encode()).decode()}"
        token = self._token_of_file() or login.token
        return f"Bearer {token}" if token else None

    def _token_of_file(self) -> str:
        login = self._access.login
        if not login.token_file:
            return ""
        try:
            token = Path(login.token_file).read_text(encoding="utf-8").strip()
            why = "it is empty"
        except OSError as error:
            token, why = "", str(error.strerror)
        except ValueError:
            token, why = "", "it is no text"
        if not token and not login.token:
            raise SettingsError(
                f"The token for the API server ({self._access.source}) cannot be read from {login.token_file}: {why}."
            )
        return token

    def _context(self, given: tuple[bytes, bytes] | None) -> ssl.SSLContext:
        trust = self._access.trust
        certificate = given or _read_pair(self._access.login.certificate, self._access.source)
        authorities = _read_file(trust.ca_file, self._access.source) if trust.ca_file else trust.ca_data
        made_of = (authorities, certificate)
        if self._tls is None or made_of != self._made_of:
            self._tls = build_context(trust, authorities, certificate, self._access.source)
            self._made_of = made_of
        return self._tls


def _read_pair(certificate: ClientCertificate | None, source: str) -> tuple[bytes, bytes] | None:
    if certificate is None:
        return None
    return (
        certificate.certificate_data or _read_file(certificate.certificate_file, source),
        certificate.key_data or _read_file(certificate.key_file, source),
    )


def _read_file(path: str, source: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} of {source} cannot be read: {error.strerror}.") from None
