"""Starting a simulator in-process."""

import pytest

from lab.simulator.problems import ScenarioError
from lab.simulator.server import Simulator, is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],  # noqa: S104
)
def test_only_loopback_is_loopback(host: str, expected: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is expected


async def test_other_hosts_are_refused() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        async with Simulator.serving(host="192.0.2.1"):
            pass


async def test_a_wrong_scenario_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"timings\.x: unknown key"):
        async with Simulator.serving({"timings": {"x": 1}}):
            pass
