"""The access key in the body of a Kubernetes Secret. Pure: access/sessions.py reads the Secret from the cluster.

Messages name the Secret and the key in it, never a value.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from modelarts_nodepool.api.names import CREDENTIALS_LABEL
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey

ACCESS_KEY = "accessKey"
SECRET_KEY = "secretKey"  # noqa: S105 - the name of a key in the Secret
SECURITY_TOKEN = "securityToken"  # noqa: S105 - likewise


def access_key_from_secret(body: Mapping[str, Any], secret_name: str) -> AccessKey:
    """The access key in a core/v1 Secret.

    White space around a value is dropped: `echo | base64` leaves a line feed at the end. A value that is then empty
    counts as missing. Raises errors.CredentialsUnavailable.
    """
    metadata = _map(body, "metadata")
    namespace = str(metadata.get("namespace") or "<operator namespace>")
    if _map(metadata, "labels").get(CREDENTIALS_LABEL) != "true":
        raise CredentialsUnavailable(
            f"Secret {namespace}/{secret_name} is not labelled as holding ModelArts credentials; label it: "
            f"{remedies.label_secret(namespace, secret_name)}"
        )
    data = _map(body, "data")
    access, secret, token = (
        _value(data, key, f"{namespace}/{secret_name}") for key in (ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN)
    )
    if access is None:
        raise _missing(ACCESS_KEY, namespace, secret_name)
    if secret is None:
        raise _missing(SECRET_KEY, namespace, secret_name)
    return AccessKey(access=access, secret=secret, security_token=token)


def _value(data: Mapping[str, Any], key: str, title: str) -> str | None:
    encoded = data.get(key)
    if encoded is None:
        return None
    # Outside the except block of _decode: no exception keeps the value in its context.
    value = _decode(encoded)
    if value is None:
        raise CredentialsUnavailable(
            f"key {key} of Secret {title} is not base64-encoded UTF-8 text without control characters; "
            "write the value again, from a file"
        )
    return value or None


def _decode(encoded: object) -> str | None:
    try:
        text = base64.b64decode(str(encoded), validate=True).decode().strip()
    except (binascii.Error, ValueError):
        return None
    return text if text.isprintable() else None


def _missing(key: str, namespace: str, secret_name: str) -> CredentialsUnavailable:
    return CredentialsUnavailable(
        f"Secret {namespace}/{secret_name} has no value for key {key}; list its keys: "
        f"{remedies.describe_secret(namespace, secret_name)}"
    )


def _map(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key)
    return value if isinstance(value, Mapping) else {}
