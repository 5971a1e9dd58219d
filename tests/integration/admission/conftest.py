"""The policies as they are shipped, on a control plane that no other test uses."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controlplane import Binaries, ControlPlane
from tests.support.admission import Guarded, in_force


@pytest.fixture(scope="session")
def guarded_plane(control_plane_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder: Path = tmp_path_factory.mktemp("admission") / "control-plane"
    with ControlPlane.start(folder, control_plane_binaries) as plane:
        in_force(plane)
        yield plane


@pytest.fixture
def guarded(guarded_plane: ControlPlane) -> Iterator[Guarded]:
    """A namespace of the test's own."""
    namespace = f"admission-{uuid.uuid4().hex[:8]}"
    guarded_plane.kubectl.run("create", "namespace", namespace)
    guarded = Guarded(guarded_plane, namespace)
    yield guarded
    guarded.tear_down()
