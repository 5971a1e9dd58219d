"""The image, as far as it can be seen without a container engine: its build stage is run and what it makes is tried."""

import http.server
import os
import re
import ssl
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from tests.support.certificates import Authority
from tests.support.crds import REPOSITORY
from tests.support.dockerfile import instructions, run_stage, stages

pytestmark = pytest.mark.long

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
    return subprocess.run(command, env=NOTHING, capture_output=True, text=True, check=True, timeout=240).stdout  # noqa: S603


def said(built: Path, *args: str, command: str = "modelarts-nodepool") -> "subprocess.CompletedProcess[str]":
    words = [str(built / "bin" / command), *args]
    return subprocess.run(words, env=NOTHING, capture_output=True, text=True, check=False, timeout=240)  # noqa: S603


def test_the_linter_has_no_objection() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, str(DOCKERFILE)], capture_output=True, text=True, check=False, timeout=240)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_built_runs(built: Path) -> None:
    assert "Run the operator until SIGTERM or Ctrl-C." in said(built, "run", "--help").stdout
    assert "may be uninstalled" in said(built, "uninstall-check", "--help").stdout


def test_the_plugin_of_kubectl_is_in_it(built: Path) -> None:
    assert said(built, "why", "--help", command="kubectl-modelarts").stdout.startswith("Usage: kubectl modelarts why ")
    assert said(built, "wh", command="kubectl_complete-modelarts").stdout.splitlines() == [
        "why\tExplain what a deletion of one object would do now.",
        ":4",
    ]


class Mirror(http.server.ThreadingHTTPServer):
    """A package index that has nothing and remembers what it was asked for, behind a private authority."""

    def __init__(self, certificate: Path) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Empty)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the certificate hangs up; that is what one test is about."""


class _Empty(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Mirror)
        self.server.asked.append(self.path)
        self.send_error(404)

    @override
    def log_message(self, *_: object) -> None:
        """pytest's output is for pytest."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Mirror, dict[str, Path]]]:
    """The index, and the two files that a person behind it gives to `make image`."""
    authority = Authority.made_in(tmp_path / "authority")
    with Mirror(authority.sign("mirror", "IP:127.0.0.1")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        conf = tmp_path / "pip.conf"
        conf.write_text(f"[global]\nindex-url = https://127.0.0.1:{server.server_port}/simple\nretries = 0\n")
        try:
            yield server, {"pip-conf": conf, "pip-ca": authority.folder / "ca.crt"}
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("has_ca", [True, False], ids=["with its authority", "without"])
def test_packages_come_from_the_mirror_that_is_given_as_a_secret(
    mirror: tuple[Mirror, dict[str, Path]], tmp_path: Path, *, has_ca: bool
) -> None:
    server, secrets = mirror
    root = tmp_path / "root"
    root.mkdir()
    given = secrets if has_ca else {"pip-conf": secrets["pip-conf"]}
    with pytest.raises(AssertionError) as failed:
        run_stage(stages(DOCKERFILE)[0], REPOSITORY, root, secrets=given, pip={})
    if has_ca:
        assert len(server.asked) == 1
        assert server.asked[0].startswith("/simple/")
    else:
        assert server.asked == []
        assert "CERTIFICATE_VERIFY_FAILED" in str(failed.value)


def test_make_hands_the_mirror_to_the_engine_as_secrets_and_names_a_file_that_is_missing(tmp_path: Path) -> None:
    def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = ["make", "image", "CONTAINER=echo", *arguments]
        # Not a part of the make that may run the tests: it would say which directory it enters and leaves.
        env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(  # noqa: S603
            command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False, timeout=240
        )

    conf = tmp_path / "pip.conf"
    conf.write_text("[global]\n")
    words = make(f"PIP_CONF={conf}", f"PIP_CA={conf}", "BUILD_FLAGS=--no-cache").stdout.splitlines()[-1]
    assert f"--secret id=pip-conf,src={conf} --secret id=pip-ca,src={conf} --no-cache ." in words
    assert "--secret" not in make().stdout.splitlines()[-1]
    missing = make(f"PIP_CONF={tmp_path}/none")
    assert missing.returncode == 2
    assert f"No such file, or it is empty: {tmp_path}/none" in missing.stderr


def test_bytecode_is_there_so_that_a_start_on_a_read_only_disk_compiles_nothing(built: Path) -> None:
    code = (
        "import sys, modelarts_nodepool.app, modelarts_nodepool.cli\n"
        "from pathlib import Path\n"
        "files = [m.__spec__.cached for m in list(sys.modules.values()) if getattr(m, '__spec__', None)]\n"
        "print([path for path in files if path and 'site-packages' in path and not Path(path).exists()])\n"
    )
    assert python(built, code) == "[]\n"


def test_a_shell_is_found_on_its_path() -> None:
    path = dict(pair.split("=", 1) for pair in dict(stages(DOCKERFILE)[-1])["ENV"].split())["PATH"].split(":")
    assert path[0] == "/opt/operator/bin"
    assert {"/bin", "/usr/bin", "/usr/local/bin"} <= set(path)


def test_help_offers_only_what_is_there(built: Path) -> None:
    assert "demo" not in said(built, "--help").stdout


def test_the_lab_is_not_in_it(built: Path) -> None:
    assert python(built, "import importlib.util as u; print([n for n in ('lab', 'tools') if u.find_spec(n)])") == "[]\n"
    for command in ("simulate", "demo"):
        refused = said(built, command)
        assert refused.returncode == 2
        assert refused.stderr == (
            f"Error: `{command}` is a command of the lab, which is not installed here. "
            "Clone the repository and run `make setup` there.\n"
        )


def test_the_wheel_holds_the_operator_alone(built: Path) -> None:
    (wheel,) = (built.parents[1] / "wheels").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
    assert {name for name in folders if not name.endswith(".dist-info")} == {"modelarts_nodepool"}


def test_every_module_imports_with_the_locked_packages_alone(built: Path) -> None:
    code = (
        "import importlib, pkgutil, modelarts_nodepool as package\n"
        "for found in pkgutil.walk_packages(package.__path__, 'modelarts_nodepool.'):\n"
        "    if not found.name.endswith('.__main__'):\n"
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
