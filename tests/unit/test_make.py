"""`make test` with another pytest in the place of ours: it runs both parts to their ends and says what came of them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.crds import REPOSITORY

PYTEST = """#!/bin/sh
echo "ran $*"
case "$*" in *tests/unit*) exit $FIRST ;; *) exit $SECOND ;; esac
"""
FAILED, NOTHING_CHOSEN, MAKE_FAILED = 1, 5, 2


def make_test(folder: Path, first: int, second: int, *arguments: str) -> tuple[int, list[str]]:
    """In a checkout that has nothing but the Makefile: the exit code, and the parts that ran."""
    shutil.copy(REPOSITORY / "Makefile", folder)
    # The last one says that .venv is ready in this folder.
    for name, text in (
        ("requirements/dev.txt", ""),
        ("pyproject.toml", ""),
        ("lab/pyproject.toml", ""),
        (".venv/bin/python", "#!/bin/sh\n"),
        (".venv/bin/pytest", PYTEST),
        (".venv/.ready", str(folder)),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    # Not a part of the make that may run the tests.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(  # noqa: S603
        ["make", "-s", "test", *arguments],  # noqa: S607 - whichever there is
        cwd=folder,
        env=env | {"FIRST": str(first), "SECOND": str(second)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("ran ")]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0, 0, 0),
        (FAILED, 0, MAKE_FAILED),
        (0, FAILED, MAKE_FAILED),
        (NOTHING_CHOSEN, 0, 0),
        (0, NOTHING_CHOSEN, 0),
        (NOTHING_CHOSEN, FAILED, MAKE_FAILED),
        (NOTHING_CHOSEN, NOTHING_CHOSEN, MAKE_FAILED),
    ],
)
def test_both_parts_run_and_the_exit_code_tells_of_both(tmp_path: Path, first: int, second: int, expected: int) -> None:
    code, ran = make_test(tmp_path, first, second, "ARGS=-n0 -k name")
    assert code == expected
    assert ["tests/unit" in part for part in ran] == [True, False]
    assert all(part.endswith("--durations=15 -n0 -k name") for part in ran)


def test_together_they_are_all_tests(tmp_path: Path) -> None:
    _, ran = make_test(tmp_path, 0, 0)
    parts = {Path(word).name for part in ran for word in part.split() if word.startswith("tests/")}
    folders = {path.parent.relative_to(REPOSITORY / "tests").parts[0] for path in REPOSITORY.glob("tests/**/test_*.py")}
    assert parts == folders


def test_a_path_is_run_alone(tmp_path: Path) -> None:
    code, ran = make_test(tmp_path, 0, 0, "ARGS=tests/unit/test_make.py")
    assert code == 0
    assert [part.split()[-1] for part in ran] == ["tests/unit/test_make.py"]
