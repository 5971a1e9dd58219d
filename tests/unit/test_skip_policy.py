from pathlib import Path

import pytest

from tests.support.skip_policy import is_ci

pytest_plugins = ("pytester",)

SKIPPING = """
import pytest

def test_runs():
    pass

@pytest.mark.skip(reason="no control plane")
def test_left_out():
    pass
"""


@pytest.mark.parametrize(
    ("ci", "code"), [("true", pytest.ExitCode.TESTS_FAILED), ("", pytest.ExitCode.OK)], ids=["in CI", "at home"]
)
def test_a_skipped_test_fails_the_run_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, code: pytest.ExitCode
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makepyfile(SKIPPING)
    run = pytester.runpytest_subprocess("-ra", "-p", "tests.support.skip_policy")
    assert run.ret == code
    run.stdout.fnmatch_lines(["*no control plane*"])
    assert any("the run fails" in line for line in run.outlines) == bool(ci)


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)]
)
def test_ci_is_told_by_its_variable(value: str, *, expected: bool) -> None:
    assert is_ci({"CI": value}) is expected
