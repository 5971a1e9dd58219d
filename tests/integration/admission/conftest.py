"""The policies as they are shipped, on a control plane that no other test uses."""

from collections.abc import Iterator

import pytest

from lab.controlplane import Binaries, ControlPlane
from tests.support.admission import (
    CONFIRMED_BEFORE,
    Guarded,
    in_force,
    in_force_with_four_eyes,
    without_four_eyes,
)
from tests.support.api import Api
from tests.support.controlplane import a_control_plane
from tests.support.crds import namespace_of_its_own


@pytest.fixture(scope="session")
def policed_plane(control_plane_binaries: Binaries) -> Iterator[ControlPlane]:
    with a_control_plane(control_plane_binaries) as plane:
        yield plane


@pytest.fixture(scope="session")
def guarded_api(policed_plane: ControlPlane) -> Iterator[Api]:
    with Api(policed_plane) as api:
        yield api


@pytest.fixture(scope="session")
def guarded_plane(policed_plane: ControlPlane, guarded_api: Api) -> ControlPlane:
    in_force(policed_plane, guarded_api)
    return policed_plane


@pytest.fixture
def guarded(guarded_plane: ControlPlane, guarded_api: Api) -> Iterator[Guarded]:
    """A namespace of the test's own."""
    with namespace_of_its_own(guarded_plane, guarded_api, Guarded, "admission") as guarded:
        yield guarded


@pytest.fixture(scope="module")
def four_eyes_plane(guarded_plane: ControlPlane, guarded_api: Api) -> Iterator[ControlPlane]:
    """With the optional policies, for the tests of one module."""
    Guarded(guarded_plane, "default", guarded_api).add(CONFIRMED_BEFORE, confirm=CONFIRMED_BEFORE)
    in_force_with_four_eyes(guarded_plane, guarded_api)
    yield guarded_plane
    without_four_eyes(guarded_plane, guarded_api)
    guarded_plane.kubectl.run("delete", "manp", CONFIRMED_BEFORE, "--ignore-not-found")


@pytest.fixture
def four_eyes(four_eyes_plane: ControlPlane, guarded: Guarded) -> Guarded:
    """A namespace of the test's own where a deletion needs two people."""
    assert guarded.plane is four_eyes_plane
    return guarded
