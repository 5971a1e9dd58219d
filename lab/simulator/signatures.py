"""SDK-HMAC-SHA256 as the gateway computes it, from what came over the wire. Pure.

`keyring.py` decides what a right or wrong signature means.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(
    rf"^{ALGORITHM} +Access=(?P<access>[^,\s]+), *SignedHeaders=(?P<names>[^,\s]+), *Signature=(?P<sig>[0-9a-f]+)$"
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came: path and query still encoded, header names in lower case."""

    method: str
    raw_path: str
    raw_query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Authorization:
    """The Authorization header, taken apart."""

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(value: str) -> Authorization | None:
    """The parts of an Authorization header, or None where it is not of this algorithm and form."""
    match = _AUTHORIZATION.match(value.strip())
    if match is None:
        return None
    return Authorization(match["access"], tuple(match["names"].split(";")), match["sig"])


def _encode(text: str) -> str:
    return quote(text, safe="-._~")


def canonical_path(raw_path: str) -> str:
    """The path decoded once and encoded again; a trailing slash is added, which the wire does not have.

    It is decoded before it is split: a name with %2F in it is signed as two segments.
    """
    path = quote(unquote(raw_path), safe="/-._~")
    return path if path.endswith("/") else f"{path}/"


def canonical_query(raw_query: str) -> str:
    """The pairs sorted by what they say and encoded. A plus sign is itself: a space must come as %20.

    The official SDK sorts before it encodes, so that `{` comes behind `0`, although `%7B` does not.
    """
    pairs = (part.partition("=") for part in raw_query.split("&") if part)
    said = sorted((unquote(key), unquote(value)) for key, _, value in pairs)
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in said)


def payload_hash(request: SignedRequest) -> str:
    """SHA-256 of the body; bodies that are not JSON may be left unsigned if the request says so."""
    announced = request.headers.get("x-sdk-content-sha256", "")
    content_type = request.headers.get("content-type", "")
    is_json = content_type.startswith(("application/json", "application/bson"))
    if announced == UNSIGNED and request.body and content_type and not is_json:
        return UNSIGNED
    return hashlib.sha256(request.body).hexdigest()


def canonical_request(request: SignedRequest, signed_headers: tuple[str, ...]) -> str:
    """The text whose hash is signed."""
    headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed_headers)
    return "\n".join(
        (
            request.method,
            canonical_path(request.raw_path),
            canonical_query(request.raw_query),
            headers,
            ";".join(signed_headers),
            payload_hash(request),
        )
    )


def expected_signature(request: SignedRequest, signed_headers: tuple[str, ...], secret_key: str) -> str:
    """What the signature must be. The date in it is the request's own X-Sdk-Date."""
    digest = hashlib.sha256(canonical_request(request, signed_headers).encode()).hexdigest()
    text = f"{ALGORITHM}\n{request.headers.get('x-sdk-date', '')}\n{digest}"
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
