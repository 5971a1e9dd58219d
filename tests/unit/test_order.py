from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

SHORT = "def test_short():\n    pass\n"
LONG = "import pytest\n\npytestmark = pytest.mark.long\n\ndef test_long():\n    pass\n"


@pytest.mark.parametrize(("workers", "first"), [(1, "test_long"), (0, "test_short")])
def test_a_long_file_begins_first_where_files_run_side_by_side(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: int, first: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nmarkers = long: begins first\n")
    pytester.makepyfile(test_a=SHORT, test_b=LONG)
    flags = ("-p", "xdist", f"-n{workers}", "--dist", "loadfile", "--no-loadscope-reorder")
    run = pytester.runpytest_subprocess("-v", *flags, "-p", "tests.support.order")
    passed = [line for line in run.outlines if "PASSED" in line]
    assert first in passed[0]
    run.assert_outcomes(passed=2)
