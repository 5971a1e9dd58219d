"""Runs a credential plugin of a kubeconfig and parses its output.

kube/auth.py calls it. The protocol: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
The plugin inherits our standard error, for it may write a question to the user there.
"""

import asyncio
import base64
import json
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from datetime import datetime
from pathlib import Path

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.kubeconfig import (
    ALWAYS,
    IF_AVAILABLE,
    Cluster,
    Exec,
    FormatError,
    Part,
    PluginCredentials,
    decode,
    parse,
)
from modelarts_nodepool.logs import clean

_KIND = "ExecCredential"
# The extension of a cluster that is for credential plugins.
_EXTENSION = "client.authentication.k8s.io/exec"
_HINT_LENGTH = 600


class _Status(Part):
    token: str = ""
    clientCertificateData: str = ""  # noqa: N815 - the field's name
    clientKeyData: str = ""  # noqa: N815 - likewise
    expirationTimestamp: str = ""  # noqa: N815 - likewise


class _Answer(Part):
    apiVersion: str = ""  # noqa: N815 - the field's name
    kind: str = ""
    status: _Status | None = None


async def run_plugin(plugin: Exec, cluster: Cluster) -> PluginCredentials:
    """Run the plugin for this cluster once, without a time limit: it may ask the user. Cancelling the caller kills it.

    Raises errors.SettingsError, whose message names the plugin.
    """
    is_interactive = _is_interactive(plugin)
    spec: dict[str, object] = {"interactive": is_interactive}
    if plugin.provides_cluster_info:
        spec["cluster"] = _to_cluster_info(plugin, cluster)
    info = json.dumps({"kind": _KIND, "apiVersion": plugin.api_version, "spec": spec})
    own = {variable.name: variable.value for variable in plugin.env}
    environment = {**os.environ, **own, "KUBERNETES_EXEC_INFO": info}
    try:
        child = await asyncio.create_subprocess_exec(
            _find(plugin),
            *plugin.args,
            env=environment,
            stdin=None if is_interactive else DEVNULL,
            stdout=PIPE,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"The credential plugin {plugin.command} cannot be run: {why}.{_hint(plugin)}") from None
    try:
        printed, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise SettingsError(
            f"The credential plugin {plugin.command} ended with exit code {child.returncode}; see its output on "
            "standard error."
        )
    return _read(plugin, printed)


def _to_cluster_info(plugin: Exec, cluster: Cluster) -> dict[str, object]:
    """`spec.cluster` of an ExecCredential, for a plugin that asks for it."""
    try:
        authority = Path(cluster.ca_file).read_bytes() if cluster.ca_file else cluster.ca_data
    except OSError as error:
        raise SettingsError(
            f"{cluster.ca_file} for the credential plugin {plugin.command} cannot be read: {error.strerror}."
        ) from None
    info: dict[str, object] = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.is_insecure,
        "certificate-authority-data": base64.b64encode(authority).decode(),
        "proxy-url": cluster.proxy_url,
        "disable-compression": cluster.is_uncompressed,
    }
    config = next((each.extension for each in cluster.extensions if each.name == _EXTENSION), None)
    return {key: value for key, value in info.items() if value or key == "server"} | {"config": config}


def _is_interactive(plugin: Exec) -> bool:
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    if plugin.interactive_mode == ALWAYS and not has_terminal:
        raise SettingsError(
            f"The credential plugin {plugin.command} has interactiveMode {ALWAYS}, and standard input is not a "
            "terminal."
        )
    return has_terminal and plugin.interactive_mode in {ALWAYS, IF_AVAILABLE}


def _find(plugin: Exec) -> str:
    if "/" in plugin.command:
        return plugin.command
    found = shutil.which(plugin.command)
    # As in Go: a command found through a relative entry of PATH is not run, for it depends on the current folder.
    if found is None or not Path(found).is_absolute():
        raise SettingsError(f"The credential plugin {plugin.command} of the kubeconfig is not on PATH.{_hint(plugin)}")
    return found


def _hint(plugin: Exec) -> str:
    return f" {clean(plugin.install_hint, _HINT_LENGTH)}" if plugin.install_hint else ""


def _read(plugin: Exec, printed: bytes) -> PluginCredentials:
    try:
        answer = parse(_Answer, decode(printed))
    except FormatError as error:
        raise SettingsError(f"The credential plugin {plugin.command} printed no {_KIND}: {error}.") from None
    status = answer.status
    if answer.kind != _KIND or answer.apiVersion != plugin.api_version:
        raise SettingsError(
            f"The credential plugin {plugin.command} printed no {_KIND} of {plugin.api_version}, which its apiVersion "
            "in the kubeconfig asks for."
        )
    if status is None or not (status.token or status.clientCertificateData or status.clientKeyData):
        raise SettingsError(f"The credential plugin {plugin.command} gave neither a token nor a certificate.")
    if bool(status.clientCertificateData) != bool(status.clientKeyData):
        raise SettingsError(f"The credential plugin {plugin.command} gave a certificate or a key, and not both.")
    pair = (status.clientCertificateData.encode(), status.clientKeyData.encode())
    return PluginCredentials(status.token, pair if status.clientKeyData else None, _expiry(plugin, status))


def _expiry(plugin: Exec, status: _Status) -> datetime | None:
    if not status.expirationTimestamp:
        return None
    try:
        expires = datetime.fromisoformat(status.expirationTimestamp)
    except ValueError:
        expires = None
    if expires is None or expires.tzinfo is None:
        raise SettingsError(
            f"The credential plugin {plugin.command} gave an expirationTimestamp that is no time such as "
            "2030-01-02T03:04:05Z."
        )
    return expires
