"""Finds the API server and the credentials like kubectl: in kubeconfigs, else in the Pod's ServiceAccount.

kube/connection.py and app.py call it. The rules are those of client-go (tools/clientcmd, 1.36). Features that are not
supported are refused by name: see docs/decisions/0023-kubeconfigs.md. tests/integration/kubeconfig/ compares with
kubectl.
"""

import os
from pathlib import Path
from typing import NoReturn

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.addresses import parse_server
from modelarts_nodepool.kube.client_config import FROM_POD, ClientConfig, Login, Trust, check_readable

_POD_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


def load_client_config(
    kubeconfig: str | None = None, context: str | None = None, *, pod_folder: Path = _POD_FOLDER
) -> ClientConfig:
    """Read the file in `kubeconfig`, else the files in KUBECONFIG, else ~/.kube/config, else the Pod's ServiceAccount.

    Raises errors.SettingsError if the configuration is invalid or uses a feature that is not supported.
    """
    is_in_pod = kubeconfig is None and (pod_folder / "token").is_file() and bool(os.environ.get(_HOST))
    files = _existing_files(kubeconfig)
    if not files and not context:
        return _from_pod(pod_folder) if is_in_pod else _fail_without_kubeconfig()
    # A Pod needs no kubeconfig, and the modules that read one cost memory.
    from modelarts_nodepool.kube.kubeconfig_context import NoContextError, read_context  # noqa: PLC0415 - see above

    try:
        return read_context(files, context)
    except NoContextError:
        if is_in_pod:
            return _from_pod(pod_folder)
        raise


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
        # kubectl copies it to the new path. The operator does not write there.
        raise SettingsError(f"{old} is a kubeconfig of an old name, which is not read: mv {old} {default}")
    return []


def _is_there(path: Path) -> bool:
    """False only if the file does not exist. Any other failure shows when the file is read."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return True


def _home() -> Path:
    # As kubectl: only the variable counts. The user id may have no entry in /etc/passwd.
    return Path(os.environ.get("HOME", "")) / ".kube"


def _fail_without_kubeconfig() -> NoReturn:
    named = os.environ.get("KUBECONFIG")
    missing = f"KUBECONFIG={named} names no file that exists" if named else "there is no ~/.kube/config"
    legacy = " KUBERNETES_MASTER is not read." if os.environ.get("KUBERNETES_MASTER") else ""
    raise SettingsError(
        f"No way to the Kubernetes API server: {missing}, and this is no Pod with a ServiceAccount's token. Set "
        f"KUBECONFIG or --kubeconfig to a file that kubectl works with.{legacy}"
    )


def _from_pod(folder: Path) -> ClientConfig:
    host, port = os.environ.get(_HOST, ""), os.environ.get(_PORT, "")
    namespace = folder / "namespace"
    check_readable(str(folder / "ca.crt"), f"{FROM_POD}: its certificate authority")
    return ClientConfig(
        server=parse_server(f"https://{f'[{host}]' if ':' in host else host}:{port}", f"{_HOST} and {_PORT}"),
        source=FROM_POD,
        namespace=namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else None,
        # HTTPS_PROXY of the Pod is for the cloud. A proxy before the API server needs a kubeconfig.
        proxy=None,
        trust=Trust(str(folder / "ca.crt")),
        login=Login(token_file=str(folder / "token")),
    )
