"""One HTTP request and its response: signed, bounded in time and size, never repeated, never redirected.

Used by modelarts/client.py, one for each account. Decides one thing only: whether anything was sent. Its errors have no
cause and no context, because the exception of the HTTP library carries the signed request.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import httpx

from modelarts_nodepool.credentials.signing import sign
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import InvalidName, MalformedAnswer, NoAnswer, SettingsError, Unreachable
from modelarts_nodepool.modelarts.endpoints import Endpoint
from modelarts_nodepool.modelarts.operations import Call
from modelarts_nodepool.modelarts.response import Response
from modelarts_nodepool.modelarts.sanitize import quote_value, sanitize
from modelarts_nodepool.ports import AccessKey
from modelarts_nodepool.settings import DISTRIBUTION

_OK = 200


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of time and size. `deletion` and `reading` hold for a whole call, including the connection."""

    connecting: timedelta = timedelta(seconds=10)
    deletion: timedelta = timedelta(seconds=30)
    reading: timedelta = timedelta(seconds=60)
    body_bytes: int = 32 * 1024 * 1024
    # For bodies that only explain: those of errors and of an accepted DELETE.
    side_body_bytes: int = 256 * 1024
    side_body: timedelta = timedelta(seconds=2)


class Transport:
    """Requests to one endpoint. Uses the proxies of the environment, but not netrc."""

    def __init__(self, endpoint: Endpoint, *, trust: ssl.SSLContext, bounds: Bounds | None = None) -> None:
        """`trust` comes from tls.build_trust; all clients share it."""
        self._endpoint = endpoint
        self._bounds = bounds or Bounds()
        self._url = httpx.URL(endpoint.url)
        self._client = connect(endpoint, trust, self._bounds)

    async def send(self, call: Call, key: AccessKey, moment: datetime) -> Response:
        """Send one request. Raises errors.Unreachable, NoAnswer, or MalformedAnswer for a body that cannot be read."""
        progress = _Progress()
        if self._client.is_closed:
            raise self._failure(call, "the connections of the account are closed", is_sent=False)
        request = self._build(call, key, moment, progress)
        limit = self._bounds.deletion if call.is_deletion else self._bounds.reading
        try:
            async with asyncio.timeout(limit.total_seconds()):
                return await self._exchange(call, request)
        except TimeoutError:
            cause = f"no answer within {limit.total_seconds():g} s"
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            cause = _describe(error)
        # Outside the except blocks: the exception carries the request, so it must not become the context of this error.
        raise self._failure(call, cause, is_sent=progress.is_sent)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _build(self, call: Call, key: AccessKey, moment: datetime, progress: "_Progress") -> httpx.Request:
        url = self._url.copy_with(raw_path=call.target.encode())
        if url.raw_path != call.target.encode():
            # A second check behind that of the names: the library must not normalise the path.
            raise InvalidName(f"the HTTP library changed the URL of {call.title}; no request was sent")
        path, _, query = call.target.partition("?")
        signed = {
            "Content-Type": "application/json",
            "Host": url.netloc.decode(),
            "X-Project-Id": call.project_id,
        }
        headers = sign(call.method, path, query, signed, b"", key, moment)
        if call.is_deletion:
            headers["Content-Length"] = "0"
        extensions = {"trace": progress.trace}
        return self._client.build_request(call.method, url, headers=headers, extensions=extensions)

    async def _exchange(self, call: Call, request: httpx.Request) -> Response:
        # An empty Auth: neither netrc nor a user name in a URL can replace our Authorization.
        response = await self._client.send(request, stream=True, auth=httpx.Auth(), follow_redirects=False)
        try:
            if response.status_code == _OK and not call.is_deletion:
                return Response(response.status_code, _headers(response), await self._read(call, response))
            body, is_whole = await self._read_side_body(response)
            return Response(response.status_code, _headers(response), body, is_whole)
        finally:
            await response.aclose()

    async def _read(self, call: Call, response: httpx.Response) -> bytes:
        encoding = _compression(response)
        if encoding:
            raise MalformedAnswer(
                f"{call.title} was answered with a compressed body ({encoding}) although the request did not allow it. "
                "Check any proxy and --endpoint",
                status=response.status_code,
            )
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._bounds.body_bytes:
                raise MalformedAnswer(
                    f"{call.title} was answered with more than {self._bounds.body_bytes} bytes; reading stopped",
                    status=response.status_code,
                )
        return bytes(body)

    async def _read_side_body(self, response: httpx.Response) -> tuple[bytes, bool]:
        # The status line has arrived: a body that breaks off does not make the outcome unknown.
        body = bytearray()
        if _compression(response):
            return b"", False
        try:
            async with asyncio.timeout(self._bounds.side_body.total_seconds()):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > self._bounds.side_body_bytes:
                        return bytes(body[: self._bounds.side_body_bytes]), False
        except (TimeoutError, httpx.HTTPError, httpx.StreamError, OSError):
            return bytes(body), False
        return bytes(body), True

    def _failure(self, call: Call, cause: str, *, is_sent: bool) -> Unreachable | NoAnswer:
        host = self._url.netloc.decode()
        if is_sent:
            outcome = f"was sent to {host} and got no answer: {cause}"
            return NoAnswer(f"{call.title} {outcome}", outcome=outcome)
        outcome = (
            f"was not sent: {host} cannot be reached: {cause}. Check DNS, egress rules, HTTPS_PROXY and --endpoint; "
            f"see: {remedies.list_accounts()}"
        )
        return Unreachable(f"{call.title} {outcome}", outcome=outcome)


