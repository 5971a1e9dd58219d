import os
from pathlib import Path

import pytest

from lab.harness.failures import LabError
from lab.harness.workspace import (
    SHIPPED,
    find_leftovers,
    find_shipped,
    keep_logs,
    make_folder,
    remove_folder,
    user_kubeconfigs,
)

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


def test_the_checkout_has_what_the_demo_applies() -> None:
    assert set(find_shipped()) == set(SHIPPED)


def test_without_a_checkout_it_says_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    with pytest.raises(LabError, match=r"deploy/kustomize/base .* Clone the repository and run `make demo`"):
        find_shipped(tmp_path)


def test_the_folder_can_be_entered_by_its_owner_only_and_goes_with_all_that_is_in_it() -> None:
    folder = make_folder("test")
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "below").mkdir()
    (folder / "below" / "file").touch()
    remove_folder(folder)
    assert not folder.exists()


def test_logs_are_kept_and_keys_are_not(tmp_path: Path) -> None:
    (tmp_path / "control-plane").mkdir()
    (tmp_path / "operator.log").write_text("a line")
    (tmp_path / "simulator.log").write_text('{"endpoint": "e", "secretKey": "s"}\nserving\n')
    (tmp_path / "control-plane" / "etcd.log").write_text("another")
    (tmp_path / "control-plane" / "kubeconfig").write_text("token")
    (tmp_path / "scenario.yaml").write_text("secretKey")
    kept = keep_logs("test-failed", tmp_path, {"objects.yaml": "items: []"})
    try:
        assert {path.name for path in kept.iterdir()} == {"operator.log", "simulator.log", "etcd.log", "objects.yaml"}
        assert (kept / "simulator.log").read_text() == "serving\n"
        assert kept.stat().st_mode & 0o777 == 0o700
    finally:
        remove_folder(kept)
