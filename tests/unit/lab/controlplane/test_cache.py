import threading
from pathlib import Path

import pytest

from lab.controlplane.cache import Cache, cache_root
from lab.controlplane.narration import SilentNarrator
from tests.support.binary_doubles import Listener, a_program
from tests.support.limits import HANGING_SECONDS

SILENT = SilentNarrator()


def a_cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "root", "key")


@pytest.mark.parametrize(
    ("environment", "base"),
    [
        ({"MODELARTS_NODEPOOL_CACHE": "/ours", "XDG_CACHE_HOME": "/xdg"}, "/ours"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg"),
        ({"XDG_CACHE_HOME": ""}, str(Path.home() / ".cache")),
        ({}, str(Path.home() / ".cache")),
    ],
    ids=["our variable first", "then the desktop's", "an empty variable is none", "then the home folder"],
)
def test_cache_folder_is_found_in_order(environment: dict[str, str], base: str) -> None:
    assert cache_root(environment) == Path(base) / "modelarts-nodepool-operator" / "controlplane"


def test_a_file_that_is_not_executable_is_not_a_binary(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    a_program(cache.folder / "etcd", "").chmod(0o644)
    assert cache.find("etcd") is None


def test_an_installed_binary_is_found_and_executable(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    with cache.locked(SILENT), cache.partial() as partial:
        (partial / "made").write_text("content")
        installed = cache.install("etcd", partial / "made")
    assert cache.find("etcd") == installed
    assert installed.read_text() == "content"


def test_an_interrupted_build_leaves_nothing_half_made(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)

    def build_and_be_interrupted() -> None:
        with cache.locked(SILENT), cache.partial() as partial:
            (partial / "etcd").write_text("half of i")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_and_be_interrupted()
    assert list(cache.folder.iterdir()) == []
    assert cache.find("etcd") is None


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    a_program(cache.folder / ".partial-killed" / "etcd", "half of i")
    with cache.locked(SILENT):
        assert list(cache.folder.iterdir()) == []


def test_the_second_run_waits_and_says_for_whom(tmp_path: Path) -> None:
    listener = Listener()
    order: list[str] = []
    pause = threading.Event()

    def second() -> None:
        with a_cache(tmp_path).locked(listener):
            order.append("second")

    other = threading.Thread(target=second)
    with a_cache(tmp_path).locked(SILENT):
        other.start()
        while not listener.told and other.is_alive():
            pause.wait(0.01)
        order.append("first")
    other.join(HANGING_SECONDS)
    assert order == ["first", "second"]
    assert "Waiting for process" in listener.told[0]