class _Progress:
    """Whether any byte of the request may have been sent."""

    def __init__(self) -> None:
        self.is_sent = False

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        """Httpcore calls this at each step. The CONNECT to a proxy is not the request."""
        if event == "http11.send_request_headers.started":
            request = info.get("request")
            self.is_sent = self.is_sent or getattr(request, "method", None) != b"CONNECT"


def connect(endpoint: Endpoint, trust: ssl.SSLContext, bounds: Bounds) -> httpx.AsyncClient:
    """An HTTP client without redirects and cookies. Raises errors.SettingsError for an invalid proxy."""
    seconds = bounds.reading.total_seconds()
    try:
        return httpx.AsyncClient(
            verify=trust,
            # Proxies from the environment, except for an endpoint on this machine.
            trust_env=not endpoint.is_loopback,
            follow_redirects=False,
            event_hooks={"response": [_drop_location]},
            timeout=httpx.Timeout(seconds, connect=bounds.connecting.total_seconds()),
            # One connection for each call. On a reused connection a surplus response would be taken for the answer to
            # the next call, and a list does not say which resource pool it is about.
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=0),
            # Cookies would be sent unsigned with every later call.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={
                "User-Agent": f"{DISTRIBUTION}/{version(DISTRIBUTION)}",
                "Accept": "application/json",
                "Connection": "close",
                # A few compressed kilobytes can unpack into gigabytes.
                "Accept-Encoding": "identity",
            },
        )
    except (ValueError, httpx.InvalidURL):
        pass
    # Outside the except block: the exception quotes the proxy's URL, which can contain a password.
    raise SettingsError("HTTPS_PROXY, ALL_PROXY or NO_PROXY is not valid; see: env | grep -i proxy")


async def _drop_location(response: httpx.Response) -> None:
    # The library builds the next request of a redirect even if it must not follow it, and fails on bad addresses.
    # Without an address a redirect is a response like any other, and nothing can follow it.
    response.headers.pop("Location", None)


def _compression(response: httpx.Response) -> str:
    encoding = str(response.headers.get("Content-Encoding", ""))
    return "" if encoding.strip().lower() in {"", "identity"} else quote_value(encoding, 40)


def _headers(response: httpx.Response) -> dict[str, str]:
    return dict(response.headers.items())


def _describe(error: Exception) -> str:
    # Only the text of a failure to connect says more than its class, and it holds nothing of the request.
    detail = sanitize(str(error), 200) if isinstance(error, httpx.ConnectError | httpx.ProxyError) else ""
    return f"{type(error).__name__} {detail}".strip()
