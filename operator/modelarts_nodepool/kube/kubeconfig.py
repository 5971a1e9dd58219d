"""Finds the API server and the login where kubectl finds them: kubeconfigs, else the Pod's ServiceAccount.

Called by kube/connection.py and app.py. The rules are client-go's (tools/clientcmd, 1.36); what is not supported is
refused by name. The list: docs/decisions/0023-kubeconfigs.md. tests/integration/kubeconfig/ asks kubectl the same.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.access import FROM_POD, Access, Login, Trust
from modelarts_nodepool.kube.addresses import check_proxy, is_tls, parse_server, proxy_of_environment
from modelarts_nodepool.kube.kubeconfig_format import Cluster, Context, FormatError, Kubeconfig, User, parse_kubeconfig
from modelarts_nodepool.kube.kubeconfig_user import check_readable, resolve, to_impersonation, to_login

_POD_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
_CONTEXTS = "see kubectl config get-contexts, then kubectl config use-context NAME"


@dataclass(frozen=True, slots=True)
class _Merged:
    """All files together. The first file that has an entry wins, and its folder is where relative paths begin."""

    clusters: dict[str, tuple[Cluster, Path]]
    users: dict[str, tuple[User, Path]]
    contexts: dict[str, Context]
    current_context: str
    source: str


def load_access(kubeconfig: str | None = None, context: str | None = None, *, pod_folder: Path = _POD_FOLDER) -> Access:
    """Where kubectl would go: the file named alone, else those of KUBECONFIG, else ~/.kube/config, else the Pod.

    Raises errors.SettingsError for what cannot be used, and for what kubectl does and this does not.
    """
    merged = _merge(_existing_files(kubeconfig))
    name = context or merged.current_context
    chosen = merged.contexts.get(name)
    if chosen is None and name:
        where = f"The kubeconfig {merged.source} has" if merged.source else "No kubeconfig exists, so there is"
        raise SettingsError(f"{where} no context {name[:80]!r}: {_CONTEXTS}.")
    cluster, folder = merged.clusters.get(chosen.cluster if chosen else "", (None, Path()))
    if cluster is None or not cluster.server:
        return _without_server(merged, name, chosen, kubeconfig, pod_folder)
    return _to_access(merged, chosen or Context(), cluster, folder)


def _existing_files(kubeconfig: str | None) -> list[Path]:
    if kubeconfig:
        if not _is_there(Path(kubeconfig)):
            raise SettingsError(
                f"The kubeconfig {kubeconfig} does not exist: name one existing file with --kubeconfig, or several "
                "with KUBECONFIG. A ~ is not expanded."
            )
        return [Path(kubeconfig)]
    if named := os.environ.get("KUBECONFIG"):
        return [path for path in map(Path, filter(None, named.split(os.pathsep))) if _is_there(path)]
    default = _home() / "config"
    if _is_there(default):
        return [default]
    if _is_there(old := _home() / ".kubeconfig"):
        # kubectl copies it to the new place; that place is not ours to write.
        raise SettingsError(f"{old} is a kubeconfig of an old name, which is not read: mv {old} {default}")
    return []


def _is_there(path: Path) -> bool:
    """Only a file that does not exist is passed over; one that cannot be looked at has to be read, and refused."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return True


def _home() -> Path:
    # As kubectl: only the variable counts, so that a user id without a passwd entry does not matter.
    return Path(os.environ.get("HOME", "")) / ".kube"


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


def _to_access(merged: _Merged, context: Context, cluster: Cluster, folder: Path) -> Access:
    where = f"The kubeconfig {merged.source}: cluster {context.cluster[:80]!r}"
    server = parse_server(cluster.server, where)
    trust = _to_trust(cluster, folder, server, where)
    user, user_folder = merged.users.get(context.user, (User.model_validate({}), Path()))
    about = f"The kubeconfig {merged.source}: user {context.user[:80]!r}"
    login = to_login(user, user_folder, cluster, trust, about)
    if cluster.proxy_url:
        proxy: str | None = check_proxy(cluster.proxy_url, f"{where}: proxy-url", needs_scheme=True)
    else:
        proxy = proxy_of_environment(server)
    if is_tls(server) and user.auth_provider is not None:
        raise SettingsError(
            f"{about} logs in with auth-provider {user.auth_provider.name[:80]!r}, which is not supported: use a "
            "credential plugin (exec) in its place, for example kubelogin."
        )
    if is_tls(server) and login == Login():
        raise SettingsError(
            f"{about} gives no credentials for the context in use: see kubectl config view --minify and "
            "kubectl auth whoami."
        )
    return Access(
        server=server,
        source=merged.source,
        namespace=context.namespace or None,
        proxy=proxy,
        # As for kubectl: without TLS nothing is proved by either side.
        trust=trust if is_tls(server) else Trust(),
        login=login if is_tls(server) else Login(),
        impersonation=to_impersonation(user, about),
        is_compressed=not cluster.is_uncompressed,
    )


def _to_trust(cluster: Cluster, folder: Path, server: str, where: str) -> Trust:
    if cluster.ca_file and cluster.ca_data:
        raise SettingsError(f"{where} has certificate-authority and certificate-authority-data: remove one of them.")
    if is_tls(server) and cluster.is_insecure and (cluster.ca_file or cluster.ca_data):
        raise SettingsError(
            f"{where} has insecure-skip-tls-verify and a certificate authority: remove insecure-skip-tls-verify."
        )
    file = resolve(cluster.ca_file, folder)
    if file:
        check_readable(file, f"{where}: certificate-authority")
    return Trust(file, cluster.ca_data, is_verified=not cluster.is_insecure, server_name=cluster.tls_server_name)


def _without_server(
    merged: _Merged, name: str, context: Context | None, kubeconfig: str | None, pod_folder: Path
) -> Access:
    """Nothing names a server. kubectl uses the Pod's ServiceAccount, else http://localhost:8080."""
    if kubeconfig is None and context is None and (pod_folder / "token").is_file() and os.environ.get(_HOST):
        return _from_pod(pod_folder)
    if context is not None:
        missing = f"has no server for cluster {context.cluster[:80]!r} of context {name[:80]!r}"
    elif merged.contexts or merged.clusters:
        missing = "has no current-context"
    else:
        missing = "names no cluster"
    if merged.source:
        raise SettingsError(f"The kubeconfig {merged.source} {missing}: {_CONTEXTS}.")
    named = os.environ.get("KUBECONFIG")
    there = f"KUBECONFIG={named} names no file that exists" if named else "there is no ~/.kube/config"
    legacy = " KUBERNETES_MASTER is not read." if os.environ.get("KUBERNETES_MASTER") else ""
    raise SettingsError(
        f"No way to the Kubernetes API server: {there}, and this is no Pod with a ServiceAccount's token. Set "
        f"KUBECONFIG or --kubeconfig to a file that kubectl works with.{legacy}"
    )


def _from_pod(folder: Path) -> Access:
    host, port = os.environ.get(_HOST, ""), os.environ.get(_PORT, "")
    namespace = folder / "namespace"
    check_readable(str(folder / "ca.crt"), f"{FROM_POD}: its certificate authority")
    return Access(
        server=parse_server(f"https://{f'[{host}]' if ':' in host else host}:{port}", f"{_HOST} and {_PORT}"),
        source=FROM_POD,
        namespace=namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else None,
        # Never a proxy: HTTPS_PROXY of the Pod is the way to the cloud. Who wants one says so in a kubeconfig.
        proxy=None,
        trust=Trust(str(folder / "ca.crt")),
        login=Login(token_file=str(folder / "token")),
    )
