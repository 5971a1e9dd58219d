"""One HTTP request out, one answer back: signed, bounded in time and size, never repeated, never redirected.

Called by modelarts/client.py, one per account. Judges nothing but this: whether anything was sent at all.
Errors leave here without the exception that caused them, because that one carries the signed request.
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
from modelarts_nodepool.modelarts.response import Answer
from modelarts_nodepool.modelarts.sanitize import brief, plain_words
from modelarts_nodepool.ports import AccessKey

_OK = 200


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how much. `deletion` and `reading` hold for a whole call, connecting included."""

    connecting: timedelta = timedelta(seconds=10)
    deletion: timedelta = timedelta(seconds=30)
    reading: timedelta = timedelta(seconds=60)
    body_bytes: int = 32 * 1024 * 1024
    # For bodies that only explain: of errors, and of an accepted DELETE.
    side_body_bytes: int = 256 * 1024
    side_body: timedelta = timedelta(seconds=2)


class Transport:
    """The way to one endpoint. Proxies of the environment are honoured, netrc is not."""

    def __init__(self, endpoint: Endpoint, *, trust: ssl.SSLContext, bounds: Bounds | None = None) -> None:
        """`trust` is what trust.build_trust made, shared by all clients."""
        self._endpoint = endpoint
        self._bounds = bounds or Bounds()
        self._url = httpx.URL(endpoint.url)
        self._client = connect(endpoint, trust, self._bounds)

    async def send(self, call: Call, key: AccessKey, moment: datetime) -> Answer:
        """Send it once. Raises errors.Unreachable, NoAnswer, or MalformedAnswer for a body that is not read."""
        progress = _Progress()
        if self._client.is_closed:
            raise self._failure(call, "its connections have been closed", is_sent=False)
        request = self._build(call, key, moment, progress)
        limit = self._bounds.deletion if call.is_deletion else self._bounds.reading
        try:
            async with asyncio.timeout(limit.total_seconds()):
                return await self._exchange(call, request)
        except TimeoutError:
            cause = f"nothing came within {limit.total_seconds():g} s"
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            cause = _describe(error)
        # Behind the except blocks: the error raised here has no context that could carry the request.
        raise self._failure(call, cause, is_sent=progress.is_sent)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _build(self, call: Call, key: AccessKey, moment: datetime, progress: "_Progress") -> httpx.Request:
        url = self._url.copy_with(raw_path=call.target.encode())
        if url.raw_path != call.target.encode():
            # The second fence behind the check of names: the library must not have tidied the path.
            raise InvalidName(f"the URL of {call.title} would not be what was asked for; nothing was sent")
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

    async def _exchange(self, call: Call, request: httpx.Request) -> Answer:
        # An Auth that does nothing: neither netrc nor a user name in a URL can replace our Authorization.
        response = await self._client.send(request, stream=True, auth=httpx.Auth(), follow_redirects=False)
        try:
            if response.status_code == _OK and not call.is_deletion:
                return Answer(response.status_code, _headers(response), await self._read(call, response))
            body, is_whole = await self._read_side_body(response)
            return Answer(response.status_code, _headers(response), body, is_whole)
        finally:
            await response.aclose()

    async def _read(self, call: Call, response: httpx.Response) -> bytes:
        encoding = _compression(response)
        if encoding:
            raise MalformedAnswer(
                f"{call.title} was answered with a body that is compressed ({encoding}), which was not asked for; it "
                "is not unpacked. Check any proxy and --endpoint",
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
        # The status line is there; what follows may break off without making the answer unknown.
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
            outcome = f"was sent to {host} and not answered: {cause}"
            return NoAnswer(f"{call.title} {outcome}", outcome=outcome)
        outcome = (
            f"was not sent: {host} cannot be reached: {cause}. Check DNS, egress rules, HTTPS_PROXY and --endpoint; "
            f"see: {remedies.list_accounts()}"
        )
        return Unreachable(f"{call.title} {outcome}", outcome=outcome)


class _Progress:
    """Whether any byte of a request may have gone out."""

    def __init__(self) -> None:
        self.is_sent = False

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        """Called by httpcore at each step. The CONNECT to a proxy is not the request."""
        if event == "http11.send_request_headers.started":
            request = info.get("request")
            self.is_sent = self.is_sent or getattr(request, "method", None) != b"CONNECT"


def connect(endpoint: Endpoint, trust: ssl.SSLContext, bounds: Bounds) -> httpx.AsyncClient:
    """A client that follows no redirect and keeps no cookie. Raises errors.SettingsError for a proxy that is none."""
    seconds = bounds.reading.total_seconds()
    try:
        return httpx.AsyncClient(
            verify=trust,
            # Proxies from the environment; nothing on this machine is behind a proxy.
            trust_env=not endpoint.is_loopback,
            follow_redirects=False,
            event_hooks={"response": [_forget_where_it_points]},
            timeout=httpx.Timeout(seconds, connect=bounds.connecting.total_seconds()),
            # A connection for each call: on one that is used again, an answer too many would be taken for the answer
            # to the next call, and a list does not say whose it is.
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=0),
            # A server's cookies would be sent unsigned with every later call.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={
                "User-Agent": f"modelarts-nodepool-operator/{version('modelarts-nodepool-operator')}",
                "Accept": "application/json",
                "Connection": "close",
                # A few kilobytes that are compressed, and compressed again, unpack into gigabytes.
                "Accept-Encoding": "identity",
            },
        )
    except (ValueError, httpx.InvalidURL):
        pass
    # Behind the except block: a proxy's URL may hold a password, and the exception quotes it.
    raise SettingsError("HTTPS_PROXY, ALL_PROXY or NO_PROXY is not a proxy that can be used; see: env | grep -i proxy")


async def _forget_where_it_points(response: httpx.Response) -> None:
    # The library works out the next request of a redirect even where it may not follow it, and stumbles over bad
    # addresses. Without one a redirect is an answer like any other, and can be followed by nothing.
    response.headers.pop("Location", None)


def _compression(response: httpx.Response) -> str:
    encoding = str(response.headers.get("Content-Encoding", ""))
    return "" if encoding.strip().lower() in {"", "identity"} else brief(encoding, 40)


def _headers(response: httpx.Response) -> dict[str, str]:
    return dict(response.headers.items())


def _describe(error: Exception) -> str:
    # Only for failures to connect does the text say more than the class, and it holds nothing of the request.
    words = plain_words(str(error), 200) if isinstance(error, httpx.ConnectError | httpx.ProxyError) else ""
    return f"{type(error).__name__} {words}".strip()
