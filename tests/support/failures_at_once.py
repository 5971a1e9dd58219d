"""Names a failed test when it fails, not only in the summary: the whole run takes minutes.

A pytest plugin, loaded by tests/conftest.py. It names tests of xdist's workers, too.
"""

import pytest
from _pytest.terminal import TerminalReporter


class FailuresAtOnce:
    """Writes one line for each failed test, set-up or tear-down."""

    def __init__(self, reporter: TerminalReporter) -> None:
        self._reporter = reporter

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            where = "" if report.when == "call" else f" ({report.when})"
            # Not ensure_newline: it does not know the dots that xdist writes.
            self._reporter.write_line("")
            self._reporter.write_line(f"FAILED {report.nodeid}{where}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, TerminalReporter):
        config.pluginmanager.register(FailuresAtOnce(reporter))
