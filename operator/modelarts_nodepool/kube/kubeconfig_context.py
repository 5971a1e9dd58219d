"""Converts a context of kubeconfigs into a ClientConfig: cluster, user, impersonation. Refuses what kubectl refuses.

kube/kubeconfig.py calls it. It runs and sends nothing.
"""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.addresses import check_proxy, is_tls, parse_server, proxy_of_environment
from modelarts_nodepool.kube.client_config import ClientCertificate, ClientConfig, Login, Plugin, Trust, check_readable
from modelarts_nodepool.kube.kubeconfig_format import (
    EXEC_EXTENSION,
    Cluster,
    Context,
    Exec,
    FormatError,
    Kubeconfig,
    User,
    parse_kubeconfig,
)

API_GROUP = "client.authentication.k8s.io"
_BETA = f"{API_GROUP}/v1beta1"
API_VERSIONS = (f"{API_GROUP}/v1", _BETA)
NEVER, IF_AVAILABLE, ALWAYS = "Never", "IfAvailable", "Always"

# RFC 9110, section 5.6.2: characters of a header's name. The % is escaped, so that every escape can be undone.
_LEGAL = frozenset("!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_CONTEXTS = "see kubectl config get-contexts, then kubectl config use-context NAME"


class NoContextError(SettingsError):
    """The kubeconfigs name no context and no server."""


@dataclass(frozen=True, slots=True)
class _Merged:
    """All files together. The first file with an entry wins; paths in the entry are relative to its folder."""

    clusters: dict[str, tuple[Cluster, Path]]
    users: dict[str, tuple[User, Path]]
    contexts: dict[str, Context]
    current_context: str
    source: str


def read_context(files: list[Path], name: str | None) -> ClientConfig:
    """The context `name` of these files, else their current context.

    Raises NoContextError, or errors.SettingsError for what is invalid or not supported.
    """
    merged = _merge(files)
    name = name or merged.current_context
    context = merged.contexts.get(name)
    if context is None and name:
        where = f"The kubeconfig {merged.source} has" if merged.source else "No kubeconfig exists, so there is"
        raise SettingsError(f"{where} no context {name[:80]!r}: {_CONTEXTS}.")
    cluster, folder = merged.clusters.get(context.cluster if context else "", (None, Path()))
    if cluster is not None and cluster.server:
        return _to_client_config(merged, context or Context(), cluster, folder)
    if context is not None:
        missing = f"has no server for cluster {context.cluster[:80]!r} of context {name[:80]!r}"
        raise SettingsError(f"The kubeconfig {merged.source} {missing}: {_CONTEXTS}.")
    missing = "has no current-context" if merged.contexts or merged.clusters else "names no cluster"
    raise NoContextError(f"The kubeconfig {merged.source} {missing}: {_CONTEXTS}.")


def _merge(files: list[Path]) -> _Merged:
    merged = _Merged({}, {}, {}, "", os.pathsep.join(map(str, files)))
    current = ""
    for path in files:
        config, folder = _read(path), Path(os.path.abspath(path.parent))  # noqa: PTH100 - links stay as they are
        current = current or config.current_context
        for cluster in config.clusters:
            merged.clusters.setdefault(cluster.name, (cluster.cluster, folder))
        for user in config.users:
            merged.users.setdefault(user.name, (user.user, folder))
        for context in config.contexts:
            merged.contexts.setdefault(context.name, context.context)
    return _Merged(merged.clusters, merged.users, merged.contexts, current, merged.source)


def _read(path: Path) -> Kubeconfig:
    try:
        return parse_kubeconfig(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"The kubeconfig {path} cannot be read: {error.strerror}.") from None
    except FormatError as error:
        raise SettingsError(
            f"The kubeconfig {path} cannot be used: {error}. See kubectl --kubeconfig {path} config view."
        ) from None


def _to_client_config(merged: _Merged, context: Context, cluster: Cluster, folder: Path) -> ClientConfig:
    where = f"The kubeconfig {merged.source}: cluster {context.cluster[:80]!r}"
    server = parse_server(cluster.server, where)
    trust = _to_trust(cluster, folder, server, where)
    user, user_folder = merged.users.get(context.user, (User.model_validate({}), Path()))
    about = f"The kubeconfig {merged.source}: user {context.user[:80]!r}"
    login = _to_login(user, user_folder, cluster, trust, about)
    if cluster.proxy_url:
        proxy: str | None = check_proxy(cluster.proxy_url, f"{where}: proxy-url", needs_scheme=True)
    else:
        proxy = proxy_of_environment(server)
    if is_tls(server) and user.auth_provider is not None:
        raise SettingsError(
            f"{about} uses auth-provider {user.auth_provider.name[:80]!r}, which is not supported: use a credential "
            "plugin (exec) instead, for example kubelogin."
        )
    if is_tls(server) and login == Login():
        raise SettingsError(
            f"{about} gives no credentials for the context in use: see kubectl config view --minify and "
            "kubectl auth whoami."
        )
    return ClientConfig(
        server=server,
        source=merged.source,
        namespace=context.namespace or None,
        proxy=proxy,
        # As in kubectl: without TLS neither side authenticates.
        trust=trust if is_tls(server) else Trust(),
        login=login if is_tls(server) else Login(),
        impersonation=_to_impersonation(user, about),
        is_compressed=not cluster.is_uncompressed,
    )


def _to_trust(cluster: Cluster, folder: Path, server: str, where: str) -> Trust:
    if cluster.ca_file and cluster.ca_data:
        raise SettingsError(f"{where} has certificate-authority and certificate-authority-data: remove one of them.")
    if is_tls(server) and cluster.is_insecure and (cluster.ca_file or cluster.ca_data):
        raise SettingsError(
            f"{where} has insecure-skip-tls-verify and a certificate authority: remove insecure-skip-tls-verify."
        )
    file = _resolve(cluster.ca_file, folder)
    if file:
        check_readable(file, f"{where}: certificate-authority")
    return Trust(file, cluster.ca_data, is_verified=not cluster.is_insecure, server_name=cluster.tls_server_name)


def _resolve(path: str, folder: Path) -> str:
    """A path in a kubeconfig, relative to its folder. "" stays ""."""
    return os.path.normpath(os.path.join(folder, path)) if path else ""  # noqa: PTH118 - "" and links stay


def _to_login(user: User, folder: Path, cluster: Cluster, trust: Trust, about: str) -> Login:
    """The user's credentials. `about` names the user in messages. Raises errors.SettingsError."""
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
        token_file=_resolve(user.token_file, folder),
        username=user.username,
        # As in kubectl: a password without a user name is ignored.
        password=user.password if user.username else "",
        certificate=certificate,
        # As in kubectl: the plugin runs only if there are no other credentials.
        plugin=None if has_other else plugin,
    )


