"""Every command that reaches a cluster refuses what it does not support by name, with exit code 2 and no traceback."""

from pathlib import Path

import pytest

from tests.integration.kubeconfig.conftest import Bench
from tests.integration.kubeconfig.rows import Content, a_kubeconfig, as_user
from tests.integration.kubeconfig.rows_of_users import exec_of
from tests.support.commands import run

pytestmark = pytest.mark.long

COMMANDS = ("run", "doctor", "inventory", "uninstall-check")
REFUSED: dict[str, tuple[Content, str]] = {
    "SOCKS5": (a_kubeconfig(proxy_url="socks5://127.0.0.1:1"), "SOCKS5"),
    "auth-provider": (as_user(auth_provider={"name": "oidc"}), "auth-provider 'oidc'"),
    "no kubeconfig": ("just text", "cannot be used"),
    "a plugin that fails": (as_user(exec=exec_of()), "exit code 3"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_name_with_exit_code_2(bench: Bench, tmp_path: Path, command: str, case: str) -> None:
    content, words = REFUSED[case]
    bench.write("plugin", "#!/bin/sh\necho please log in with its-tool >&2\nexit 3\n")
    kubeconfig = bench.write("k", content)
    done = run(command, KUBECONFIG=str(kubeconfig), HOME=str(tmp_path))
    assert done.returncode == 2, done
    assert words in done.stderr
    assert str(kubeconfig) in done.stderr or "credential plugin" in done.stderr
    assert "Traceback" not in done.stderr
    assert "t-one" not in done.stderr
    if case == "a plugin that fails":
        assert "please log in with its-tool" in done.stderr, "its standard error reaches the person"
    assert bench.recorder.seen == []
