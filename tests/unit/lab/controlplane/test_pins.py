import shutil
from dataclasses import replace
from pathlib import Path

from lab.controlplane import pins

HERE = pins.Platform("linux", "amd64")


def module_copy(folder: Path) -> pins.GoModule:
    for name in ("go.mod", "go.sum"):
        shutil.copy(pins.MODULE_FOLDER / name, folder / name)
    return replace(pins.CONTROL_PLANE, folder=folder)


def test_versions_are_those_of_the_go_module() -> None:
    module = (pins.MODULE_FOLDER / "go.mod").read_text()
    assert f"\tk8s.io/kubernetes v{pins.KUBERNETES_VERSION} " in module
    assert f"\tgo.etcd.io/etcd/server/v3 v{pins.ETCD_VERSION} " in module
    assert f"\ngo {pins.GO_MINIMUM[0]}.{pins.GO_MINIMUM[1]}." in module


def test_every_package_is_a_tool_of_the_module() -> None:
    tools = (pins.MODULE_FOLDER / "go.mod").read_text().partition("tool (")[2].partition(")")[0].split()
    assert sorted(pins.PACKAGES.values()) == sorted(tools)


def test_the_key_names_versions_and_platform() -> None:
    key = pins.version_key(HERE)
    assert key.startswith(f"kubernetes-{pins.KUBERNETES_VERSION}-etcd-{pins.ETCD_VERSION}-linux-amd64-")


def test_the_key_is_the_same_for_the_same_pin(tmp_path: Path) -> None:
    assert pins.version_key(HERE, module_copy(tmp_path)) == pins.version_key(HERE)


def test_another_checksum_gives_another_key(tmp_path: Path) -> None:
    module, sums = module_copy(tmp_path), tmp_path / "go.sum"
    sums.write_text(sums.read_text().replace("h1:", "h1:x", 1))
    assert pins.version_key(HERE, module) != pins.version_key(HERE)


def test_another_platform_gives_another_key() -> None:
    assert pins.version_key(pins.Platform("darwin", "arm64")) != pins.version_key(HERE)
