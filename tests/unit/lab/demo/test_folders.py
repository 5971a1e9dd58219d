from pathlib import Path

import pytest

from lab.demo.failures import DemoError
from lab.demo.folders import (
    SHIPPED,
    fill_work_folder,
    find_shipped,
    keep_logs,
    make_folder,
    remove_folder,
)


def test_the_checkout_has_what_the_demo_applies() -> None:
    assert set(find_shipped()) == set(SHIPPED)


def test_without_a_checkout_it_says_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    with pytest.raises(DemoError, match=r"deploy/kustomize/base .* Clone the repository and run `make demo`"):
        find_shipped(tmp_path)


def test_the_folder_can_be_entered_by_its_owner_only_and_goes_with_all_that_is_in_it() -> None:
    folder = make_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "below").mkdir()
    (folder / "below" / "file").touch()
    remove_folder(folder)
    assert not folder.exists()


def test_files_that_hold_a_key_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.yaml").write_text("kind: A")
    work = tmp_path / "work"
    fill_work_folder(work, {"deploy/base": source}, {"secret.yaml": "key", "node-pools/a.yaml": "object"})
    assert (work / "deploy" / "base" / "a.yaml").read_text() == "kind: A"
    assert (work / "node-pools" / "a.yaml").read_text() == "object"
    assert (work / "secret.yaml").stat().st_mode & 0o077 == 0


def test_logs_are_kept_and_keys_are_not(tmp_path: Path) -> None:
    (tmp_path / "control-plane").mkdir()
    (tmp_path / "operator.log").write_text("a line")
    (tmp_path / "simulator.log").write_text('{"endpoint": "e", "secretKey": "s"}\nserving\n')
    (tmp_path / "control-plane" / "etcd.log").write_text("another")
    (tmp_path / "control-plane" / "kubeconfig").write_text("token")
    (tmp_path / "scenario.yaml").write_text("secretKey")
    kept = keep_logs(tmp_path, {"objects.yaml": "items: []"})
    try:
        assert {path.name for path in kept.iterdir()} == {"operator.log", "simulator.log", "etcd.log", "objects.yaml"}
        assert (kept / "simulator.log").read_text() == "serving\n"
        assert kept.stat().st_mode & 0o777 == 0o700
    finally:
        remove_folder(kept)
