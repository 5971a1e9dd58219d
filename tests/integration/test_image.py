"""The image, as far as it can be seen without a container engine: its build stage is run and what it makes is tried."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.crds import REPOSITORY
from tests.support.dockerfile import instructions, run_stage, stages

DOCKERFILE = REPOSITORY / "Dockerfile"
NOTHING = {"PATH": "/nonexistent", "LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the last stage copies as /opt/operator."""
    root = tmp_path_factory.mktemp("image")
    run_stage(stages(DOCKERFILE)[0], REPOSITORY, root)
    return root / "opt" / "operator"


def python(built: Path, code: str) -> str:
    """What a program says with nothing around it: no PATH, no HOME, no variable of ours."""
    command = [str(built / "bin" / "python"), "-I", "-c", code]
    return subprocess.run(command, env=NOTHING, capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603


def said(built: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    command = [str(built / "bin" / "modelarts-nodepool"), *args]
    return subprocess.run(command, env=NOTHING, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


def test_the_linter_has_no_objection() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, str(DOCKERFILE)], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_built_runs(built: Path) -> None:
    assert "Run the operator until SIGTERM or Ctrl-C." in said(built, "run", "--help").stdout
    assert "may be uninstalled" in said(built, "uninstall-check", "--help").stdout


def test_the_lab_is_not_in_it(built: Path) -> None:
    assert not list(built.rglob("modelarts_nodepool/lab"))
    assert said(built, "simulate").returncode == 2
    assert said(built, "demo").returncode == 2


def test_every_module_imports_with_the_locked_packages_alone(built: Path) -> None:
    code = (
        "import importlib, pkgutil, modelarts_nodepool as package\n"
        "for found in pkgutil.walk_packages(package.__path__, 'modelarts_nodepool.'):\n"
        "    if not found.name.endswith(('.__main__', '.generate', '.shipped')):\n"
        "        importlib.import_module(found.name)\n"
        "print('all of them')\n"
    )
    assert python(built, code) == "all of them\n"


def test_exactly_what_is_locked_is_installed_and_no_installer(built: Path) -> None:
    code = "import importlib.metadata as m\nfor d in m.distributions(): print(d.metadata['Name'], d.version)"
    installed = {normal(line) for line in python(built, code).splitlines()}
    text = (REPOSITORY / "requirements" / "run.txt").read_text()
    # Lines with a marker are for other platforms or other versions of Python.
    locked = re.findall(r"^([\w.-]+)==([^\s;]+)( ;.*)?", text, re.MULTILINE)
    always = {normal(f"{name} {version}") for name, version, marker in locked if not marker}
    ours = {normal(f"modelarts-nodepool-operator {project()['version']}")}
    assert always | ours <= installed
    assert installed <= ours | {normal(f"{name} {version}") for name, version, _ in locked}


def test_it_runs_as_a_number_without_a_shell_and_says_what_it_is() -> None:
    last = dict(stages(DOCKERFILE)[-1])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert last["ENTRYPOINT"] == '["modelarts-nodepool"]'
    assert last["CMD"] == '["run"]'
    assert "RUN" not in last
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in last["LABEL"]


def test_the_base_can_be_given_by_digest() -> None:
    assert next(instructions(DOCKERFILE)) == ("ARG", "PYTHON=python:3.13-slim")
    assert [stage[0][1] for stage in stages(DOCKERFILE)] == ["${PYTHON} AS build", "${PYTHON}"]


def test_the_wheel_is_built_with_what_the_project_says() -> None:
    build = (REPOSITORY / "requirements" / "build.txt").read_text()
    (backend,) = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["build-system"]["requires"]
    assert f"{backend} \\\n" in build


def normal(words: str) -> str:
    return re.sub(r"[-_.]+", "-", words.partition(" ")[0]).lower() + " " + words.partition(" ")[2]


def project() -> dict[str, str]:
    found = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert isinstance(found, dict)
    return found
