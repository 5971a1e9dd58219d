import pytest

from lab.bench.figures import FIGURES, Figures, growth, violations
from lab.bench.scale import Scale

FINE: Figures = {figure.key: 0.0 for figure in FIGURES}


def test_figures_within_their_budgets_are_no_violations() -> None:
    at_the_bar = {figure.key: figure.bar(Scale(1000)) or 0.0 for figure in FIGURES}
    assert violations(Scale(1000), at_the_bar) == []


@pytest.mark.parametrize("key", [figure.key for figure in FIGURES if figure.is_asserted])
def test_every_count_beyond_its_budget_is_a_violation(key: str) -> None:
    (figure,) = [figure for figure in FIGURES if figure.key == key]
    bar = figure.bar(Scale(1000))
    assert bar is not None
    (found,) = violations(Scale(1000), FINE | {key: bar + 0.01})
    assert figure.title in found


@pytest.mark.parametrize("key", ["mirrored_seconds", "idle_cpu_percent", "memory_peak_mib", "delete_call_p99_ms"])
def test_what_depends_on_the_machine_is_reported_and_never_a_violation(key: str) -> None:
    assert violations(Scale(1000), FINE | {key: 1e9}) == []


def test_as_many_calls_as_resource_pools_are_allowed_in_a_poll_cycle() -> None:
    assert violations(Scale(10_000), FINE | {"calls_per_cycle": 100}) == []
    assert violations(Scale(1000), FINE | {"calls_per_cycle": 100}) != []


def test_growth_counts_memory_above_what_no_objects_need() -> None:
    small = FINE | {"mirrored_seconds": 2.0, "memory_base_mib": 70, "memory_peak_mib": 80}
    large = FINE | {"mirrored_seconds": 22.0, "memory_base_mib": 70, "memory_peak_mib": 170}
    assert growth(small, large) == {"mirrored_seconds": 11, "memory_above_base_mib": 10}


def test_growth_compares_the_time_to_delete_as_many() -> None:
    small, large = FINE | {"gone_seconds": 8.0}, FINE | {"gone_seconds": 98.0}
    assert growth(small, large) == {"gone_seconds": pytest.approx(10)}
