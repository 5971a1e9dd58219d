from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

SHORT = "def test_short():\n    pass\n"
LONG = "import pytest\n\npytestmark = pytest.mark.long\n\ndef test_long():\n    pass\n"
LONGER = "import pytest\n\npytestmark = pytest.mark.long(61)\n\ndef test_longer():\n    pass\n"


@pytest.mark.parametrize(
    ("workers", "order"),
    [(1, ["test_longer", "test_long", "test_short"]), (0, ["test_short", "test_long", "test_longer"])],
)
def test_long_files_begin_first_where_files_run_side_by_side(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: int, order: list[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nmarkers = long(seconds): begins first\n")
    pytester.makepyfile(test_a=SHORT, test_b=LONG, test_c=LONGER)
    flags = ("-p", "xdist", f"-n{workers}", "--dist", "loadfile", "--no-loadscope-reorder")
    pytest_run = pytester.runpytest_subprocess if workers else pytester.runpytest_inprocess
    run = pytest_run("-v", *flags, "-p", "tests.support.order")
    passed = [line for line in run.outlines if "PASSED" in line]
    assert [line.split("::")[1].split()[0] for line in passed] == order
    run.assert_outcomes(passed=3)


def test_short_files_that_share_a_control_plane_stay_with_one_worker(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nmarkers = long: begins first\naddopts = --import-mode=importlib\n")
    body = "import time\n\ndef test_it():\n    time.sleep(0.2)\n\ndef test_more():\n    pass\n"
    for name in ("integration/admission/test_a", "integration/admission/test_b", "unit/test_c"):
        path = pytester.path / "tests" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    flags = ("-p", "xdist", "-n2", "--dist", "loadfile", "--no-loadscope-reorder")
    run = pytester.runpytest_subprocess("-v", *flags, "-p", "tests.support.order")
    passed = [line for line in run.outlines if "PASSED" in line]
    workers = {folder: {line.split("]")[0] for line in passed if folder in line} for folder in ("admission", "unit")}
    assert len(workers["admission"]) == 1
    assert workers["admission"].isdisjoint(workers["unit"])
    run.assert_outcomes(passed=6)
