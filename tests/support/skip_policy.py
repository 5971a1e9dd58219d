"""In CI a skipped test is a failed run: what was not run was not shown to work.

A pytest plugin, loaded by tests/conftest.py. Which tests were skipped and why is in pytest's own summary (-ra).
"""

import os
from collections.abc import Mapping

import pytest
from _pytest.terminal import TerminalReporter


def is_ci(environment: Mapping[str, str]) -> bool:
    return environment.get("CI", "").lower() not in {"", "0", "false"}


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not isinstance(reporter, TerminalReporter) or not is_ci(os.environ):
        return
    if reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and is_ci(os.environ):
        terminalreporter.write_line(
            f"{len(skipped)} skipped, and CI is set: nothing may be skipped there, so the run fails.", red=True
        )
