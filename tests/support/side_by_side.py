"""Scenarios of one file that mostly wait, run at the same time on one operator: each has a tenant of its own.

pytest-xdist shares files among its workers, not the tests of a file: each worker would start an operator and a cloud
for its part, which costs more CPU than the scenarios. So the tests of a file that wait for two minutes wait together.

`@side_by_side` stands above a test that takes nothing but a tenant and changes nothing that others share. The
fixture `outcomes` runs all that were chosen of a file; each test then reports its own outcome.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from tests.support.tenant import Tenant

Scenario = Callable[[Tenant], None]
Corner = Callable[[], AbstractContextManager[Tenant]]

# Two cores run the operator, an API server and etcd beside the tests.
AT_ONCE = 6

_scenarios: dict[tuple[str, str], Scenario] = {}


class Outcomes:
    """What became of the scenarios of one module."""

    def __init__(self, module: str, names: Iterable[str], living: Corner) -> None:
        """Run those of the module that have these names, and wait for all of them."""
        chosen = [name for name in names if (module, name) in _scenarios]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            self._futures = {name: pool.submit(_run, _scenarios[module, name], living) for name in chosen}

    def tell(self, name: str) -> None:
        """Raise what the scenario raised, if anything."""
        self._futures[name].result()


def _run(scenario: Scenario, living: Corner) -> None:
    with living() as tenant:
        scenario(tenant)


def side_by_side(scenario: Scenario) -> Callable[[Outcomes], None]:
    """Let this test run at the same time as its like in the module."""
    name = scenario.__name__
    _scenarios[scenario.__module__, name] = scenario

    def test(outcomes: Outcomes) -> None:
        outcomes.tell(name)

    test.__name__ = test.__qualname__ = name
    test.__module__ = scenario.__module__
    return test
