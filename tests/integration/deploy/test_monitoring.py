"""The alerts are what promtool takes and tests, and what the runbook explains."""

import subprocess

import yaml

from lab.toolbox import Prometheus
from tests.support.crds import REPOSITORY
from tests.support.limits import HANGING_SECONDS

MONITORING = REPOSITORY / "deploy" / "monitoring"


def promtool(prometheus: Prometheus, *args: str) -> "subprocess.CompletedProcess[str]":
    command = [str(prometheus.promtool), *args]
    return subprocess.run(command, cwd=MONITORING, capture_output=True, text=True, check=False, timeout=HANGING_SECONDS)  # noqa: S603


def test_promtool_takes_the_rules(prometheus: Prometheus) -> None:
    done = promtool(prometheus, "check", "rules", "--lint-fatal", "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_fire_and_resolve_when_they_should(prometheus: Prometheus) -> None:
    done = promtool(prometheus, "test", "rules", "rules_test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_to_fire_and_to_rest() -> None:
    tests = yaml.safe_load((MONITORING / "rules_test.yaml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    (group,) = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    alerts = {rule["alert"] for rule in group["rules"]}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == alerts
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == alerts
