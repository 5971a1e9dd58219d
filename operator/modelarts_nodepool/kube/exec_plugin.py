"""Runs a credential plugin of a kubeconfig, and reads what it prints.

Called by kube/auth.py. The protocol: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
What the plugin writes to standard error goes to ours as it comes, for it may be a question to the person.
"""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.access import Plugin
from modelarts_nodepool.kube.kubeconfig_format import FormatError, Part, decode, parse
from modelarts_nodepool.kube.kubeconfig_user import ALWAYS, IF_AVAILABLE
from modelarts_nodepool.logs import clean

_KIND = "ExecCredential"
_HINT_LENGTH = 600


@dataclass(frozen=True, slots=True)
class PluginCredentials:
    """A token, or a certificate with its key, or both. `expires` None: good until the API server refuses it."""

    token: str = field(default="", repr=False)
    certificate: tuple[bytes, bytes] | None = field(default=None, repr=False)
    expires: datetime | None = None


class _Status(Part):
    token: str = ""
    clientCertificateData: str = ""  # noqa: N815 - the field's name
    clientKeyData: str = ""  # noqa: N815 - likewise
    expirationTimestamp: str = ""  # noqa: N815 - likewise


class _Answer(Part):
    apiVersion: str = ""  # noqa: N815 - the field's name
    kind: str = ""
    status: _Status | None = None


async def run_plugin(plugin: Plugin) -> PluginCredentials:
    """Run it once, without a limit in time: it may ask the person. It is killed when the caller is cancelled.

    Raises errors.SettingsError, in whose words the plugin is named.
    """
    is_interactive = _is_interactive(plugin)
    spec: dict[str, object] = {"interactive": is_interactive}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    info = json.dumps({"kind": _KIND, "apiVersion": plugin.api_version, "spec": spec})
    environment = {**os.environ, **plugin.env, "KUBERNETES_EXEC_INFO": info}
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
            f"The credential plugin {plugin.command} ended with exit code {child.returncode}; its own words are on "
            "standard error."
        )
    return _read(plugin, printed)


def _is_interactive(plugin: Plugin) -> bool:
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    if plugin.interactive_mode == ALWAYS and not has_terminal:
        raise SettingsError(
            f"The credential plugin {plugin.command} has interactiveMode {ALWAYS}, and standard input is not a "
            "terminal."
        )
    return has_terminal and plugin.interactive_mode in {ALWAYS, IF_AVAILABLE}


def _find(plugin: Plugin) -> str:
    if "/" in plugin.command:
        return plugin.command
    found = shutil.which(plugin.command)
    # As Go: what a relative entry of PATH leads to is not run, for it depends on the folder one happens to be in.
    if found is None or not Path(found).is_absolute():
        raise SettingsError(f"The credential plugin {plugin.command} of the kubeconfig is not on PATH.{_hint(plugin)}")
    return found


def _hint(plugin: Plugin) -> str:
    return f" {clean(plugin.install_hint, _HINT_LENGTH)}" if plugin.install_hint else ""


def _read(plugin: Plugin, printed: bytes) -> PluginCredentials:
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


def _expiry(plugin: Plugin, status: _Status) -> datetime | None:
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
