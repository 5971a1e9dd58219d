"""Where the API server is: the Pod's own account, and what is said where nothing can be used.

What kubectl does with kubeconfigs is asked of kubectl: tests/integration/kubeconfig/.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.kubeconfig import FROM_POD, ClientConfig, load_client_config

CANARY = "canary-c0ffee-token"


def a_kubeconfig(user: Mapping[str, Any] | None = None, *, proxy_url: str = "", **cluster: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": "https://kube.example:6443/", "proxy-url": proxy_url} | cluster}
        ],
        "users": [{"name": "u", "user": {"token": CANARY} if user is None else user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "ml"}}],
        "current-context": "x",
    }


@pytest.fixture(autouse=True)
def no_cluster_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kubelet puts into a Pod."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    for name, content in {"token": "one\n", "ca.crt": "certificate", "namespace": "operators\n"}.items():
        (folder / name).write_text(content)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "203.0.113.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "5443")
    return folder


def write(path: Path, content: dict[str, Any] | str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def load(path: Path, content: dict[str, Any] | str) -> ClientConfig:
    return load_client_config(write(path, content))


def test_the_named_file_comes_before_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "home/.kube/config", a_kubeconfig(server="https://home.example"))
    monkeypatch.setenv("KUBECONFIG", write(tmp_path / "env", a_kubeconfig(server="https://env.example")))
    assert load(tmp_path / "named", a_kubeconfig(server="https://named.example")).server == "https://named.example"
    assert load_client_config().server == "https://env.example"
    monkeypatch.delenv("KUBECONFIG")
    assert load_client_config().server == "https://home.example"


def test_context_namespace_and_source_are_taken(tmp_path: Path) -> None:
    config = load(tmp_path / "k", a_kubeconfig())
    assert config.namespace == "ml"
    assert config.source == str(tmp_path / "k")


def test_what_is_secret_is_not_in_its_words(tmp_path: Path) -> None:
    content = a_kubeconfig({"token": CANARY}, proxy_url=f"http://a:{CANARY}@proxy.example:3128")
    assert CANARY not in repr(load(tmp_path / "k", content))


def test_a_pod_uses_its_service_account(pod: Path) -> None:
    config = load_client_config(pod_folder=pod)
    assert config.server == "https://203.0.113.1:5443"
    assert config.user.token_file == str(pod / "token")
    assert config.cluster.ca_file == str(pod / "ca.crt")
    assert (config.source, config.namespace) == (FROM_POD, "operators")


def test_a_pod_loads_neither_the_official_client_nor_the_code_of_plugins(pod: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from modelarts_nodepool import app\n"
        "from modelarts_nodepool.kube.kubeconfig import load_client_config\n"
        f"assert app and load_client_config(pod_folder=Path({str(pod)!r}))\n"
        "unwanted = ('kubernetes', 'modelarts_nodepool.kube.exec_plugin')\n"
        "assert not [name for name in sys.modules if name.startswith(unwanted)]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=240)  # noqa: S603
    assert done.returncode == 0, done.stderr


def test_a_pod_needs_neither_home_nor_a_passwd_entry(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.chdir(pod)
    assert load_client_config(pod_folder=pod).source == FROM_POD


def test_a_pod_with_ipv6_has_brackets_around_its_address(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "2001:db8::1")
    assert load_client_config(pod_folder=pod).server == "https://[2001:db8::1]:5443"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"])
def test_a_pod_never_reaches_the_api_server_through_the_clouds_proxy(
    pod: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://proxy.example:3128")
    assert load_client_config(pod_folder=pod).proxy is None


def test_a_pod_whose_kubeconfig_names_a_proxy_uses_it(pod: Path, tmp_path: Path) -> None:
    content = a_kubeconfig(proxy_url="http://proxy.example:3128")
    config = load_client_config(write(tmp_path / "k", content), pod_folder=pod)
    assert config.proxy == "http://proxy.example:3128"


def test_a_kubeconfig_outside_of_a_pod_goes_by_the_environment_as_kubectl_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert load(tmp_path / "k", a_kubeconfig()).proxy == "http://proxy.example:3128"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param(
            {key: value for key, value in a_kubeconfig().items() if key != "current-context"}, id="no context"
        ),
    ],
)
def test_a_pod_uses_its_service_account_where_kubeconfigs_name_no_server(
    pod: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any] | str
) -> None:
    path = write(tmp_path / "k", content)
    monkeypatch.setenv("KUBECONFIG", f"{path}:nowhere")
    assert load_client_config(pod_folder=pod).source == FROM_POD
    # A file that was named by hand is not passed over.
    with pytest.raises(SettingsError, match=re.escape(path)):
        load_client_config(path, pod_folder=pod)


def test_a_pod_without_its_authority_says_so(pod: Path) -> None:
    (pod / "ca.crt").unlink()
    with pytest.raises(SettingsError, match=r"ServiceAccount.*ca\.crt, which cannot be read"):
        load_client_config(pod_folder=pod)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(a_kubeconfig() | {"current-context": "z"}, "no context 'z'", id="context that is not there"),
        pytest.param(a_kubeconfig() | {"clusters": []}, "cluster 'c'", id="cluster that is not there"),
        pytest.param({"apiVersion": "v1", "kind": "Config"}, "names no cluster", id="nothing in it"),
        pytest.param("", "names no cluster", id="empty"),
        pytest.param(f"just {CANARY}", "cannot be used", id="text"),
        pytest.param(f"users: [{{token: {CANARY}", "cannot be used", id="no YAML"),
        pytest.param(f"users: [{{name: u, user: {{token: [{CANARY}]}}}}]", "users.0.user.token", id="wrong type"),
        pytest.param(a_kubeconfig(server=""), "no server", id="no server"),
        pytest.param(a_kubeconfig({}), "no credentials", id="no credentials"),
        pytest.param(a_kubeconfig() | {"users": []}, "kubeconfig", id="user that is not there"),
        pytest.param(a_kubeconfig({"exec": {"token": CANARY}}), "no command", id="command without a name"),
        pytest.param(a_kubeconfig({"token": f"{CANARY}\n1"}), "header", id="token of two lines"),
        pytest.param(
            a_kubeconfig(proxy_url=f"http://a:{CANARY}@:x"), "proxy-url is not the address", id="proxy that is none"
        ),
        pytest.param(a_kubeconfig(proxy_url=f"socks5://a:{CANARY}@b:1"), "SOCKS5 proxy, which is not", id="SOCKS5"),
        pytest.param(a_kubeconfig(server=f"https://a:{CANARY}@b"), "user name in its URL", id="user name in the URL"),
        pytest.param(
            a_kubeconfig({"auth-provider": {"name": "oidc", "config": {"id-token": CANARY}}}),
            "auth-provider 'oidc', which is not supported",
            id="auth-provider",
        ),
    ],
)
def test_a_broken_kubeconfig_is_explained_without_its_secrets(
    tmp_path: Path, content: dict[str, Any] | str, said: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)) as failure:
        load(tmp_path / "k", content)
    assert str(tmp_path / "k") in str(failure.value)
    assert CANARY not in str(failure.value)
    assert failure.value.__cause__ is None


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"nowhere names no file that exists.*--kubeconfig"):
        load_client_config()


def test_a_context_without_any_kubeconfig_says_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/does/not/exist")
    with pytest.raises(SettingsError, match=r"^No kubeconfig exists, so there is no context 'x': see kubectl config"):
        load_client_config(None, "x")


def test_no_configuration_at_all_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match=r"Set KUBECONFIG or --kubeconfig"):
        load_client_config()
