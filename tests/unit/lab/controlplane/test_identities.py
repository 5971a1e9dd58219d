import base64
import csv
from pathlib import Path

import yaml

from lab.controlplane import identities


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("an old one, readable by all")
    identities.write_tokens(tmp_path / "tokens")
    identities.write_signing_key(tmp_path / "key")
    identities.write_kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1", b"ca", "u", "t")
    assert [mode(path) for path in tmp_path.iterdir()] == [0o600] * 3


def test_the_administrator_is_in_the_group_of_masters(tmp_path: Path) -> None:
    tokens = identities.write_tokens(tmp_path / "tokens")
    with (tmp_path / "tokens").open(newline="") as table:
        rows = {row[0]: row[1:] for row in csv.reader(table)}
    assert rows[tokens.admin] == ["lab-admin", "lab-admin", "system:masters"]
    assert "system:masters" not in rows[tokens.controller_manager]


def test_a_kubeconfig_holds_all_it_needs(tmp_path: Path) -> None:
    path = identities.write_kubeconfig(tmp_path / "k", "https://127.0.0.1:1", b"authority", "user", "token")
    content = yaml.safe_load(path.read_text())
    cluster = content["clusters"][0]["cluster"]
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"authority"
    assert cluster["server"] == "https://127.0.0.1:1"
    assert content["users"][0]["user"] == {"token": "token"}
    assert len(content["contexts"]) == 1


def test_every_signing_key_is_new_and_in_range(tmp_path: Path) -> None:
    def scalar(name: str) -> int:
        lines = identities.write_signing_key(tmp_path / name).read_text().splitlines()
        der = base64.b64decode("".join(lines[1:-1]))
        assert len(der) == 51
        return int.from_bytes(der[7:39], "big")

    one, other = scalar("one"), scalar("other")
    assert one != other
    assert min(one, other) > 0
    assert max(one, other) < identities.P256_ORDER
