from pathlib import Path

from lab.demo.run import fill_work_folder


def test_files_that_hold_a_key_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.yaml").write_text("kind: A")
    work = tmp_path / "work"
    fill_work_folder(work, {"deploy/base": source}, {"secret.yaml": "key", "node-pools/a.yaml": "object"})
    assert (work / "deploy" / "base" / "a.yaml").read_text() == "kind: A"
    assert (work / "node-pools" / "a.yaml").read_text() == "object"
    assert (work / "secret.yaml").stat().st_mode & 0o077 == 0
