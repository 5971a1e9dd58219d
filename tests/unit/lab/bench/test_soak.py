import pytest

from lab.bench.soak import levels


def samples(*memory: float, **others: float) -> list[dict[str, float]]:
    return [{"memory_mib": value, "threads": 4.0, **others} for value in memory]


def verdicts(found: list[dict[str, float]]) -> dict[str, bool]:
    return {level.what: level.is_flat for level in levels(found)}


def test_growth_while_warming_up_is_allowed() -> None:
    assert verdicts(samples(50, 70, 90, 100, 100, 100, 100, 100, 100)) == {"memory_mib": True, "threads": True}


def test_growth_that_goes_on_is_found() -> None:
    assert not verdicts(samples(50, 70, 90, 100, 105, 110, 115, 120, 125))["memory_mib"]


def test_one_outlier_is_no_growth() -> None:
    assert verdicts(samples(90, 90, 90, 100, 100, 100, 100, 100, 900))["memory_mib"]


def test_connections_that_pile_up_are_found() -> None:
    piling = [sample | {"sockets": 10.0 + 3 * number} for number, sample in enumerate(samples(*[100.0] * 9))]
    assert verdicts(piling) == {"memory_mib": True, "threads": True, "sockets": False}


def test_objects_that_are_not_forgotten_are_found() -> None:
    leaking = [sample | {"objects": 300.0 + 10 * number} for number, sample in enumerate(samples(*[100.0] * 9))]
    assert verdicts(leaking) == {"memory_mib": True, "threads": True, "objects": False}


def test_too_few_samples_are_not_judged() -> None:
    with pytest.raises(ValueError, match="soak for longer"):
        levels(samples(*[100.0] * 8))
