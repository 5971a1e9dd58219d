"""Where the API server is, found as kubectl finds it; and what is said when it cannot be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.kubeconfig import Access, load_access

CANARY = "canary-c0ffee-token"


def a_kubeconfig(user: dict[str, Any] | None = None, **cluster: object) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://kube.example:6443/"} | cluster}],
        "users": [{"name": "u", "user": {"token": CANARY} if user is None else user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "ml"}}],
        "current-context": "x",
    }


@pytest.fixture(autouse=True)
def no_cluster_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


def write(path: Path, content: dict[str, Any] | str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


async def load(path: Path, content: dict[str, Any] | str) -> Access:
    return await load_access(write(path, content))


async def test_the_named_file_comes_before_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "home/.kube/config", a_kubeconfig(server="https://home.example"))
    monkeypatch.setenv("KUBECONFIG", write(tmp_path / "env", a_kubeconfig(server="https://env.example")))
    named = await load(tmp_path / "named", a_kubeconfig(server="https://named.example"))
    assert named.configuration.host == "https://named.example"
    assert (await load_access()).configuration.host == "https://env.example"
    monkeypatch.delenv("KUBECONFIG")
    assert (await load_access()).configuration.host == "https://home.example"


async def test_context_namespace_and_token_are_taken(tmp_path: Path) -> None:
    access = await load(tmp_path / "k", a_kubeconfig())
    assert access.namespace == "ml"
    assert access.configuration.api_key["BearerToken"] == f"Bearer {CANARY}"
    assert access.source == str(tmp_path / "k")


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    access = await load(tmp_path / "k", a_kubeconfig({"tokenFile": str(token)}))
    assert access.configuration.api_key["BearerToken"] == "Bearer one"
    token.write_text("two")
    await access.reload()
    assert access.configuration.api_key["BearerToken"] == "Bearer two"


async def test_a_command_gives_the_token(tmp_path: Path) -> None:
    said = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"abc"}}'
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [said]}
    access = await load(tmp_path / "k", a_kubeconfig({"exec": run}))
    assert access.configuration.api_key["BearerToken"] == "Bearer abc"


async def test_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("one")
    authority.write_text("certificate")
    library = "kubernetes.aio.config.incluster_config"
    monkeypatch.setattr(f"{library}.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(f"{library}.SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    access = await load_access()
    assert access.configuration.host == "https://10.0.0.1:443"
    assert access.configuration.api_key["BearerToken"] == "bearer one"
    token.write_text("two")
    await access.reload()
    assert access.configuration.api_key["BearerToken"] == "bearer two"


FAILING = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(a_kubeconfig() | {"current-context": "y"}, "name y", id="context that is not there"),
        pytest.param(a_kubeconfig() | {"clusters": []}, "name c", id="cluster that is not there"),
        pytest.param({"apiVersion": "v1", "kind": "Config"}, "cannot be used", id="nothing in it"),
        pytest.param("", "cannot be used", id="empty"),
        pytest.param("just text", "cannot be used", id="text"),
        pytest.param(f"users: [{{token: {CANARY}", "cannot be used", id="no YAML"),
        pytest.param(a_kubeconfig(server=""), "names no server", id="no server"),
        pytest.param(a_kubeconfig(server="kube.example"), "names no server", id="server without a scheme"),
        pytest.param(a_kubeconfig({}), "no credentials", id="no credentials"),
        pytest.param(a_kubeconfig() | {"users": []}, "kubeconfig", id="user that is not there"),
        pytest.param(a_kubeconfig({"exec": FAILING}), "no credentials", id="command that fails"),
        pytest.param(a_kubeconfig({"exec": {"token": CANARY}}), "no credentials", id="command without a name"),
        pytest.param(
            a_kubeconfig() | {"contexts": [{"name": "x", "context": {"user": CANARY}}]},
            "cannot be used",
            id="context without cluster",
        ),
    ],
)
async def test_a_broken_kubeconfig_is_explained_without_its_secrets(
    tmp_path: Path, content: dict[str, Any] | str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as failure:
        await load(tmp_path / "k", content)
    assert str(tmp_path / "k") in str(failure.value)
    assert "kubectl" in str(failure.value)
    assert CANARY not in str(failure.value)
    assert failure.value.__cause__ is None


async def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"nowhere does not exist.*--kubeconfig"):
        await load_access()


async def test_no_configuration_at_all_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match=r"Set KUBECONFIG or --kubeconfig"):
        await load_access()
