"""What the issuers of temporary keys have in common: rules for their URLs, the Pod's token, one bounded HTTP request.

Called by metadata.py, pod_identity.py and oidc.py. No address comes from a Kubernetes object. Plain http is allowed
only where no third party can listen: the link-local metadata address, loopback, a private address of the node's agent.
A request is never redirected and never repeated. No message quotes a URL or a token: both can hold a secret.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx

from modelarts_nodepool.credentials.temporary_key import is_header_value, read_refusal
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.logs import clean, redact
from modelarts_nodepool.settings import DISTRIBUTION

# For one whole request; the issuer is on the same node or one hop away.
LIMIT = timedelta(seconds=5)
_REDIRECTS = range(300, 400)
_MAX_QUOTE = 200
_MAX_TOKEN_BYTES = 64 * 1024
_MAX_BODY_BYTES = 64 * 1024
# A refusal that repeats this many characters of a secret is not quoted.
_MAX_SHARED = 8
_MOUNT_TOKEN = "mount a projected service account token there, see docs/operations/credentials.md"  # noqa: S105 - advice


@dataclass(frozen=True, slots=True)
class Response:
    """Status and whole body."""

    status: int
    body: bytes

    def quote(self, *secrets: str) -> str:
        """Status and message of an error, fit for a message of ours. Without the message if it repeats a secret."""
        said = read_refusal(self.body)
        if any(_repeats(said, secret) for secret in secrets):
            said = ""
        shown = clean(said, _MAX_QUOTE)
        return f"{self.status} ({shown})" if shown else str(self.status)


@dataclass(frozen=True, slots=True)
class IssuerClient:
    """Requests to one issuer. Messages call it `issuer`, and end with `advice` if it does not answer.

    `use_proxy`: honour the proxies of the environment. A link-local address is never asked through a proxy: the proxy
    would hand out the credentials of its own machine, or read ours. `trust`: None trusts no certificate.
    """

    issuer: str
    advice: str
    use_proxy: bool = False
    trust: ssl.SSLContext | None = None
    limit: timedelta = LIMIT

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        content: Mapping[str, object] | None = None,
    ) -> Response:
        """Send one request. Raises CredentialsUnavailable on a redirect, or without a whole answer."""
        sent = {"Content-Type": "application/json"} if content is not None else {}
        body = json.dumps(content).encode() if content is not None else None
        try:
            async with asyncio.timeout(self.limit.total_seconds()), self._connect() as connection:
                request = connection.build_request(method, url, headers={**sent, **(headers or {})}, content=body)
                response = await self._send(connection, request)
        except TimeoutError:
            cause = f"did not answer within {self.limit.total_seconds():g} s"
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError) as error:
            cause = f"cannot be reached ({_describe(error)})"
        else:
            if response.status in _REDIRECTS:
                raise CredentialsUnavailable(
                    f"{self.issuer} answered with a redirect ({response.status}), which is not followed; {self.advice}"
                )
            return response
        # Outside the except blocks: the exception carries the request, so it must not become the context of ours.
        raise CredentialsUnavailable(f"{self.issuer} {cause}; {self.advice}")

    def _connect(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self.trust or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            trust_env=self.use_proxy,
            follow_redirects=False,
            timeout=self.limit.total_seconds(),
            headers={
                "User-Agent": f"{DISTRIBUTION}/{version(DISTRIBUTION)}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )

    async def _send(self, connection: httpx.AsyncClient, request: httpx.Request) -> Response:
        response = await connection.send(request, stream=True)
        body = bytearray()
        try:
            # Raw: a body that is compressed all the same could unpack to any size.
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MAX_BODY_BYTES:
                    break
        finally:
            await response.aclose()
        if len(body) > _MAX_BODY_BYTES:
            raise CredentialsUnavailable(
                f"{self.issuer} answered with more than {_MAX_BODY_BYTES} bytes, too much for credentials; "
                f"{self.advice}"
            )
        return Response(response.status_code, bytes(body))


def split_url(text: str) -> SplitResult | None:
    """The parts of an issuer's URL; None if it is no URL, or has a user name, a query or a fragment."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        url = urlsplit(text)
        is_readable = bool(url.hostname) and url.port != 0
    except ValueError:
        return None
    return url if is_readable and not (url.username or url.password or url.query or url.fragment) else None


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_private(host: str) -> bool:
    """Whether the host is this machine, link-local or in a private network."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_private and not address.is_unspecified


def read_token(path: str, variable: str) -> str:
    """The token in a file that the kubelet rotates, never shown in logs. `variable` names the file."""
    token, problem = "", ""
    try:
        token = _read_file(Path(path))
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except ValueError:
        problem = "it is not ASCII text"
    # Outside the except blocks: the exception can hold the file's content.
    if problem:
        raise CredentialsUnavailable(f"the token file in {variable} cannot be read: {problem}; {_MOUNT_TOKEN}")
    if not is_header_value(token):
        raise CredentialsUnavailable(f"the token file in {variable} does not hold exactly one token; {_MOUNT_TOKEN}")
    redact(token)
    return token


def _read_file(path: Path) -> str:
    # A pipe or a device would block for ever.
    if not path.is_file():
        raise FileNotFoundError(0, "there is no such regular file")
    with path.open("rb") as file:
        return file.read(_MAX_TOKEN_BYTES).decode("ascii").strip()


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _describe(error: Exception) -> str:
    # Only the text of a failure to connect says more than its class, and it holds nothing of the request.
    detail = clean(str(error), _MAX_QUOTE) if isinstance(error, httpx.ConnectError) else ""
    return f"{type(error).__name__} {detail}".strip()


def _repeats(said: str, secret: str) -> bool:
    """Whether the text contains a piece of the secret."""
    pieces = (secret[at : at + _MAX_SHARED] for at in range(max(len(secret) - _MAX_SHARED, 0) + 1))
    return any(piece and piece in said for piece in pieces)
