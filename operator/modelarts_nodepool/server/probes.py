"""The answers of /livez and /readyz, and the gauges of /metrics, of the leader and of the standby.

app.py calls `lead` and `stand_by` for each term. The HTTP server's thread calls the rest: it only reads, and each
attribute once.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from modelarts_nodepool import metrics
from modelarts_nodepool.metrics import Sample
from modelarts_nodepool.server.gauges import Gauges
from modelarts_nodepool.server.http_server import Heartbeat
from modelarts_nodepool.watch.supervisor import Health, Supervisor


class Election(Protocol):
    """The Lease of this process; from any thread."""

    @property
    def problem(self) -> str:
        """Why the Lease could not be read or written lately; empty if it could."""

    def holds(self) -> bool:
        """Whether the process holds the Lease now, by its own clock."""


class Probes:
    """Answers for `/livez`, `/readyz` and the gauges of `/metrics`."""

    def __init__(self, heartbeat: Heartbeat, election: Election | None) -> None:
        """Starts as standby; `election` is None without leader election."""
        self._heartbeat = heartbeat
        self._election = election
        self._leading: tuple[Supervisor, Gauges] | None = None
        self._failed = ""

    def lead(self, supervisor: Supervisor, gauges: Gauges) -> None:
        """A term as leader begins."""
        self._leading = (supervisor, gauges)

    def stand_by(self) -> None:
        """The term has ended."""
        if self._leading is not None and self._leading[0].has_worked():
            self._failed = ""
        self._leading = None

    def pause(self, error: str, pause: timedelta) -> None:
        """This process fails repeatedly as the leader. It pauses, and should be restarted."""
        self._failed = f"the work as leader failed repeatedly ({error})"
        if self._election is not None:
            self._failed += f"; the Lease was released for at least {pause.total_seconds():.0f} s"

    def livez(self) -> Health:
        """Fails if a restart would help: a blocked event loop, a leader without watch and resync, repeated failures.

        After repeated failures the leader has to work for a minute before it is alive again: otherwise each retry
        would make it look healthy.
        """
        leading = self._leading
        health = leading[0].livez() if leading else Health("standby")
        failed = self._failed if leading is None or not leading[0].has_worked() else ""
        problems = (*self._heartbeat.problems(), *health.problems, *((failed,) if failed else ()))
        return Health(health.role, problems)

    def readyz(self) -> Health:
        """Ready if the leader works, or if the standby could take over."""
        leading = self._leading
        if leading is None:
            problem = self._election.problem if self._election else ""
            lease = (f"the Lease cannot be read or written: {problem}",) if problem else ()
            return Health("standby", (*((self._failed,) if self._failed else ()), *lease))
        if not self._may_act():
            return Health("leader", ("the Lease is lost; the operator is stopping its work",))
        health, unwritable = leading[0].readyz(), leading[1].unwritable()
        return replace(health, problems=(*health.problems, unwritable)) if unwritable else health

    def samples(self) -> Iterator[Sample]:
        """The gauges. A process that does not lead has none but `leader`: another process reports the objects."""
        leading, may_act = self._leading, self._may_act()
        yield metrics.LEADER, (), float(leading is not None and may_act)
        if leading is not None and may_act:
            yield from leading[1].samples()

    def _may_act(self) -> bool:
        return self._election is None or self._election.holds()
