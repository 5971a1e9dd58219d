"""Addresses of API servers and proxies, as Go programs read them. Called by kube/kubeconfig.py.

The rules are those of net/url, golang.org/x/net/http/httpproxy and client-go's rest.DefaultServerURL. What Go ignores
silently is refused, such as an invalid proxy address. No message shows a proxy's user name or password.
"""

import ipaddress
import os
import posixpath
import re
from contextlib import suppress

from yarl import URL

from modelarts_nodepool.errors import SettingsError

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_NETWORK = re.compile(r"[^/]+/\d+\Z")
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):(\d*)\Z")
_UNREADABLE = re.compile(r"[\x00-\x20\x7f]")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_tls(server: str) -> bool:
    """Whether requests to this server use TLS. Without TLS kubectl sends no credentials."""
    return server.startswith("https://")


def parse_server(server: str, where: str) -> str:
    """The URL without a trailing slash. The default scheme is http://, as in kubectl. Raises errors.SettingsError."""
    has_scheme = _SCHEME.match(server) is not None
    try:
        url = URL(server if has_scheme else f"http://{server}")
        is_one = bool(url.host) and url.port != 0 and (has_scheme or url.path in {"", "/"})
    except ValueError:
        url, is_one = URL(), False
    if not is_one or _UNREADABLE.search(server):
        raise SettingsError(f"{where} has the server {server[:80]!r}, which is not a URL such as https://HOST:PORT.")
    if url.scheme not in {"https", "http"}:
        raise SettingsError(f"{where} has a server with {url.scheme}://; only https:// and http:// are supported.")
    if url.user is not None or url.password is not None:
        raise SettingsError(
            f"{where} has a server with a user name in its URL, which is not supported: use username and password of "
            "the user in the kubeconfig."
        )
    path = posixpath.normpath(url.raw_path) if url.raw_path.strip("/") else ""
    return str(url.with_path(f"/{path.strip('/')}" if path else "/", encoded=True)).rstrip("/")


def check_proxy(address: str, what: str, *, needs_scheme: bool = False) -> str:
    """The URL of a proxy. The default scheme is http:// unless `needs_scheme`. Raises errors.SettingsError."""
    if not _SCHEME.match(address) and not needs_scheme:
        address = f"http://{address}"
    try:
        url = URL(address)
        is_one = bool(url.host) and url.port != 0
    except ValueError:
        is_one, url = False, URL()
    if url.scheme in {"socks5", "socks5h"}:
        raise SettingsError(
            f"{what} is a SOCKS5 proxy, which is not supported: use an HTTP proxy (http:// or https://)."
        )
    if not is_one or url.scheme not in {"http", "https"} or _UNREADABLE.search(address):
        raise SettingsError(f"{what} is not the address of a proxy, such as http://HOST:PORT.")
    return address


def proxy_of_environment(server: str) -> str | None:
    """The proxy in HTTPS_PROXY or HTTP_PROXY for this server, None for none. Raises errors.SettingsError."""
    name = "HTTPS_PROXY" if is_tls(server) else "HTTP_PROXY"
    address = _variable(name)
    if not address or not is_proxied(URL(server), _variable("NO_PROXY")):
        return None
    if name == "HTTP_PROXY" and os.environ.get("REQUEST_METHOD"):
        raise SettingsError("HTTP_PROXY is not used if REQUEST_METHOD is set, for a CGI script cannot trust it.")
    return check_proxy(address, name)


def _variable(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower()) or ""


def is_proxied(server: URL, no_proxy: str) -> bool:
    """Whether requests to this server use the proxy despite NO_PROXY. Loopback and localhost never do."""
    host, port = (server.host or "").strip().lower(), str(server.port)
    address = _to_address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return False
    entries = [entry for part in no_proxy.split(",") if (entry := part.strip().lower())]
    if address is None:
        host = (server.raw_host or "").lower()
    return not any(entry == "*" or _matches(entry, host, port, address) for entry in entries)


def _matches(entry: str, host: str, port: str, address: Address | None) -> bool:
    if _NETWORK.match(entry):
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            pass
        else:
            return address is not None and address in network
    name, wanted = _split(entry)
    if wanted not in {"", port}:
        return False
    if (one := _to_address(name)) is not None:
        return one == address
    return address is None and _is_domain(name, host)


def _is_domain(name: str, host: str) -> bool:
    """A name matches itself and its subdomains; a name with a leading dot matches its subdomains only."""
    if name.startswith("*."):
        name = name[1:]
    if not name.isascii():
        with suppress(UnicodeError):
            name = name.encode("idna").decode()
    return bool(name) and (host == name or host.endswith(name if name.startswith(".") else f".{name}"))


def _split(entry: str) -> tuple[str, str]:
    """The name and the port of an entry. An IPv6 address with a port needs brackets."""
    found = _HOST_PORT.match(entry)
    return (found[1].strip("[]"), found[2]) if found else (entry, "")


def _to_address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
