"""What `modelarts-nodepool simulate` says without serving anything."""

from pathlib import Path

from click.testing import CliRunner, Result

from lab.simulator.command import simulate


def run(*arguments: str) -> Result:
    return CliRunner().invoke(simulate, list(arguments))


def test_only_loopback_is_served() -> None:
    ended = run("--host", "192.0.2.1")

    assert ended.exit_code == 2
    assert "--host 192.0.2.1 is refused" in ended.output
    assert "use --host 127.0.0.1" in ended.output


def test_a_wrong_scenario_is_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("timings:\n  deleteSecond: 3\n")

    ended = run("--scenario", str(file))

    assert ended.exit_code == 2
    assert f"{file}:2: timings.deleteSecond: unknown key; did you mean deleteSeconds?" in ended.output


def test_help_describes_every_key_of_a_scenario() -> None:
    ended = run("--help-scenario")

    assert ended.exit_code == 0
    assert "deleteSeconds: number, default 5" in ended.output
