"""What faults do to answers: statuses, headers and broken bodies. Pure; gateway.py sends what comes out."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any

from lab.simulator.answers import encode
from lab.simulator.refusals import default_error, error_body
from lab.simulator.scenario_faults import BodyFault, Fault

HTML = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>"
BODILESS = frozenset({204, 304})
FIRST_ERROR = 400
JSON_TYPE = "application/json;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer about to be sent. `padding` bytes of white space come before the body."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    padding: int = 0


def to_error(status: int, code: str, message: str, request_id: str, encoded: str | None = None) -> Answer:
    """An answer with an error body."""
    return Answer(status, encode(error_body(code, message, request_id, encoded)))


def has_own_answer(fault: Fault) -> bool:
    """Whether the fault answers by itself, whatever the operation would have said."""
    return fault.status is not None or fault.redirect is not None


def own_error(fault: Fault) -> str | None:
    """The error code of a fault with a status, None where it is no error."""
    if fault.redirect is not None or fault.status is None:
        return None
    is_error = fault.status >= FIRST_ERROR or fault.error_code is not None
    return (fault.error_code or default_error(fault.status)[0]) if is_error else None


def own_answer(fault: Fault, request_id: str) -> Answer:
    """The answer of a fault with a status or a redirect. A status below 400 has an empty body."""
    if fault.redirect is not None:
        return Answer(fault.status or 307, headers={"Location": fault.redirect})
    status, code = fault.status or 500, own_error(fault)
    if code is None:
        return Answer(status, b"" if status in BODILESS else b"{}")
    return to_error(status, code, fault.error_msg or default_error(status)[1], request_id)


def spoil(answer: Answer, fault: Fault, now: float) -> Answer:
    """The answer with the fault's headers and body."""
    headers = answer.headers | fault.headers
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    if fault.date_skew_seconds:
        headers["Date"] = formatdate(now + fault.date_skew_seconds, usegmt=True)
    spoiled = replace(answer, headers=headers)
    if fault.body_text is not None:
        return replace(spoiled, body=fault.body_text.encode(errors="surrogatepass"))
    return spoiled if fault.body is None else _with_body(spoiled, fault.body, fault.huge_bytes)


def _with_body(answer: Answer, body: BodyFault, huge_bytes: int) -> Answer:
    whole = answer.body
    broken: dict[BodyFault, Callable[[], Answer]] = {
        "html": lambda: replace(answer, body=HTML, content_type="text/html;charset=utf-8"),
        "truncated": lambda: replace(answer, body=whole[: len(whole) // 2]),
        "empty": lambda: replace(answer, body=b""),
        "huge": lambda: replace(answer, padding=max(huge_bytes - len(whole), 0)),
        "null": lambda: replace(answer, body=b"null"),
        "itemsMissing": lambda: replace(answer, body=encode(_without_items(whole))),
        "itemsNull": lambda: replace(answer, body=encode(_without_items(whole) | {"items": None})),
        "negativeCounts": lambda: replace(answer, body=encode(_negated(json.loads(whole or b"{}")))),
    }
    return broken[body]()


def _without_items(body: bytes) -> dict[str, Any]:
    return {key: value for key, value in json.loads(body or b"{}").items() if key != "items"}


def _negated(body: Any) -> Any:  # noqa: ANN401 any JSON
    if isinstance(body, list):
        return [_negated(item) for item in body]
    if not isinstance(body, dict):
        return body
    # A state with no nodes is left out of answers, so there is always at least one to turn negative.
    return {
        key: -abs(value) if key in {"count", "maxCount"} and isinstance(value, int) else _negated(value)
        for key, value in body.items()
    }
