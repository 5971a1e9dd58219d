"""One HTTP request and its response: signed, bounded in time and size, never repeated, never redirected.

Used by modelarts/client.py, one for each account. In this file: the call (method, URL path, title in messages), the
response with the code and message of its error body (read by faults.py and parse.py), the signature (SDK-HMAC-SHA256;
source: API Request Signing Guide; both test vectors are those of the official SDK), and the exchange.

A call with a name that could change the URL cannot be built: with a node pool named `..` the path of delete_node_pool
would be that of "delete resource pool". The transport decides one thing only: whether anything was sent. Its errors
have no cause and no context, because the exception of the HTTP library carries the signed request. `sanitize` makes
text from the cloud fit for conditions, Events and logs, wherever a message quotes a response.
"""

import asyncio
import hashlib
import hmac
import json
import re
import reprlib
import ssl
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import Self
from urllib.parse import quote, unquote

import httpx

from modelarts_nodepool.api.names import (
    NODE_POOL_NAME_PATTERN,
    PROJECT_PATTERN,
    RESOURCE_POOL_NAME_PATTERN,
    is_valid_node_pool_name,
    is_valid_resource_pool_name,
)
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import (
    CredentialsUnavailable,
    InvalidName,
    MalformedAnswer,
    NoAnswer,
    SettingsError,
    Unreachable,
)
from modelarts_nodepool.logs import masked
from modelarts_nodepool.modelarts.endpoints import Endpoint
from modelarts_nodepool.ports import AccessKey
from modelarts_nodepool.settings import DISTRIBUTION

# Cc control, Cf format (bidirectional overrides, zero width), Cs lone surrogates (not valid UTF-8), Co private use,
# Cn unassigned, Zl and Zp line and paragraph separators.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that are invisible: fillers, joiners, the empty Braille cell.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_HIDDEN = "[hidden]"
_MIN_SECRET = 4
# Only the beginning is read, so that a huge body costs little.
_MAX_READ = 20_000
# A value of an unexpected kind is shown by its beginning, however large or deep it is.
_SHORT_REPR = reprlib.Repr()
_SHORT_REPR.maxlevel, _SHORT_REPR.maxstring, _SHORT_REPR.maxlong, _SHORT_REPR.maxother = 3, 100, 60, 100


def sanitize(text: str, limit: int = 500, hidden: Collection[str] = ()) -> str:
    """One line without control or direction characters and without `hidden` values, at most `limit` characters long."""
    if not hidden and len(text) <= limit and text.isascii() and text.isprintable() and " " not in text:
        # One plain word, as nearly all of the very many names and flavors are.
        return text
    line = "".join(
        " " if character.isspace() else character
        for character in text[:_MAX_READ]
        if character.isspace() or (character not in _BLANK and unicodedata.category(character) not in _UNWANTED)
    )
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= _MIN_SECRET:
            line = line.replace(secret, _HIDDEN)
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def quote_value(value: object, limit: int = 80) -> str:
    """Any value of a response as Python writes it: ASCII, shortened, without secrets, however deep or large it is."""
    return sanitize(masked(_SHORT_REPR.repr(value)).encode("ascii", "backslashreplace").decode(), limit)


_PROJECT = re.compile(PROJECT_PATTERN.removeprefix("^").removesuffix("$"))


