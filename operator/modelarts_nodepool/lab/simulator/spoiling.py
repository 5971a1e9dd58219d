"""What faults do to answers: statuses, headers and broken bodies. Pure; gateway.py sends what comes out."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any

from modelarts_nodepool.lab.simulator.refusals import default_error, error_body
from modelarts_nodepool.lab.simulator.scenario_faults import BodyFault, Fault

HTML = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>"
JSON_TYPE = "application/json;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer about to be sent. `padding` bytes of white space come before the body."""

    status: int
    body: Any
    raw: bytes | None = None
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    padding: int = 0

    def encoded(self) -> bytes:
        """The body's bytes, padding left out."""
        return self.raw if self.raw is not None else json.dumps(self.body, separators=(",", ":")).encode()


def has_own_answer(fault: Fault) -> bool:
    """Whether the fault answers by itself, whatever the operation would have said."""
    return fault.status is not None or fault.redirect is not None


def own_answer(fault: Fault, request_id: str) -> Answer:
    """The answer of a fault with a status or a redirect."""
    if fault.redirect is not None:
        return Answer(fault.status or 307, None, raw=b"", headers={"Location": fault.redirect})
    status = fault.status or 500
    code, message = default_error(status)
    if status in {204, 304}:
        return Answer(status, None, raw=b"")
    is_success = 200 <= status < 300 and fault.error_code is None  # noqa: PLR2004 the 2xx class
    if is_success:
        return Answer(status, {})
    return Answer(status, error_body(fault.error_code or code, fault.error_msg or message, request_id))


def spoil(answer: Answer, fault: Fault, now: float) -> Answer:
    """The answer with the fault's headers and body."""
    headers = answer.headers | fault.headers
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    if fault.date_skew_seconds:
        headers["Date"] = formatdate(now + fault.date_skew_seconds, usegmt=True)
    spoiled = replace(answer, headers=headers)
    return spoiled if fault.body is None else _with_body(spoiled, fault.body, fault.huge_bytes)


def _with_body(answer: Answer, body: BodyFault, huge_bytes: int) -> Answer:
    whole = answer.encoded()
    broken: dict[BodyFault, Callable[[], Answer]] = {
        "html": lambda: replace(answer, raw=HTML, content_type="text/html;charset=utf-8"),
        "truncated": lambda: replace(answer, raw=whole[: len(whole) // 2]),
        "empty": lambda: replace(answer, raw=b""),
        "huge": lambda: replace(answer, padding=max(huge_bytes - len(whole), 0)),
        "null": lambda: replace(answer, raw=b"null"),
        "itemsMissing": lambda: replace(answer, body=_without_items(answer.body)),
        "negativeCounts": lambda: replace(answer, body=_negated(answer.body)),
    }
    return broken[body]()


def _without_items(body: object) -> object:
    return {key: value for key, value in body.items() if key != "items"} if isinstance(body, dict) else body


def _negated(body: object) -> object:
    if isinstance(body, list):
        return [_negated(item) for item in body]
    if not isinstance(body, dict):
        return body
    # A state with no nodes is left out of answers, so there is always at least one to turn negative.
    return {
        key: -abs(value) if key in {"count", "maxCount"} and isinstance(value, int) else _negated(value)
        for key, value in body.items()
    }
