"""Scenarios in which the operator is killed at one point: many of them share one operator, and one SIGKILL.

A scenario is a generator. Up to its first `yield` it sets up; up to the second it brings its deletion to the point
where one call is held; then the operator is killed and started again; the rest says what must be true.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any, TypeVar

import pytest

from tests.support.cloud import Cloud
from tests.support.door import Door
from tests.support.operator import OperatorProcess
from tests.support.scene import Scene
from tests.support.side_by_side import Corner
from tests.support.tenant import Tenant

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., Any])
Scenario = Callable[[Scene], Iterator[None]]

# They mostly wait; the machine has two cores.
AT_ONCE = 16

_scenarios: dict[tuple[str, str], Scenario] = {}


class _Run:
    """One scenario under way; the first thing that went wrong ends it."""

    def __init__(self, scenario: Scenario, tenant: AbstractContextManager[Tenant], door: Door) -> None:
        self._scenario, self._tenant, self._door = scenario, tenant, door
        self._steps: Iterator[None] = iter(())
        self._stack = ExitStack()
        self.error: BaseException | None = None

    def begin(self) -> None:
        self._steps = self._scenario(Scene(self._stack.enter_context(self._tenant), self._door))

    def step(self, *, is_last: bool = False) -> None:
        if self.error is not None:
            return
        try:
            ended = next(self._steps, self)
            assert (ended is self) is is_last, "a scenario has two yields"
        except BaseException as error:  # noqa: BLE001 - told by its own test
            self.error = error

    def end(self) -> None:
        self._stack.close()


class Killings:
    """What became of the scenarios of one module."""

    def __init__(
        self,
        module: str,
        names: Iterable[str],
        living: Corner,
        operator: OperatorProcess,
        door: Door,
        cloud: Cloud,
    ) -> None:
        """Run those of the module that have these names."""
        self._runs = {
            name: _Run(_scenarios[module, name], living(), door) for name in names if (module, name) in _scenarios
        }
        runs = list(self._runs.values())
        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(_Run.begin, runs))
                list(pool.map(_Run.step, runs))
            with ThreadPoolExecutor(max(len(runs), 1)) as pool:
                # All at once: what is held is given up after a while.
                list(pool.map(_Run.step, runs))
            operator.kill()
            door.open()
            cloud.clear_faults()
            operator.start()
            with ThreadPoolExecutor(max(len(runs), 1)) as pool:
                list(pool.map(lambda run: run.step(is_last=True), runs))
        finally:
            for run in runs:
                run.end()

    def tell(self, name: str) -> None:
        """Raise what the scenario raised, if anything."""
        error = self._runs[name].error
        if error is not None:
            raise error


def kill_point(scenario: Scenario) -> Callable[[Killings], None]:
    """Let this test share the kill with its like in the module."""
    name = scenario.__name__
    _scenarios[scenario.__module__, name] = scenario

    def test(kill_scenarios: Killings) -> None:
        kill_scenarios.tell(name)

    return _as(scenario, test)


def kill_points(
    cases: Mapping[str, T],
) -> Callable[[Callable[[Scene, T], Iterator[None]]], Callable[[Killings, str], None]]:
    """The same for a test with several cases, by their ids."""

    def of(scenario: Callable[[Scene, T], Iterator[None]]) -> Callable[[Killings, str], None]:
        for key, case in cases.items():
            _scenarios[scenario.__module__, f"{scenario.__name__}[{key}]"] = partial(_with_case, scenario, case)

        def test(kill_scenarios: Killings, case: str) -> None:
            kill_scenarios.tell(f"{scenario.__name__}[{case}]")

        return pytest.mark.parametrize("case", cases)(_as(scenario, test))

    return of


def _with_case(scenario: Callable[[Scene, T], Iterator[None]], case: T, scene: Scene) -> Iterator[None]:
    return scenario(scene, case)


def _as(scenario: Callable[..., object], test: Test) -> Test:
    test.__name__ = test.__qualname__ = scenario.__name__
    test.__module__ = scenario.__module__
    return test
