"""What is shipped, on a control plane that is empty at first: roles and policies are for the whole cluster."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console

from lab.controlplane import ConsoleNarrator, ControlPlane
from lab.toolbox import Prometheus, ensure_helm, ensure_prometheus
from tests.support.api import Api
from tests.support.emptying import empty
from tests.support.helm import Helm
from tests.support.release import Cluster


@pytest.fixture(scope="session")
def helm_binary(request: pytest.FixtureRequest) -> Path:
    """The pinned helm; a build that takes minutes is seen although pytest captures output."""
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        return ensure_helm(ConsoleNarrator(Console(stderr=True)))


@pytest.fixture(scope="session")
def prometheus() -> Prometheus:
    return ensure_prometheus()


@pytest.fixture(scope="session")
def offline_helm(helm_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """helm without a cluster."""
    return Helm(helm_binary, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def plane(empty_plane: ControlPlane) -> ControlPlane:
    return empty_plane


@pytest.fixture(scope="module")
def helm(helm_binary: Path, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(helm_binary, tmp_path_factory.mktemp("helm"), plane)


@pytest.fixture
def cluster(plane: ControlPlane, helm: Helm, tmp_path: Path) -> Iterator[Cluster]:
    with Api(plane) as api:
        try:
            yield Cluster(plane, helm, api, tmp_path)
        finally:
            empty(plane)
