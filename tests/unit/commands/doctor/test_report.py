"""The report as people and machines read it."""

import json
from datetime import timedelta

from modelarts_nodepool.commands.doctor.check import Finding, Line, failed, not_checked, ok
from modelarts_nodepool.commands.doctor.cluster import in_words
from modelarts_nodepool.commands.doctor.report import has_failed, to_json, to_text
from modelarts_nodepool.kube.rbac import Question


def line(check: str, finding: Finding, about: str = "") -> Line:
    return Line(about, check, finding, timedelta(seconds=0.5))


LINES = [
    line("API server", ok("v1.36.3")),
    line("Secret", failed("it is not there at all", "kubectl create secret generic a-name-that-is-long"), "default"),
    line("log-in", not_checked("because the check “Secret” did not succeed"), "default"),
]


def test_a_remedy_stands_below_its_row_and_is_never_broken() -> None:
    assert to_text(LINES, 10, "").splitlines()[2:5] == [
        "default: Secret   \x1b[31mFailed\x1b[0m       it is not there at all",
        "                               → kubectl create secret generic a-name-that-is-long",
        "default: log-in   \x1b[33mNotChecked\x1b[0m   because the check “Secret” did not",
    ]


def test_the_last_line_counts_the_results() -> None:
    assert to_text(LINES, None, "").splitlines()[-1] == "3 checks: 1 OK, 1 Failed, 1 NotChecked."


def test_the_json_has_every_check_with_its_remedy() -> None:
    found = json.loads(to_json(LINES, {"version": "1"}))
    assert found["version"] == "1"
    assert found["checks"][1] == {
        "account": "default",
        "check": "Secret",
        "result": "Failed",
        "message": "it is not there at all",
        "remedy": "kubectl create secret generic a-name-that-is-long",
        "seconds": 0.5,
    }
    assert found["results"] == {"OK": 1, "Warning": 0, "Failed": 1, "NotChecked": 1}


def test_only_a_failure_fails() -> None:
    assert has_failed(LINES)
    assert not has_failed([LINES[0], LINES[2]])


def test_permissions_on_the_same_thing_are_told_together() -> None:
    denied = [Question("", "secrets", "get", "op"), *(Question("", "events", verb) for verb in ("create", "patch"))]
    assert in_words(denied) == "get secrets -n op; create, patch events"
    many = [Question("", f"kind-{number}", "get") for number in range(7)]
    assert in_words(many).endswith("; and on 3 more")
