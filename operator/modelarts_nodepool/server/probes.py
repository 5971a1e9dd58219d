"""What the process says of itself to the kubelet and to Prometheus, as leader and as standby.

Joined in app.py, which tells it of each leadership. Everything is asked in the HTTP server's thread: it only reads,
and each attribute once.
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
    """Whether this process holds the Lease, and why it could not be read or written lately; from any thread."""

    @property
    def problem(self) -> str:
        """Empty where it could."""

    def holds(self) -> bool:
        """Right now, by its own clock."""


class Probes:
    """Answers for `/livez`, `/readyz` and the gauges of `/metrics`."""

    def __init__(self, heartbeat: Heartbeat, election: Election | None) -> None:
        """Standing by; `election` is None where there is no Lease to hold."""
        self._heartbeat = heartbeat
        self._election = election
        self._leading: tuple[Supervisor, Gauges] | None = None
        self._failed = ""

    def lead(self, supervisor: Supervisor, gauges: Gauges) -> None:
        """From now on these tell."""
        self._leading = (supervisor, gauges)

    def stand_by(self) -> None:
        """The work has ended."""
        if self._leading is not None and self._leading[0].has_worked():
            self._failed = ""
        self._leading = None

    def rest(self, error: str, rest: timedelta) -> None:
        """As the leader this process fails again and again: it stands back, and a restart would be better."""
        self._failed = f"the work as leader failed again and again ({error})"
        if self._election is not None:
            self._failed += f", so the Lease was given back for {rest.total_seconds():.0f} s at least"

    def livez(self) -> Health:
        """Whether a restart would help: a stuck event loop, a leader that neither watches nor sweeps, or cannot work.

        One that could not work has to work for a minute before it counts as well again: one that tries it anew would
        otherwise look well each time.
        """
        leading = self._leading
        health = leading[0].livez() if leading else Health("standby")
        failed = self._failed if leading is None or not leading[0].has_worked() else ""
        problems = (*self._heartbeat.problems(), *health.problems, *((failed,) if failed else ()))
        return Health(health.role, problems)

    def readyz(self) -> Health:
        """Whether the leader works, or the standby could take over."""
        leading = self._leading
        if leading is None:
            problem = self._election.problem if self._election else ""
            lease = (f"the Lease cannot be had: {problem}",) if problem else ()
            return Health("standby", (*((self._failed,) if self._failed else ()), *lease))
        if not self._may_act():
            return Health("leader", ("the Lease is not held any more, and the work is being ended",))
        health, unwritable = leading[0].readyz(), leading[1].unwritable()
        return replace(health, problems=(*health.problems, unwritable)) if unwritable else health

    def samples(self) -> Iterator[Sample]:
        """What a former leader remembers is another's to tell: it shows nothing but that it does not lead."""
        leading, may_act = self._leading, self._may_act()
        yield metrics.LEADER, (), float(leading is not None and may_act)
        if leading is not None and may_act:
            yield from leading[1].samples()

    def _may_act(self) -> bool:
        return self._election is None or self._election.holds()
