from pathlib import Path

import pytest

from lab.toolbox.helm import HELM, HELM_VERSION, MODULE, ensure_helm
from tests.support.binary_doubles import Bringing, a_program


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "path").mkdir()
    for name in ("sh", "cat"):
        (tmp_path / "path" / name).symlink_to(f"/bin/{name}")
    return {"MODELARTS_NODEPOOL_CACHE": str(tmp_path / "cache"), "PATH": str(tmp_path / "path")}


def test_the_version_is_that_of_the_go_module() -> None:
    module = (MODULE.folder / "go.mod").read_text()
    assert f"\thelm.sh/helm/v4 v{HELM_VERSION} " in module
    assert module.count(f"\ntool {MODULE.packages[HELM]}\n") == 1


def test_a_helm_on_path_of_the_same_major_version_is_used(environment: dict[str, str]) -> None:
    helm = a_program(Path(environment["PATH"]) / HELM, "v4.0.0")
    build = Bringing([HELM], "build")
    assert ensure_helm(environment=environment, way=build) == helm
    assert build.asked == []


@pytest.mark.parametrize("says", ["v3.22.0", "v40.1.0", "choose a version first"])
def test_any_other_helm_on_path_is_passed_over(environment: dict[str, str], says: str) -> None:
    helm = a_program(Path(environment["PATH"]) / HELM, says)
    assert ensure_helm(environment=environment, way=Bringing([HELM], "build")) != helm


def test_helm_is_built_once(environment: dict[str, str]) -> None:
    build = Bringing([HELM], "build")
    assert ensure_helm(environment=environment, way=build) == ensure_helm(environment=environment, way=build)
    assert build.asked == [[HELM]]
