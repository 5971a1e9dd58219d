"""The temporary access key in an issuer's answer. Pure. No message quotes a value.

The three issuers use three spellings of the same keys. The official SDKs accept each spelling from each issuer
(huaweicloudsdkcore 3.1.219, auth/internal.py), and so does this.
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
# A token of STS has about 4096 characters and no fixed length, according to its page.
_MAX_LENGTH = 16_384
_CHECK_ADDRESS = "find out what answers at this address"


def read_temporary_key(body: bytes, issuer: str, now: datetime) -> AccessKey:
    """The key in the body of a successful answer. Messages call the sender `issuer`.

    Raises errors.CredentialsUnavailable if the body is not JSON, a value is missing or does not fit a header, or the
    key has expired.
    """
    found = _parse(body)
    values = next((found[name] for name in _ENVELOPES if isinstance(found.get(name), dict)), None)
    if values is None:
        raise CredentialsUnavailable(
            f"{issuer} answered, but not with credentials: the body is not JSON with the key credential or "
            f"credentials; {_CHECK_ADDRESS}"
        )
    access, secret, token = (_text(values, names, issuer) for names in (_ACCESS, _SECRET, _TOKEN))
    expires = _moment(_text(values, _EXPIRES, issuer))
    if expires is None:
        raise CredentialsUnavailable(
            f"{issuer} gave credentials whose {' or '.join(_EXPIRES)} is not a time such as 2026-01-02T03:04:05Z; "
            f"{_CHECK_ADDRESS}"
        )
    if expires <= now:
        raise CredentialsUnavailable(
            f"{issuer} gave credentials that have already expired. Check the clock of the operator's node (date -u) "
            "and whether the issuer renews its credentials"
        )
    return AccessKey(access=access, secret=secret, security_token=token, expires=expires)


def read_refusal(body: bytes) -> str:
    """Error code and message of a refusal, if it has them; not sanitised yet."""
    found = _parse(body)
    pairs = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))
    for code, message in pairs:
        said = [str(found[key]) for key in (code, message) if isinstance(found.get(key), str | int)]
        if said:
            return ": ".join(said)
    return ""


def is_header_value(value: str) -> bool:
    """Whether a value is one printable ASCII word. The HTTP library would quote any other value in its error."""
    return 0 < len(value) <= _MAX_LENGTH and value.isascii() and value.isprintable() and " " not in value


def _parse(body: bytes) -> Mapping[str, Any]:
    # The exception of json holds the whole document: it must not become the context of ours.
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(values: Mapping[str, Any], names: tuple[str, ...], issuer: str) -> str:
    found = next((values[name] for name in names if name in values), None)
    text = found.strip() if isinstance(found, str) else ""
    if not is_header_value(text):
        raise CredentialsUnavailable(
            f"{issuer} gave credentials without a usable {' or '.join(names[:2])}; {_CHECK_ADDRESS}"
        )
    return text


def _moment(text: str) -> datetime | None:
    """With or without fractional seconds; UTC if no zone is given."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
