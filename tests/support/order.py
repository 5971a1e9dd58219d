"""Which files begin first where several workers share them: the long ones, so that none runs alone at the end.

A pytest plugin, loaded by tests/conftest.py. A file that takes a minute or more has `pytestmark = pytest.mark.long`,
with its seconds where these are many more: `pytest.mark.long(300)`.
Each worker sorts what it collected, since pytest-xdist wants the same order from all of them; `-n0` sorts nothing.
With `--dist loadfile`, a file stays with one worker, and so do files that use a control plane beside the worker's own:
each worker would start one.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

# Tests that wait begin before tests that compute.
FOLDERS = ("integration/operator", "integration", "contract", "unit")
TESTS = Path(__file__).parents[1]
LONG_SECONDS, LONGEST_SECONDS = 60.0, 600.0
SHARE_A_PLANE = (
    re.compile(r"tests/integration/deploy/test_(install|pages|release|rollback)\.py"),
    re.compile(
        r"tests/integration/deploy/test_(argocd|chart_values|environment|gitops_\w+|kustomize|stored_as_shipped)\.py"
    ),
    re.compile(
        r"tests/integration/(test_(empty_plane|printed_commands)|operator/test_(definitions|terminating_crds|unreadable_\w+))\.py"
    ),
    re.compile(r"tests/integration/admission/"),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=rank)


def rank(item: pytest.Item) -> tuple[float, int]:
    """Equal for all tests of a file, so that they stay in order."""
    folder = item.path.parent
    found = (at for at, name in enumerate(FOLDERS) if folder.is_relative_to(TESTS / name))
    return -seconds_of(item), next(found, len(FOLDERS))


def seconds_of(item: pytest.Item) -> float:
    """How long what stays together takes, about."""
    if shared_by(item.nodeid):
        return LONGEST_SECONDS
    marker = item.get_closest_marker("long")
    if marker is None:
        return 0.0
    return float(marker.args[0]) if marker.args else LONG_SECONDS


def shared_by(nodeid: str) -> str | None:
    """What names the control plane that this test shares with other files."""
    return next((plane.pattern for plane in SHARE_A_PLANE if plane.match(nodeid)), None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadFileScheduling | None":
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - this plugin is loaded without xdist, too

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return shared_by(nodeid) or super()._split_scope(nodeid)

    return Scheduling(config, log)
