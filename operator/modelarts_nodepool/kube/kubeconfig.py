"""Finds out how to reach the API server, as kubectl does: a kubeconfig, else the Pod's ServiceAccount.

Called by kube/connection.py only. The parsing is the Kubernetes client library's; what it says about a broken
file can hold whole entries with their tokens, so its words are cut before they are shown.
"""

import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from modelarts_nodepool.errors import SettingsError

_ENTRY = re.compile(r"\{.*\}", re.DOTALL)
FROM_POD = "the Pod's ServiceAccount"
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Access:
    """How to reach the API server, before any connection is made.

    `reload` reads tokens again into `configuration`: from their file, their command or their issuer.
    """

    configuration: Configuration
    reload: Callable[[], Awaitable[None]]
    source: str
    namespace: str | None


async def load_access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """Where kubectl would go: the file named, else KUBECONFIG, else ~/.kube/config, else the Pod's own account.

    Raises errors.SettingsError.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG")
    if named:
        return await _from_file(named, context)
    # As kubectl does: a Pod may have no HOME, and its uid no entry in /etc/passwd where one could look for it.
    home = os.environ.get("HOME")
    default = Path(home) / ".kube" / "config" if home else None
    if default is not None and default.is_file():
        return await _from_file(str(default), context)
    return _from_pod()


async def _from_file(paths: str, context: str | None) -> Access:
    if not _is_there(paths):
        raise SettingsError(
            f"The kubeconfig {paths} does not exist: name an existing file with --kubeconfig or KUBECONFIG."
        )
    configuration = Configuration()
    configuration.host = ""
    try:
        # The library could write renewed tokens into the user's file; that file is not ours.
        loader = await load_kube_config(  # type: ignore[no-untyped-call]
            paths, context=context, client_configuration=configuration, persist_config=False
        )
        namespace = loader.current_context["context"].get("namespace")
    except Exception as error:  # noqa: BLE001 - the library trips in many ways over a file that is not its kind
        raise SettingsError(
            f"The kubeconfig {paths} cannot be used: {_without_entries(error)}. "
            "See kubectl config get-contexts, then kubectl config use-context NAME."
        ) from None
    _check(configuration, paths)

    async def reload() -> None:
        await loader.load_and_set(configuration)

    return Access(configuration, reload, paths, namespace)


def _from_pod() -> Access:
    configuration = Configuration()
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        raise SettingsError(
            f"No way to the Kubernetes API server: there is no kubeconfig, and no Pod's ServiceAccount ({error}). "
            "Set KUBECONFIG or --kubeconfig to a file that kubectl works with."
        ) from None

    async def reload() -> None:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]

    namespace = _POD_NAMESPACE.read_text(encoding="utf-8").strip() if _POD_NAMESPACE.is_file() else None
    return Access(configuration, reload, FROM_POD, namespace)


def _is_there(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path)


def _check(configuration: Configuration, paths: str) -> None:
    if not configuration.host.startswith(("https://", "http://")):
        raise SettingsError(
            f"The kubeconfig {paths} names no server with https:// for its current cluster: "
            "see kubectl config view --minify."
        )
    has_credentials = configuration.api_key.get("BearerToken") or configuration.cert_file
    if configuration.host.startswith("https:") and not has_credentials:
        raise SettingsError(
            f"The kubeconfig {paths} gives no credentials for its current context, or the command that should "
            f"give them failed: see kubectl --kubeconfig {paths} auth whoami."
        )


def _without_entries(error: Exception) -> str:
    if isinstance(error, ConfigException):
        return _ENTRY.sub("{…}", str(error)).rstrip(".")
    # A YAML parser's own words quote the line, which may be the one with the token.
    return f"it is not a kubeconfig ({type(error).__name__})"