class Operation(StrEnum):
    """ModelArts' operation ids in snake_case, which are the `operation` label of metrics, each with its path.

    The path is what follows /v2/{project_id}/; the names that it has are checked. Source: the page of each operation.
    """

    path: str

    LIST_POOLS = "list_pools", "pools"
    SHOW_POOL = "show_pool", "pools/{resource_pool}"
    LIST_NODE_POOLS = "list_node_pools", "pools/{resource_pool}/nodepools"
    SHOW_NODE_POOL = "show_node_pool", "pools/{resource_pool}/nodepools/{node_pool}"
    LIST_NODE_POOL_NODES = "list_node_pool_nodes", "pools/{resource_pool}/nodepools/{node_pool}/nodes"
    LIST_WORKLOADS = "list_workloads", "pools/{resource_pool}/workloads"
    DELETE_NODE_POOL = "delete_node_pool", "pools/{resource_pool}/nodepools/{node_pool}"

    def __new__(cls, name: str, path: str) -> Self:
        """The name is the value; the path is an attribute."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.path = path
        return member


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to send. Raises errors.InvalidName for a name that is not safe in a URL."""

    operation: Operation
    project_id: str
    resource_pool: str | None = None
    node_pool: str | None = None
    query: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check every name in the path before anything can be sent."""
        check_id("project ID", self.project_id)
        if "{resource_pool}" in self.operation.path:
            _check_name("resource pool", self.resource_pool, is_valid_resource_pool_name, RESOURCE_POOL_NAME_PATTERN)
        if "{node_pool}" in self.operation.path:
            _check_name("node pool", self.node_pool, is_valid_node_pool_name, NODE_POOL_NAME_PATTERN)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "DELETE" if self.is_deletion else "GET"

    @property
    def is_deletion(self) -> bool:
        """Whether the call changes anything in the cloud."""
        return self.operation is Operation.DELETE_NODE_POOL

    @property
    def path(self) -> str:
        """The path, percent-encoded; the checked names need no encoding."""
        names = self.operation.path.format(resource_pool=self.resource_pool, node_pool=self.node_pool)
        return f"/v2/{self.project_id}/{names}"

    @property
    def target(self) -> str:
        """Path and query as on the wire. A space is %20: a plus sign would break the signature."""
        query = "&".join(f"{_encode(name)}={_encode(value)}" for name, value in self.query)
        return f"{self.path}?{query}" if query else self.path

    @property
    def title(self) -> str:
        """The call in messages, without its query."""
        if self.node_pool:
            return f"{self.operation} of node pool {self.node_pool} in resource pool {self.resource_pool}"
        if self.resource_pool:
            return f"{self.operation} of resource pool {self.resource_pool}"
        return f"{self.operation} of project {self.project_id}"


def _encode(text: str) -> str:
    return quote(text, safe="-._~")


def _check_name(kind: str, name: object, is_valid: Callable[[str], bool], pattern: str) -> None:
    if not isinstance(name, str) or not is_valid(name):
        raise InvalidName(
            f"{_shown(name)} is not a valid {kind} name (it must match {pattern}); no request was sent. Look up the "
            "name in the ModelArts console"
        )


def check_id(kind: str, value: object) -> None:
    """Raise errors.InvalidName if this is not the ID of a project or a workspace: both have the same characters."""
    if not isinstance(value, str) or _PROJECT.fullmatch(value) is None:
        raise InvalidName(
            f"{_shown(value)} is not a valid {kind} (it must match {PROJECT_PATTERN}); no request was sent. Correct it "
            "in the ModelArtsAccount"
        )


def _shown(value: object) -> str:
    return ascii(value)[:80]


_REQUEST_ID = re.compile(r"[0-9A-Za-z._:-]{1,128}")
# Of ModelArts and its gateway; of IAM. `headers` has its names in lower case.
_REQUEST_ID_HEADERS = ("x-request-id", "x-iam-trace-id")
# A 403 of an identity policy can contain it (SDK core). It encodes the caller and the request, and is of no use here.
_ENCODED = re.compile(r'"encoded_authorization_message"\s*:\s*"(?:[^"\\]|\\.)*"?\s*,?\s*')
_MAX_DEPTH = 5
# The pairs of keys that error bodies use, in the order in which the official SDK looks for them.
_PAIRS = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` has lower-case names. The body of an error, or of an accepted DELETE, may be cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str | None:
        """X-Request-Id, else `request_id` of an error body."""
        found = (_as_request_id(self.headers.get(name)) for name in _REQUEST_ID_HEADERS)
        return next((each for each in found if each), None) or self._request_id_in_body()

    @property
    def server_time(self) -> datetime | None:
        """The server's clock from its Date header; None without one, or if a cache answers with an old one."""
        return None if "age" in self.headers else parse_http_date(self.headers.get("date", ""))

    def _request_id_in_body(self) -> str | None:
        # A success has none in its body, and parsing a long list a second time is expensive.
        if self.status < 400:  # noqa: PLR2004 - where HTTP errors begin
            return None
        found = (_as_request_id(part.get("request_id")) for part in _objects_in(parse_json(self.body)))
        return next((each for each in found if each), None)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says. `code` is None if the body is not JSON or has no code."""

    code: str | None
    message: str


def parse_json(body: bytes) -> object:
    """The JSON document; None if the body is not JSON or an object has a key twice. Never raises.

    Python keeps the last of two equal keys: with `items` twice, the second one empty, a list would look empty.
    """
    try:
        parsed: object = json.loads(body, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):  # ValueError includes bad UTF-8
        return None
    return parsed


def read_error(body: bytes) -> ErrorBody:
    """The code and the message of an error body; the raw text as message if the body has no known form."""
    raw = _ENCODED.sub("", body[:20_000].decode(errors="replace"))
    code, message = _find_pair(list(_objects_in(parse_json(body))))
    return ErrorBody(code=sanitize(code, 64) if code else None, message=message or raw)


def parse_http_date(text: str) -> datetime | None:
    """An HTTP date in UTC; None if it is not a date or out of range."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _objects_in(document: object, depth: int = 0) -> Iterator[dict[str, object]]:
    """The document and the objects in it, from the outside in."""
    if not isinstance(document, dict) or depth > _MAX_DEPTH:
        return
    yield document
    for value in document.values():
        yield from _objects_in(value, depth + 1)


