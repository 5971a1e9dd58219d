"""One HTTP answer, and what its error body says, in whichever of its forms.

Built by modelarts/transport.py, read by modelarts/faults.py and modelarts/parse.py. No judgement here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from modelarts_nodepool.logs import masked
from modelarts_nodepool.modelarts.sanitize import plain_words

_REQUEST_ID = re.compile(r"[0-9A-Za-z._:-]{1,128}")
# ModelArts and its gateway; IAM. HTTP names are compared without regard to case: `headers` has them in lower case.
_REQUEST_ID_HEADERS = ("x-request-id", "x-iam-trace-id")
# A 403 of an identity policy may carry it (SDK core): it encodes who asked for what, and is of use to nobody here.
_ENCODED = re.compile(r'"encoded_authorization_message"\s*:\s*"(?:[^"\\]|\\.)*"?\s*,?\s*')
_DEEPEST = 5
# The pairs of keys that error bodies use, in the order in which the official SDK looks for them.
_PAIRS = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` has lower-case names. `is_whole` is False where the body broke off or was cut."""

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
        """The server's clock, by its Date header; None where there is none, or a cache answers with an old one."""
        return None if "age" in self.headers else parse_http_date(self.headers.get("date", ""))

    def _request_id_in_body(self) -> str | None:
        # A success carries none in its body, and parsing a long list twice for it would be waste.
        if self.status < 400:  # noqa: PLR2004 - where HTTP errors begin
            return None
        found = (_as_request_id(part.get("request_id")) for part in _parts(parse_json(self.body)))
        return next((each for each in found if each), None)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says. `code` is None where the body is not JSON or has no code in it."""

    code: str | None
    words: str


def parse_json(body: bytes) -> object:
    """The JSON document, or None where it is none or says something twice; never raises.

    Of two equal keys Python keeps the last: with `items` twice, the second one empty, a list would read as empty.
    """
    try:
        parsed: object = json.loads(body, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):  # ValueError covers bad UTF-8 as well
        return None
    return parsed


def read_error(body: bytes) -> ErrorBody:
    """The code and the words of an error body; raw text as words where it has no known form."""
    raw = _ENCODED.sub("", body[:20_000].decode(errors="replace"))
    code, words = _find_pair(list(_parts(parse_json(body))))
    return ErrorBody(code=plain_words(code, 64) if code else None, words=words or raw)


def parse_http_date(text: str) -> datetime | None:
    """An HTTP date in UTC; None where it is none, or lies beyond the years that can be counted with."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _parts(document: object, depth: int = 0) -> Iterator[dict[str, object]]:
    """The document and the objects in it, from the outside in."""
    if not isinstance(document, dict) or depth > _DEEPEST:
        return
    yield document
    for value in document.values():
        yield from _parts(value, depth + 1)


def _find_pair(parts: list[dict[str, object]]) -> tuple[str | None, str | None]:
    """A whole pair wherever it is, else the outermost half of one."""
    halves: tuple[str | None, str | None] = (None, None)
    for part in parts:
        for code_key, words_key in _PAIRS:
            pair = _as_text(part.get(code_key)), _as_text(part.get(words_key))
            if all(pair):
                return pair
            if halves == (None, None):
                halves = pair
    return halves


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    # IAM puts a number there, as in {"error": {"code": 401}}.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _as_request_id(value: object) -> str | None:
    # Where a cloud gives back as an id what it was sent, the id is of no use.
    is_id = isinstance(value, str) and _REQUEST_ID.fullmatch(value) and masked(value) == value
    return str(value) if is_id else None
