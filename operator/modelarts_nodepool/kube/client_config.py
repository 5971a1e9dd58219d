"""How to reach an API server and how to authenticate there: the values of a kubeconfig's context. Immutable.

kube/kubeconfig.py builds one at start; kube/connection.py opens connections from it. So all connections reach the same
cluster even if the kubeconfig changes later. Credentials that rotate are read again from their file or plugin.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from modelarts_nodepool.errors import SettingsError

FROM_POD = "the Pod's ServiceAccount"


@dataclass(frozen=True, slots=True)
class Trust:
    """Which server certificates are accepted. Without file and data: those of the system's authorities.

    `server_name` replaces the host of the URL in SNI and in the check of the certificate; "" for none.
    """

    ca_file: str = ""
    ca_data: bytes = b""
    is_verified: bool = True
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate and its key, in files, which may rotate, or in the kubeconfig itself. Data precedes a file."""

    certificate_file: str = ""
    certificate_data: bytes = field(default=b"", repr=False)
    key_file: str = ""
    key_data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A credential plugin. `cluster` is the cluster information that the plugin asks for, None for none."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_version: str
    interactive_mode: str
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PluginCredentials:
    """A token, or a certificate with its key, or both. Without `expires` they are valid until a 401."""

    token: str = field(default="", repr=False)
    certificate: tuple[bytes, bytes] | None = field(default=None, repr=False)
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The credentials of a kubeconfig's user. A readable `token_file` precedes `token`."""

    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    certificate: ClientCertificate | None = None
    plugin: Plugin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """What a client of one API server needs.

    `server` is its URL without a trailing slash (it may have a path); `source` names the configuration in messages;
    `namespace` is that of the context or the Pod; `proxy` is a URL, which may hold a password; `impersonation` are
    headers of each request.
    """

    server: str
    source: str
    namespace: str | None = None
    proxy: str | None = field(default=None, repr=False)
    trust: Trust = Trust()
    login: Login = Login()
    impersonation: tuple[tuple[str, str], ...] = ()
    is_compressed: bool = True


def check_readable(path: str, what: str) -> None:
    """Raises errors.SettingsError if the file cannot be opened."""
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SettingsError(f"{what} is {path}, which cannot be read: {error.strerror}.") from None
