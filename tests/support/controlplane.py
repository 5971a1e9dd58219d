"""One real control plane for the whole test run. A pytest plugin, loaded by tests/conftest.py.

It runs in processes of its own and belongs to no event loop, so tests on any loop share it. Isolate tests
by namespace. When its binaries cannot be had, the tests that need it fail with the reason; none is skipped.
"""

import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console

from lab.controlplane import Binaries, ConsoleNarrator, ControlPlane, ensure_binaries


@pytest.fixture(scope="session")
def control_plane_binaries(request: pytest.FixtureRequest) -> Binaries:
    """The binaries; a build that takes minutes is seen although pytest captures output."""
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        return ensure_binaries(ConsoleNarrator(Console(stderr=True)))


@pytest.fixture(scope="session")
def control_plane(control_plane_binaries: Binaries) -> Iterator[ControlPlane]:
    with (
        tempfile.TemporaryDirectory(prefix="modelarts-nodepool-test-") as folder,
        ControlPlane.start(Path(folder) / "control-plane", control_plane_binaries) as plane,
    ):
        yield plane
