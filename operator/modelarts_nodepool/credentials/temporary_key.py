"""A temporary access key out of an issuer's answer. Pure. No message quotes a value.

The three issuers spell one thing in three ways; the official SDKs accept each spelling from each of them, and so
do we (huaweicloudsdkcore 3.1.219, auth/internal.py).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey

_ENVELOPES = ("credential", "credentials")
_ACCESS = ("access", "access_key_id", "accessKeyId")
_SECRET = ("secret", "secret_access_key", "secretAccessKey")
_TOKEN = ("securitytoken", "security_token", "securityToken")
_EXPIRES = ("expires_at", "expiration")
# Tokens of STS have about 4096 characters, says its page, and no fixed length.
_LONGEST_VALUE = 16_384


def read_issued_key(body: bytes, issuer: str, now: datetime) -> AccessKey:
    """The key in the body of a successful answer; `issuer` is how messages call who gave it.

    Raises errors.CredentialsUnavailable: not JSON, a value missing or unfit for a header, expired already.
    """
    found = _parse(body)
    values = next((found[name] for name in _ENVELOPES if isinstance(found.get(name), dict)), None)
    if values is None:
        raise CredentialsUnavailable(
            f"{issuer} answered, but not with credentials: the body is not JSON with the key credential or "
            "credentials; find out who answers at this address"
        )
    access, secret, token = (_text(values, names, issuer) for names in (_ACCESS, _SECRET, _TOKEN))
    expires = _moment(_text(values, _EXPIRES, issuer))
    if expires is None:
        raise CredentialsUnavailable(
            f"{issuer} gave credentials whose {' or '.join(_EXPIRES)} is no time such as 2026-01-02T03:04:05Z; "
            "find out who answers at this address"
        )
    if expires <= now:
        raise CredentialsUnavailable(
            f"{issuer} gave credentials that have expired already; compare the clocks, here with: date -u, and see "
            "whether the issuer renews them"
        )
    return AccessKey(access=access, secret=secret, security_token=token, expires=expires)


def read_refusal(body: bytes) -> str:
    """The issuer's own code and words, where a refusal holds them; not yet fit for a message."""
    found = _parse(body)
    pairs = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))
    for code, words in pairs:
        said = [str(found[key]) for key in (code, words) if isinstance(found.get(key), str | int)]
        if said:
            return ": ".join(said)
    return ""


def is_fit_for_a_header(value: str) -> bool:
    """Whether a value is one visible ASCII word of bearable length: the HTTP library would quote any other."""
    return 0 < len(value) <= _LONGEST_VALUE and value.isascii() and value.isprintable() and " " not in value


def _parse(body: bytes) -> Mapping[str, Any]:
    # The exception of json holds the whole document, so it must not become a context of ours.
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(values: Mapping[str, Any], names: tuple[str, ...], issuer: str) -> str:
    found = next((values[name] for name in names if name in values), None)
    text = found.strip() if isinstance(found, str) else ""
    if not is_fit_for_a_header(text):
        raise CredentialsUnavailable(
            f"{issuer} gave credentials without a usable {' or '.join(names[:2])}; find out who answers at this address"
        )
    return text


def _moment(text: str) -> datetime | None:
    """With or without fractional seconds, UTC where no zone is named."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
