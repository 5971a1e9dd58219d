"""Logging: one line per record, JSON or text, on standard error, without secrets.

cli.py calls `set_up_logging` once. Code that reads a secret passes it to `redact` first; from then on `***` replaces it
in messages, arguments, extras and tracebacks, in any encoding. Imports no other module of the operator.

Extras of lines about an object: object (namespace/name), uid, nodePool, requestId.
"""

import base64
import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote

from typing_extensions import override

MASK = "***"
_SHORTEST_SECRET = 4
_MOST_SECRETS = 2000

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_KOPF_ONLY = frozenset({"settings", "k8s_skip", "k8s_ref"})
# Their messages hold URLs, headers and whole objects; httpcore's debug lines show each header.
_QUIET = ("kopf", "kubernetes", "aiohttp", "httpx", "httpcore", "hpack", "asyncio", "urllib3", "client")

_HEADERS = r"(?:proxy-)?authorization|x-security-token|x-auth-token|x-subject-token|set-cookie|cookie"
_FIELDS = (
    r"secret[_-]?key|secret[_-]?access[_-]?key|security[_-]?token|session[_-]?token|access[_-]?token"
    r"|id[_-]?token|refresh[_-]?token|client[_-]?secret|private[_-]?key|password"
)
# Between a name and its value: `name: v`, `name=v`, `'name': 'v'`, `(b'name', b'v')`.
_BETWEEN = r"(?:\\?['\"]\s*,\s*b?|\\?['\"]?\s*[:=]\s*b?)"
_QUOTED = r"\\?\"[^\"]*\"|\\?'[^']*'"
_SENSITIVE_NAME = re.compile(rf"(?:{_HEADERS}|{_FIELDS}|signature|token)", re.IGNORECASE)
_PATTERNS = (
    (re.compile(rf"(?i)\b((?:{_HEADERS}){_BETWEEN})(?:{_QUOTED}|[^\r\n'\"]+)"), rf"\1{MASK}"),
    # FILE stays: in the commands that messages end with, it stands for the name of a file.
    (re.compile(rf"(?i)\b((?:{_FIELDS}){_BETWEEN})(?:{_QUOTED}|(?!(?-i:FILE)(?!\S))[^\s,;&'\"}}]+)"), rf"\1{MASK}"),
    (re.compile(r"(?i)(signature\\?['\"]?\s*(?:=|:|%3d)\s*b?\\?['\"]?)[^\s,&'\"]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{16,}"), rf"\1{MASK}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
)


class _Secrets:
    """The values that must not be shown, in their usual encodings.

    There are new temporary keys every hour, and their tokens have thousands of characters: the oldest are forgotten. A
    search for each value is cheap; compiling one regular expression of all takes seconds.
    """

    def __init__(self) -> None:
        self._forms: dict[str, None] = {}
        self._longest_first: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        raw = value.encode()
        forms = {value, quote(value, safe=""), repr(value)[1:-1], json.dumps(value)[1:-1]}
        forms |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
        with self._lock:
            is_known = forms <= self._forms.keys()
            # A known value moves to the end: a value that is in use is never the oldest.
            for form in forms:
                self._forms.pop(form, None)
                self._forms[form] = None
            if is_known:
                return
            for oldest in list(self._forms)[:-_MOST_SECRETS]:
                del self._forms[oldest]
            # The longest first: a secret inside a longer one must not leave its rest visible.
            self._longest_first = tuple(sorted(self._forms, key=len, reverse=True))

    def mask(self, text: str) -> str:
        for form in self._longest_first:
            if form in text:
                text = text.replace(form, MASK)
        return text


_secrets = _Secrets()


def redact(value: str | None) -> None:
    """Mask this value from now on. Ignores values with less than four characters."""
    value = value.strip() if value else ""
    if len(value) >= _SHORTEST_SECRET:
        _secrets.add(value)


def mask_registered(text: str) -> str:
    """The text without registered secrets; text that only looks like a secret stays."""
    return _secrets.mask(text)


def masked(text: str) -> str:
    """The text without registered secrets and without text that looks like a secret."""
    text = _secrets.mask(text)
    for pattern, mask in _PATTERNS:
        text = pattern.sub(mask, text)
    return text


def clean(text: str, longest: int = 500) -> str:
    """Text of another program for use in a message: without secrets, one line, printable, not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in masked(text)).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def clean_name(text: str, longest: int) -> str:
    """A name from another program for use in a message, whose clauses and commands end with a semicolon."""
    return clean(text, longest).replace(";", ",")


class _Formatter(logging.Formatter):
    """Converts a record into fields without secrets."""

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(_message(record)),
        }
        fields |= _reference(getattr(record, "k8s_ref", None))
        for key, value in vars(record).items():
            if key not in _STANDARD and key not in _KOPF_ONLY and value is not None:
                fields[key if key not in fields or key in {"object", "uid"} else f"extra_{key}"] = _safe(key, value)
        return fields

    def trace(self, record: logging.LogRecord) -> str:
        # Not cached in record.exc_text, which the formatter of another handler may read or set.
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        parts += [self.formatStack(record.stack_info)] if record.stack_info else []
        return masked("\n".join(parts))


class JsonFormatter(_Formatter):
    """One JSON object a line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        if trace := self.trace(record):
            fields["traceback"] = trace
        return json.dumps(fields, ensure_ascii=False, default=str)


class TextFormatter(_Formatter):
    """For people: time, level, message, then the fields."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        head = f"{fields.pop('ts')} {fields.pop('level').upper():<8}{fields.pop('message')}"
        logger = fields.pop("logger")
        about = " ".join(f"{key}={value}" for key, value in fields.items())
        line = f"{head}  [{logger}{' ' if about else ''}{about}]"
        trace = self.trace(record)
        return f"{line}\n{trace}" if trace else line


class _Handler(logging.StreamHandler[TextIO]):
    """Standard error."""

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        # The default prints the record's arguments without masking.
        self.stream.write(f"a log record of {record.name}:{record.lineno} could not be written\n")


def set_up_logging(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send all records, including kopf's and warnings, to one stream. May be called again."""
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    # Another handler would write records without masking.
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("modelarts_nodepool").critical("the program failed", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        _log_uncaught(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} (its arguments do not fit)"


def _reference(reference: object) -> dict[str, str]:
    """The object reference that kopf's object loggers add to their records."""
    if not isinstance(reference, Mapping):
        return {}
    name, namespace = reference.get("name"), reference.get("namespace")
    return {"object": f"{namespace}/{name}" if namespace else str(name), "uid": str(reference.get("uid"))}


def _safe(key: str, value: object) -> object:
    """An extra of any type, without secrets."""
    if _SENSITIVE_NAME.fullmatch(key):
        return MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {masked(str(name)): _safe(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe("", item) for item in value]
    return masked(str(value))
