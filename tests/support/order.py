"""Which files begin first where several workers share them: the long ones, so that none runs alone at the end.

A pytest plugin, loaded by tests/conftest.py. A file that takes a minute or more has `pytestmark = pytest.mark.long`.
Each worker sorts what it collected, since pytest-xdist wants the same order from all of them; `-n0` sorts nothing.
"""

from pathlib import Path

import pytest

# Tests that wait begin before tests that compute.
FOLDERS = ("integration/operator", "integration", "contract", "unit")
TESTS = Path(__file__).parents[1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=rank)


def rank(item: pytest.Item) -> tuple[bool, int]:
    """Equal for all tests of a file, so that they stay together and in order."""
    is_short = item.get_closest_marker("long") is None
    folder = item.path.parent
    found = (at for at, name in enumerate(FOLDERS) if folder.is_relative_to(TESTS / name))
    return is_short, next(found, len(FOLDERS))
