"""A control plane of its own for what is shipped: roles and policies are cluster-wide and must meet no other tests."""

from collections.abc import Iterator

import pytest

from modelarts_nodepool.lab.controlplane import Binaries, ControlPlane


@pytest.fixture(scope="package")
def plane(control_plane_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Empty at first."""
    with ControlPlane.start(tmp_path_factory.mktemp("deploy") / "control-plane", control_plane_binaries) as plane:
        yield plane
