"""SDK-HMAC-SHA256, the signature of Huawei Cloud's API gateway. Pure.

Called by modelarts/transport.py with exactly what goes on the wire. Source: API Request Signing Guide; both test
vectors are those of the official SDK.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey

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
