"""The policies as they are shipped, on a control plane that no other test uses."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controlplane import Binaries, ControlPlane
from tests.support.admission import (
    CONFIRMED_BEFORE,
    Guarded,
    in_force,
    in_force_with_four_eyes,
    without_four_eyes,
)


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


@pytest.fixture(scope="module")
def four_eyes_plane(guarded_plane: ControlPlane) -> Iterator[ControlPlane]:
    """With the optional policies, for the tests of one module."""
    Guarded(guarded_plane, "default").add(CONFIRMED_BEFORE, confirm=CONFIRMED_BEFORE)
    in_force_with_four_eyes(guarded_plane)
    yield guarded_plane
    without_four_eyes(guarded_plane)
    guarded_plane.kubectl.run("delete", "manp", CONFIRMED_BEFORE, "--ignore-not-found")


@pytest.fixture
def four_eyes(four_eyes_plane: ControlPlane, guarded: Guarded) -> Guarded:
    """A namespace of the test's own where a deletion needs two people."""
    assert guarded.plane is four_eyes_plane
    return guarded
