"""Real control planes for the whole test run. A pytest plugin, loaded by tests/conftest.py.

They run in processes of their own and belong to no event loop, so tests on any loop share them. `control_plane` is for
tests that a namespace isolates. `empty_plane` is for modules that change what the whole cluster has: it is another
one, and each module finds it empty. When the binaries cannot be had, the tests that need them fail with the reason;
none is skipped.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from rich.console import Console

from lab.controlplane import Binaries, ConsoleNarrator, ControlPlane, ensure_binaries
from tests.support.emptying import empty


@pytest.fixture(scope="session")
def control_plane_binaries(request: pytest.FixtureRequest) -> Binaries:
    """The binaries; a build that takes minutes is seen although pytest captures output."""
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        return ensure_binaries(ConsoleNarrator(Console(stderr=True)))


@contextmanager
def a_control_plane(binaries: Binaries) -> Iterator[ControlPlane]:
    with (
        tempfile.TemporaryDirectory(prefix="modelarts-nodepool-test-") as folder,
        ControlPlane.start(Path(folder) / "control-plane", binaries) as plane,
    ):
        yield plane


@pytest.fixture(scope="session")
def control_plane(control_plane_binaries: Binaries) -> Iterator[ControlPlane]:
    with a_control_plane(control_plane_binaries) as plane:
        yield plane


@pytest.fixture(scope="session")
def _emptied_plane(control_plane_binaries: Binaries) -> Iterator[ControlPlane]:
    with a_control_plane(control_plane_binaries) as plane:
        yield plane


@pytest.fixture(scope="module")
def empty_plane(_emptied_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Emptied after the module; the operators of its tests have ended by then."""
    yield _emptied_plane
    empty(_emptied_plane)
