from pathlib import Path

import pytest

from lab.controlplane.failures import BinariesUnavailableError
from lab.toolbox.prometheus import NAMES, ensure_prometheus
from tests.support.binary_doubles import Bringing, a_program

# Refuses a download until it has been told to update lists that it may write.
APT_GET = """\
case "$*" in
*update*) case "$*" in *Dir::State::lists=*) echo updated > updated ;; *) exit 100 ;; esac ;;
*download*) [ -e updated ] || exit 100; echo package > prometheus.deb ;;
esac
"""
DPKG = """\
mkdir -p "$3/usr/bin"
for name in prometheus promtool; do echo "$name" > "$3/usr/bin/$name"; done
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "path").mkdir()
    for name in ("sh", "cat", "mkdir"):
        (tmp_path / "path" / name).symlink_to(f"/bin/{name}")
    return {"MODELARTS_NODEPOOL_CACHE": str(tmp_path / "cache"), "PATH": str(tmp_path / "path")}


def a_script(environment: dict[str, str], name: str, text: str) -> None:
    script = Path(environment["PATH"]) / name
    script.write_text(f"#!/bin/sh\n{text}")
    script.chmod(0o755)


def test_both_programs_on_path_are_used(environment: dict[str, str]) -> None:
    paths = [a_program(Path(environment["PATH"]) / name, "") for name in NAMES]
    found = ensure_prometheus(environment=environment, way=Bringing([], "nothing"))
    assert [found.server, found.promtool] == paths


def test_one_of_them_alone_is_not_mixed_with_another_version(environment: dict[str, str]) -> None:
    alone = a_program(Path(environment["PATH"]) / NAMES[0], "")
    assert ensure_prometheus(environment=environment, way=Bringing(NAMES, "package")).server != alone


def test_they_come_out_of_the_package_without_root_and_without_lists_of_the_system(
    environment: dict[str, str],
) -> None:
    a_script(environment, "apt-get", APT_GET)
    a_script(environment, "dpkg", DPKG)
    found = ensure_prometheus(environment=environment)
    assert (found.server.read_text(), found.promtool.read_text()) == ("prometheus\n", "promtool\n")
    assert sorted(path.name for path in found.server.parent.iterdir()) == sorted(NAMES)


def test_where_there_is_no_apt_the_error_says_what_to_install(environment: dict[str, str]) -> None:
    with pytest.raises(BinariesUnavailableError, match=r"no apt-get.*\n.*apt-get install prometheus"):
        ensure_prometheus(environment=environment)
