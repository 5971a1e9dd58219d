"""Signs requests for the simulator's tests, step by step from the signing guide.

Independent of both the operator's signer and the simulator's check, so that neither can hide the other's
mistakes. It signs whatever it is told to, right or wrong.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote


def sdk_date(moment: float) -> str:
    """Seconds since 1970 as X-Sdk-Date."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")


def signature_of(method: str, target: str, headers: Mapping[str, str], body: bytes, secret_key: str) -> str:
    """The signature of a request over all of `headers`. `target` is path and query as they go over the wire."""
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    names = sorted(lowered)
    path, _, query = target.partition("?")
    uri = quote(unquote(path), safe="/~")
    said = sorted([unquote(text) for text in part.split("=", 1)] for part in query.split("&") if part)
    pairs = [[quote(text, safe="~") for text in pair] for pair in said]
    lines = [method, uri.rstrip("/") + "/", "&".join("=".join(pair) for pair in pairs)]
    lines += [f"{name}:{lowered[name]}" for name in names]
    lines += ["", ";".join(names), hashlib.sha256(body).hexdigest()]
    hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = "\n".join(["SDK-HMAC-SHA256", lowered["x-sdk-date"], hashed])
    return hmac.new(secret_key.encode(), text.encode(), "sha256").hexdigest()


def signed_headers(
    method: str, target: str, headers: Mapping[str, str], *, access_key: str, secret_key: str, body: bytes = b""
) -> dict[str, str]:
    """The headers with the Authorization that belongs to them. They must hold X-Sdk-Date."""
    signature = signature_of(method, target, headers, body, secret_key)
    names = ";".join(sorted(name.lower() for name in headers))
    authorization = f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "Authorization": authorization}