def _find_pair(objects: list[dict[str, object]]) -> tuple[str | None, str | None]:
    """A complete pair at any depth, else the outermost half of one."""
    half: tuple[str | None, str | None] = (None, None)
    for each in objects:
        for code_key, message_key in _PAIRS:
            pair = _as_text(each.get(code_key)), _as_text(each.get(message_key))
            if all(pair):
                return pair
            if half == (None, None):
                half = pair
    return half


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    # IAM sends a number, as in {"error": {"code": 401}}.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _as_request_id(value: object) -> str | None:
    # A request id that repeats a secret is dropped.
    is_id = isinstance(value, str) and _REQUEST_ID.fullmatch(value) and masked(value) == value
    return str(value) if is_id else None


ALGORITHM = "SDK-HMAC-SHA256"
DATE_HEADER = "X-Sdk-Date"
TOKEN_HEADER = "X-Security-Token"  # noqa: S105 - the name of a header
_UNRESERVED = "-._~"


def sign(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    key: AccessKey,
    moment: datetime,
) -> dict[str, str]:
    """All headers to send: `headers`, X-Sdk-Date, X-Security-Token if the key has one, and Authorization.

    `path` and `query` are percent-encoded, as they go on the wire; `moment` is timezone-aware; `headers` includes Host.
    Every header is signed, except those with an underscore in their name, which the gateway leaves out too.
    Raises errors.CredentialsUnavailable if the key does not fit a header.
    """
    _check_header_values(key)
    sent = dict(headers)
    sent[DATE_HEADER] = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    if key.security_token:
        sent[TOKEN_HEADER] = key.security_token
    signed = sorted((name.lower(), value.strip()) for name, value in sent.items() if "_" not in name)
    names = ";".join(name for name, _ in signed)
    canonical = "\n".join(
        (
            method.upper(),
            canonical_path(path),
            canonical_query(query),
            "".join(f"{name}:{value}\n" for name, value in signed),
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    to_sign = "\n".join((ALGORITHM, sent[DATE_HEADER], hashlib.sha256(canonical.encode()).hexdigest()))
    signature = hmac.new(key.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    sent["Authorization"] = f"{ALGORITHM} Access={key.access}, SignedHeaders={names}, Signature={signature}"
    return sent


def canonical_path(path: str) -> str:
    """Each segment decoded once and encoded again; always with a slash at the end."""
    encoded = "/".join(quote(segment, safe=_UNRESERVED) for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def canonical_query(query: str) -> str:
    """Pairs sorted by key and value, encoded again; a space is %20 and a plus sign is a plus sign."""
    pairs = [part.partition("=") for part in query.split("&") if part]
    decoded = sorted((unquote(name), unquote(value)) for name, _, value in pairs)
    return "&".join(f"{quote(name, safe=_UNRESERVED)}={quote(value, safe=_UNRESERVED)}" for name, value in decoded)


def _check_header_values(key: AccessKey) -> None:
    # The HTTP library refuses such a value with a message that quotes it.
    for title, value in (("access key", key.access), ("security token", key.security_token or "-")):
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise CredentialsUnavailable(
                f"the {title} is empty or has characters that are not allowed in an HTTP header; "
                "copy it again from the Huawei Cloud console into the account's Secret"
            )


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
        target = call.target
        url = self._url.copy_with(raw_path=target.encode())
        if url.raw_path != target.encode():
            # A second check behind that of the names: the library must not normalise the path.
            raise InvalidName(f"the HTTP library changed the URL of {call.title}; no request was sent")
        path, _, query = target.partition("?")
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
            is_needed = response.status_code == _OK and not call.is_deletion
            body = await (self._read(call, response) if is_needed else self._read_side_body(response))
            return Response(response.status_code, dict(response.headers.items()), body)
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

    async def _read_side_body(self, response: httpx.Response) -> bytes:
        """What arrives in time. The status line has arrived: a body that breaks off leaves no outcome unknown."""
        body = bytearray()
        if _compression(response):
            return b""
        with suppress(TimeoutError, httpx.HTTPError, httpx.StreamError, OSError):
            async with asyncio.timeout(self._bounds.side_body.total_seconds()):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > self._bounds.side_body_bytes:
                        break
        return bytes(body[: self._bounds.side_body_bytes])

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


def _describe(error: Exception) -> str:
    # Only the text of a failure to connect says more than its class, and it holds nothing of the request.
    detail = sanitize(str(error), 200) if isinstance(error, httpx.ConnectError | httpx.ProxyError) else ""
    return f"{type(error).__name__} {detail}".strip()
