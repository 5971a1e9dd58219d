"""One HTTP response, and the code and message of its error body in any of its forms.

Built by modelarts/transport.py, read by modelarts/faults.py and modelarts/parse.py. Judges nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from modelarts_nodepool.logs import masked
from modelarts_nodepool.modelarts.sanitize import sanitize

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
    """`headers` has lower-case names. `is_whole` is False if the body broke off or was cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True

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
