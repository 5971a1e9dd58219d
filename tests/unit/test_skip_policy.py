from pathlib import Path

import pytest

from tests.support.skip_policy import is_ci

pytest_plugins = ("pytester",)

LEFT_OUT = """
import pytest

pytest.skip("no control plane", allow_module_level=True)
"""

SKIPPING = """
import pytest

def test_runs():
    pass

@pytest.mark.skip(reason="no control plane")
def test_left_out():
    pass
"""


@pytest.mark.parametrize(
    ("text", "workers", "ci"),
    [
        pytest.param(SKIPPING, 0, "true", id="a test"),
        pytest.param(SKIPPING, 2, "true", id="a test, side by side"),
        pytest.param(LEFT_OUT, 2, "true", id="a file, side by side"),
        pytest.param(SKIPPING, 0, "", id="at home"),
    ],
)
def test_a_skipped_test_fails_the_run_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str, workers: int, ci: str
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_that_skips=text, test_that_runs="def test_runs():\n    pass\n")
    pytest_run = pytester.runpytest_subprocess if workers else pytester.runpytest_inprocess
    run = pytest_run("-ra", "-p", "xdist", f"-n{workers}", "-p", "tests.support.skip_policy")
    assert run.ret == (pytest.ExitCode.TESTS_FAILED if ci else pytest.ExitCode.OK)
    run.stdout.fnmatch_lines(["*no control plane*"])
    assert any("the run fails" in line for line in run.outlines) == bool(ci)


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)]
)
def test_ci_is_told_by_its_variable(value: str, *, expected: bool) -> None:
    assert is_ci({"CI": value}) is expected
