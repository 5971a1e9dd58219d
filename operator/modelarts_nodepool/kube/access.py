"""How to reach an API server and who asks, read once and never changed. Values only.

Made by kube/kubeconfig.py; kube/connection.py opens it, as often as connections are needed, so that all of them lead
to the same cluster whatever happens to the kubeconfig meanwhile. What rotates is read again from its file or command.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FROM_POD = "the Pod's ServiceAccount"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificate the server may show. Neither file nor data: the authorities of the system.

    `server_name` is the name to ask for and to check instead of the URL's, "" where there is none.
    """

    ca_file: str = ""
    ca_data: bytes = b""
    is_verified: bool = True
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A pair that stands in files, which may rotate, or in the kubeconfig itself. Data goes before a file."""

    certificate_file: str = ""
    certificate_data: bytes = field(default=b"", repr=False)
    key_file: str = ""
    key_data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A command that prints credentials. `cluster` is what it is told of the cluster, None for nothing."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_version: str
    interactive_mode: str
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What proves who asks. `token_file` goes before `token` as soon as it can be read."""

    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    certificate: ClientCertificate | None = None
    plugin: Plugin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The way to one API server.

    `server` is its URL without a trailing slash (it may have a path); `source` says in words where this was read;
    `namespace` is that of the context or the Pod; `proxy` a URL, which may hold a password; `impersonation` are
    headers that each request carries.
    """

    server: str
    source: str
    namespace: str | None = None
    proxy: str | None = field(default=None, repr=False)
    trust: Trust = Trust()
    login: Login = Login()
    impersonation: tuple[tuple[str, str], ...] = ()
    is_compressed: bool = True
