"""Who asks: the `user` of a kubeconfig as a Login and as headers, refused where kubectl refuses it.

Called by kube/kubeconfig.py. Nothing is run and nothing is sent here.
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.access import ClientCertificate, Login, Plugin, Trust
from modelarts_nodepool.kube.kubeconfig_format import EXEC_EXTENSION, Cluster, Exec, User

API_GROUP = "client.authentication.k8s.io"
_BETA = f"{API_GROUP}/v1beta1"
API_VERSIONS = (f"{API_GROUP}/v1", _BETA)
NEVER, IF_AVAILABLE, ALWAYS = "Never", "IfAvailable", "Always"

# RFC 9110, section 5.6.2: what a header's name may hold. The % is escaped, so that every escape can be undone.
_LEGAL = frozenset("!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def resolve(path: str, folder: Path) -> str:
    """A path of a kubeconfig: relative ones begin at its folder. "" stays ""."""
    return os.path.normpath(os.path.join(folder, path)) if path else ""  # noqa: PTH118 - "" and links stay


def check_readable(path: str, what: str) -> None:
    """Raises errors.SettingsError where the file cannot be opened."""
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SettingsError(f"{what} is {path}, which cannot be read: {error.strerror}.") from None


def to_login(user: User, folder: Path, cluster: Cluster, trust: Trust, about: str) -> Login:
    """What the user proves itself with. `about` names it in messages. Raises errors.SettingsError."""
    if (user.token or user.token_file) and (user.username or user.password):
        raise SettingsError(
            f"{about} has {'token' if user.token else 'tokenFile'} and a user name or password: only one way of "
            "authenticating is allowed."
        )
    certificate = _to_certificate(user, folder, about)
    plugin = _to_plugin(user, folder, cluster, trust, about)
    has_other = certificate is not None or user.token or user.token_file or user.username
    for value, field in ((user.token, "token"), (user.username, "username"), (user.password, "password")):
        _check_printable(value, f"{about}: {field}")
    return Login(
        token=user.token,
        token_file=resolve(user.token_file, folder),
        username=user.username,
        # As for kubectl: a password alone proves nothing.
        password=user.password if user.username else "",
        certificate=certificate,
        # As for kubectl: it is asked only where nothing else proves who asks.
        plugin=None if has_other else plugin,
    )


def to_impersonation(user: User, about: str) -> tuple[tuple[str, str], ...]:
    """The headers that ask the API server to take the request for somebody else's. Raises errors.SettingsError."""
    if not user.as_user:
        if user.as_uid or user.as_groups or user.as_user_extra:
            raise SettingsError(f"{about} has as-uid, as-groups or as-user-extra, and not `as`, which they belong to.")
        return ()
    headers = tuple(_impersonation(user))
    for _, value in headers:
        _check_printable(value, f"{about}: as, as-uid, as-groups or as-user-extra")
    return headers


def _impersonation(user: User) -> Iterator[tuple[str, str]]:
    yield "Impersonate-User", user.as_user
    if user.as_uid:
        yield "Impersonate-Uid", user.as_uid
    for group in user.as_groups:
        yield "Impersonate-Group", group
    for key, values in user.as_user_extra.items():
        name = "".join(chr(byte) if chr(byte) in _LEGAL else f"%{byte:02X}" for byte in key.encode())
        for value in values:
            yield f"Impersonate-Extra-{name}", value


def _check_printable(value: str, what: str) -> None:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):  # noqa: PLR2004 - the control characters
        raise SettingsError(f"{what} holds a line break or another character that no header may hold.")


def _to_certificate(user: User, folder: Path, about: str) -> ClientCertificate | None:
    if not user.certificate_file and not user.certificate_data:
        return None
    if user.certificate_file and user.certificate_data:
        raise SettingsError(f"{about} has client-certificate and client-certificate-data: remove one of them.")
    if user.key_file and user.key_data:
        raise SettingsError(f"{about} has client-key and client-key-data: remove one of them.")
    if not user.key_file and not user.key_data:
        raise SettingsError(f"{about} has a client certificate and no client-key or client-key-data.")
    certificate, key = resolve(user.certificate_file, folder), resolve(user.key_file, folder)
    for path, field in ((certificate, "client-certificate"), (key, "client-key")):
        if path:
            check_readable(path, f"{about}: {field}")
    return ClientCertificate(certificate, user.certificate_data, key, user.key_data)


def _to_plugin(user: User, folder: Path, cluster: Cluster, trust: Trust, about: str) -> Plugin | None:
    spec = user.exec
    if spec is None:
        return None
    if user.auth_provider is not None:
        raise SettingsError(f"{about} has exec and auth-provider: remove auth-provider.")
    if not spec.command:
        raise SettingsError(f"{about}: exec has no command.")
    if spec.api_version not in API_VERSIONS:
        raise SettingsError(
            f"{about}: exec has apiVersion {spec.api_version[:80]!r}, which is not supported: "
            f"use {' or '.join(API_VERSIONS)}."
        )
    mode = spec.interactive_mode or (IF_AVAILABLE if spec.api_version == _BETA else "")
    if mode not in {NEVER, IF_AVAILABLE, ALWAYS}:
        raise SettingsError(
            f"{about}: exec has interactiveMode {mode[:80]!r}; it has to be {NEVER}, {IF_AVAILABLE} or {ALWAYS}."
        )
    if any(not variable.name for variable in spec.env):
        raise SettingsError(f"{about}: exec has a variable without a name in env.")
    # A name without a slash is looked for on PATH.
    command = resolve(spec.command, folder) if "/" in spec.command else spec.command
    return Plugin(
        command=command,
        args=tuple(spec.args),
        env={variable.name: variable.value for variable in spec.env},
        api_version=spec.api_version,
        interactive_mode=mode,
        install_hint=spec.install_hint,
        cluster=_to_cluster_info(spec, cluster, trust),
    )


def _to_cluster_info(spec: Exec, cluster: Cluster, trust: Trust) -> dict[str, Any] | None:
    """`spec.cluster` of an ExecCredential, where the plugin wants it.

    https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
    """
    if not spec.is_told_the_cluster:
        return None
    authority = Path(trust.ca_file).read_bytes() if trust.ca_file else trust.ca_data
    told: dict[str, Any] = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.is_insecure,
        "certificate-authority-data": base64.b64encode(authority).decode(),
        "proxy-url": cluster.proxy_url,
        "disable-compression": cluster.is_uncompressed,
    }
    config = next((each.extension for each in cluster.extensions if each.name == EXEC_EXTENSION), None)
    return {key: value for key, value in told.items() if value or key == "server"} | {"config": config}