def _to_impersonation(user: User, about: str) -> tuple[tuple[str, str], ...]:
    """The impersonation headers. Raises errors.SettingsError."""
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
        raise SettingsError(f"{what} holds a line break or another character that is not allowed in a header.")


def _to_certificate(user: User, folder: Path, about: str) -> ClientCertificate | None:
    if not user.certificate_file and not user.certificate_data:
        return None
    if user.certificate_file and user.certificate_data:
        raise SettingsError(f"{about} has client-certificate and client-certificate-data: remove one of them.")
    if user.key_file and user.key_data:
        raise SettingsError(f"{about} has client-key and client-key-data: remove one of them.")
    if not user.key_file and not user.key_data:
        raise SettingsError(f"{about} has a client certificate and no client-key or client-key-data.")
    certificate, key = _resolve(user.certificate_file, folder), _resolve(user.key_file, folder)
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
    # A name without a slash is searched on PATH.
    command = _resolve(spec.command, folder) if "/" in spec.command else spec.command
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
    """`spec.cluster` of an ExecCredential if the plugin asks for it.

    https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
    """
    if not spec.provides_cluster_info:
        return None
    authority = Path(trust.ca_file).read_bytes() if trust.ca_file else trust.ca_data
    info: dict[str, Any] = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.is_insecure,
        "certificate-authority-data": base64.b64encode(authority).decode(),
        "proxy-url": cluster.proxy_url,
        "disable-compression": cluster.is_uncompressed,
    }
    config = next((each.extension for each in cluster.extensions if each.name == EXEC_EXTENSION), None)
    return {key: value for key, value in info.items() if value or key == "server"} | {"config": config}
