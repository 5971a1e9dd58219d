import os
from pathlib import Path

import pytest

from lab.demo.leftovers import find_leftovers, user_kubeconfigs

SERVER = "https://127.0.0.1:34567"


@pytest.fixture
def gone(tmp_path: Path) -> Path:
    return tmp_path / "gone"


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))
    return file


def test_nothing_is_found_where_nothing_is(gone: Path, kubeconfig: Path) -> None:
    kubeconfig.write_text("server: https://elsewhere.example.com")
    assert find_leftovers({}, gone, SERVER) == []


def test_a_process_that_lives_is_found(gone: Path) -> None:
    assert find_leftovers({"the operator": os.getpid()}, gone, None) == [f"process {os.getpid()} (the operator)"]


def test_a_folder_that_is_left_is_found(tmp_path: Path) -> None:
    assert find_leftovers({}, tmp_path, None) == [f"the folder {tmp_path}"]


def test_a_context_of_the_user_that_names_our_server_is_found(gone: Path, kubeconfig: Path) -> None:
    kubeconfig.write_text(f"server: {SERVER}")
    assert find_leftovers({}, gone, SERVER) == [f"{SERVER} in {kubeconfig}"]


def test_kubeconfigs_are_those_of_the_user() -> None:
    assert user_kubeconfigs({"KUBECONFIG": f"/a{os.pathsep}/b"}) == [Path("/a"), Path("/b")]
    assert user_kubeconfigs({}) == [Path.home() / ".kube" / "config"]
