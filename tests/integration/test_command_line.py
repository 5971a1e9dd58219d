"""What the command says to people: help, and settings that are wrong. No cluster is needed for any of it."""

import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import clean_environment, command_line, fork_server, run, run_anew
from tests.support.limits import HANGING_SECONDS

pytestmark = pytest.mark.long

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: me, user: {token: not-a-token}}]
"""
FINE = ("run", "--operator-namespace", "modelarts-system", "--http-host", "127.0.0.1", "--http-port", "0")


def refused(*args: str, **environment: str) -> str:
    """Exit code 2 and words on standard error, never a traceback."""
    done = run(*args, **environment)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert not done.stdout
    return done.stderr


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return str(path)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--endpoint", "https://modelarts.example.com"), "REGION=URL"),
        (("--endpoint", "cn-north-4=ftp://modelarts.example.com"), "https://"),
        (("--endpoint", "cn-north-4=http://modelarts.example.com"), "http://"),
        (("--endpoint", "cn-north-4=https://a.example.com", "--endpoint", "cn-north-4=https://b.example.com"), "twice"),
        (("--ca-bundle", "/nowhere/bundle.pem"), "/nowhere/bundle.pem"),
        (("--ca-bundle", __file__), "openssl x509"),
        (("--operator-namespace", "Not_A_Name"), "--operator-namespace"),
        (("--operator-namespace", "../secrets"), "--operator-namespace"),
        (("--http-port", "99999"), "--http-port"),
        (("--log-format", "xml"), "--log-format"),
        (("--log-level", "chatty"), "--log-level"),
        (("--no-such-flag",), "--no-such-flag"),
        (("--kubeconfig", "/nowhere/kubeconfig"), "/nowhere/kubeconfig"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_setting_ends_with_exit_code_2_and_names_it(kubeconfig: str, args: tuple[str, ...], words: str) -> None:
    assert words in refused(*FINE, "--kubeconfig", kubeconfig, *args)


def test_a_wrong_variable_is_refused_like_the_flag(kubeconfig: str) -> None:
    said = refused(*FINE, "--kubeconfig", kubeconfig, MODELARTS_NODEPOOL_ENDPOINT="cn-north-4=http://example.com")
    assert "http://" in said


def test_a_port_that_is_taken_is_named_with_the_flag_that_chooses_another(kubeconfig: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused(*FINE, "--kubeconfig", kubeconfig, "--http-port", port)
    assert port in said
    assert "--http-port" in said


def test_a_kubeconfig_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text("{")
    assert str(path) in refused(*FINE, "--kubeconfig", str(path))


def test_without_a_cluster_it_says_where_it_looked(tmp_path: Path) -> None:
    assert "KUBECONFIG" in refused(*FINE, HOME=str(tmp_path))


@pytest.mark.parametrize(
    "command", [(), ("run",), ("doctor",), ("inventory",), ("why",), ("simulate",), ("demo",)], ids=" ".join
)
def test_help_is_printed_and_fits_the_screen(command: tuple[str, ...]) -> None:
    done = run_anew(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_lab_adds_its_commands_where_it_is_installed() -> None:
    words = run("--help").stdout
    assert "\n  demo  " in words
    assert "\n  simulate  " in words
    assert "Without a cluster, everything at once on this machine" in words


def test_a_plugin_adds_a_command_and_replaces_none_of_the_operators(tmp_path: Path) -> None:
    (tmp_path / "another.py").write_text(
        "import click\nhello = click.command('hello')(lambda: click.echo('plugged in'))\n"
    )
    metadata = tmp_path / "another-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1\n")
    points = "[modelarts_nodepool.commands]\nhello = another:hello\ndoctor = another:hello\n"
    (metadata / "entry_points.txt").write_text(points)
    path = {"PYTHONPATH": str(tmp_path)}
    # PYTHONPATH is for an interpreter that starts.
    assert "\n  hello\n" in run_anew("--help", **path).stdout
    assert run_anew("hello", **path).stdout == "plugged in\n"
    assert run_anew("doctor", "--help", **path).stdout == run("doctor", "--help").stdout


def test_the_help_of_run_names_a_variable_for_each_of_its_flags() -> None:
    words = run("run", "--help").stdout
    flags = [
        "OPERATOR_NAMESPACE",
        "ENDPOINT",
        "CA_BUNDLE",
        "KUBECONFIG",
        "HTTP_HOST",
        "HTTP_PORT",
        "LOG_FORMAT",
        "LOG_LEVEL",
    ]
    for flag in [*flags, "LEADER_ELECTION"]:
        assert f"MODELARTS_NODEPOOL_{flag}" in words


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("doctor", "--service-account", "operator"), "NAMESPACE/NAME"),
        (("doctor", "--service-account", "Upper/operator"), "--service-account"),
        (("doctor", "-o", "yaml"), "'table', 'json'"),
        (("doctor", "--context", "nowhere"), "kubectl config get-contexts"),
        (("doctor", "--endpoint", "cn-north-4"), "REGION=URL"),
        (("doctor", "more"), "more"),
        (("inventory", "-o", "yaml"), "--namespace"),
        (("inventory", "-o", "yaml", "--namespace", "Not_A_Name"), "--namespace"),
        (("inventory", "--namespace", "ml"), "-o yaml"),
        (("inventory", "--deletion-policy", "Delete"), "-o yaml"),
        (("inventory", "-o", "yaml", "--namespace", "ml", "--deletion-policy", "Keep"), "'Delete', 'Retain'"),
        (("inventory", "--pool", "../x"), "--pool is '../x'"),
        (("inventory", "-o", "csv"), "'table', 'wide', 'json', 'yaml'"),
        (("why",), "[NAMESPACE/]NAME"),
        (("why", "a/b/c"), "NAMESPACE/NAME"),
        (("why", "ml/"), "NAMESPACE/NAME"),
        (("why", "Not_A_Name/training-a"), "the namespace is 'Not_A_Name'"),
        (("why", "ml/training-a", "-n", "other"), "different namespaces"),
        (("why", "ml/training-a", "-o", "yaml"), "'text', 'json'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_of_the_commands_for_people_is_refused(kubeconfig: str, args: tuple[str, ...], words: str) -> None:
    command, *others = args
    assert words in refused(command, "--kubeconfig", kubeconfig, *others)


@pytest.mark.parametrize(
    ("command", "stream"), [("doctor", "stdout"), ("inventory", "stderr"), ("why training-a", "stderr")]
)
def test_without_an_api_server_they_fail_and_name_it(kubeconfig: str, command: str, stream: str) -> None:
    done = run(*command.split(), "--kubeconfig", kubeconfig)
    assert done.returncode == 1
    assert "https://127.0.0.1:1 did not answer" in getattr(done, stream)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("args", [("why", "--help"), ("why",), ("doctor",), ("inventory",)], ids=" ".join)
def test_a_fork_says_and_does_what_a_new_interpreter_does(kubeconfig: str, args: tuple[str, ...]) -> None:
    done, anew = (way(*args, KUBECONFIG=kubeconfig) for way in (run, run_anew))
    assert (done.returncode, done.stdout, done.stderr) == (anew.returncode, anew.stdout, anew.stderr)


def test_a_fork_that_does_not_end_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        path = tmp_path / "kubeconfig"
        path.write_text(KUBECONFIG.replace("127.0.0.1:1", f"127.0.0.1:{silent.getsockname()[1]}"))
        with pytest.raises(subprocess.TimeoutExpired):
            fork_server().run(("why", "training-a"), clean_environment(KUBECONFIG=str(path)), 0.1)


def test_an_unknown_command_is_refused() -> None:
    assert "delete-everything" in refused("delete-everything")


def test_a_full_disk_is_named_and_is_no_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - ours
            command_line("why", "--help"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=HANGING_SECONDS,
            env=clean_environment(),
        )
    assert done.returncode == 1
    assert done.stderr == "modelarts-nodepool: the output is not complete: No space left on device\n"
