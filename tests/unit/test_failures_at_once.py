from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

FAILING = """
import pytest

@pytest.fixture
def broken():
    raise OSError

def test_fails():
    assert 1 == 2

def test_is_not_set_up(broken):
    pass

def test_runs():
    pass
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_failed_test_is_named_before_the_summary(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_some=FAILING)
    pytest_run = pytester.runpytest_subprocess if workers else pytester.runpytest_inprocess
    run = pytest_run("-p", "xdist", f"-n{workers}", "-p", "tests.support.failures_at_once")
    summary = next(number for number, line in enumerate(run.outlines) if "=== ERRORS ===" in line)
    named = [line for line in run.outlines[:summary] if line.startswith("FAILED ")]
    assert sorted(named) == ["FAILED test_some.py::test_fails", "FAILED test_some.py::test_is_not_set_up (setup)"]
