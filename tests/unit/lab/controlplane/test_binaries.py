from pathlib import Path

import pytest

from lab.controlplane import pins
from lab.controlplane.binaries import Binaries, ensure_binaries
from lab.controlplane.failures import BinariesUnavailableError
from tests.support.binary_doubles import Bringing, Listener, a_kubectl, a_program

ALL = list(pins.PACKAGES)
FITTING = f"v{pins.KUBERNETES_VERSION}"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine with nothing on it; `sh` and `cat` are what the stand-ins are made of."""
    (tmp_path / "path").mkdir()
    for name in ("sh", "cat"):
        (tmp_path / "path" / name).symlink_to(f"/bin/{name}")
    return {"MODELARTS_NODEPOOL_CACHE": str(tmp_path / "cache"), "PATH": str(tmp_path / "path")}


def folders(found: Binaries) -> set[Path]:
    return {found.etcd.parent, found.kube_apiserver.parent, found.kube_controller_manager.parent}


def test_assets_named_by_the_user_come_first(tmp_path: Path, environment: dict[str, str]) -> None:
    for name in ALL:
        a_program(tmp_path / "assets" / name, "")
    build = Bringing(ALL, "build")
    found = ensure_binaries(environment=environment | {"KUBEBUILDER_ASSETS": str(tmp_path / "assets")}, ways=[build])
    assert folders(found) == {tmp_path / "assets"} == {found.kubectl.parent}
    assert build.asked == []


def test_assets_without_a_server_are_not_mixed_with_ours(tmp_path: Path, environment: dict[str, str]) -> None:
    for name in (pins.ETCD, pins.APISERVER, pins.KUBECTL):
        a_program(tmp_path / "assets" / name, "")
    listener = Listener()
    found = ensure_binaries(
        listener, environment | {"KUBEBUILDER_ASSETS": str(tmp_path / "assets")}, [Bringing(ALL, "build")]
    )
    assert tmp_path / "assets" not in folders(found)
    assert "has no kube-controller-manager; it is not used" in listener.told[0]


def test_what_the_cache_holds_is_not_made_again(environment: dict[str, str]) -> None:
    build = Bringing(ALL, "build")
    first = ensure_binaries(environment=environment, ways=[build])
    assert ensure_binaries(environment=environment, ways=[build]) == first
    assert build.asked == [ALL]


def test_only_what_is_missing_is_made(environment: dict[str, str]) -> None:
    build = Bringing(ALL, "build")
    ensure_binaries(environment=environment, ways=[build]).kube_apiserver.unlink()
    ensure_binaries(environment=environment, ways=[build])
    assert build.asked == [ALL, [pins.APISERVER]]


def test_the_build_brings_what_the_download_does_not_have(environment: dict[str, str]) -> None:
    listener = Listener()
    download, build = Bringing(ALL[:2], "download"), Bringing(ALL, "build")
    found = ensure_binaries(listener, environment, [download, build])
    assert build.asked == [ALL[2:]]
    assert found.etcd.is_file()
    refusals = [line for line in listener.told if "No download" in line]
    assert refusals == [f"No download of the official binaries (no {ALL[2]} in download)."]


def test_a_complete_download_needs_no_build(environment: dict[str, str]) -> None:
    build = Bringing(ALL, "build")
    ensure_binaries(environment=environment, ways=[Bringing(ALL, "download"), build])
    assert build.asked == []


def test_when_no_way_leads_there_the_error_says_what_to_do(environment: dict[str, str]) -> None:
    with pytest.raises(BinariesUnavailableError, match=r"could not be had: .*KUBEBUILDER_ASSETS"):
        ensure_binaries(environment=environment, ways=[Bringing([], "download")])


def test_kubectl_on_path_is_used_when_it_fits(environment: dict[str, str]) -> None:
    kubectl = a_kubectl(Path(environment["PATH"]) / "kubectl", FITTING)
    build = Bringing(ALL, "build")
    assert ensure_binaries(environment=environment, ways=[build]).kubectl == kubectl
    assert build.asked == [list(pins.SERVERS)]


def test_an_old_kubectl_is_passed_over_when_there_is_something_to_build(environment: dict[str, str]) -> None:
    kubectl = a_kubectl(Path(environment["PATH"]) / "kubectl", "v1.32.4-dispatcher")
    build = Bringing(ALL, "build")
    assert ensure_binaries(environment=environment, ways=[build]).kubectl != kubectl
    assert build.asked == [ALL]


def test_an_old_kubectl_is_used_with_a_note_when_only_it_would_be_built(environment: dict[str, str]) -> None:
    build, listener = Bringing(ALL, "build"), Listener()
    ensure_binaries(environment=environment, ways=[build]).kubectl.unlink()
    kubectl = a_kubectl(Path(environment["PATH"]) / "kubectl", "v1.32.4")
    assert ensure_binaries(listener, environment, [build]).kubectl == kubectl
    assert listener.told == [f"Using {kubectl}: it is 1.32, the API server {pins.KUBERNETES_VERSION}."]


def test_a_kubectl_that_does_not_work_is_no_kubectl(environment: dict[str, str]) -> None:
    a_program(Path(environment["PATH"]) / "kubectl", "choose a version first")
    build = Bringing(ALL, "build")
    ensure_binaries(environment=environment, ways=[build])
    assert build.asked == [ALL]
