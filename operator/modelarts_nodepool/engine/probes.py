"""What the process says of itself to the kubelet and to Prometheus, as leader and as standby.

Joined in app.py, which tells it of each leadership. Everything is asked in the HTTP server's thread: it only reads,
and each attribute once.
"""

from collections.abc import Iterator

from modelarts_nodepool import metrics
from modelarts_nodepool.engine.gauges import Gauges
from modelarts_nodepool.engine.health import Health, Heartbeat
from modelarts_nodepool.engine.supervisor import Supervisor
from modelarts_nodepool.kube.leases import Elector
from modelarts_nodepool.metrics import Sample


class Probes:
    """Answers for `/livez`, `/readyz` and the gauges of `/metrics`."""

    def __init__(self, heartbeat: Heartbeat, elector: Elector | None) -> None:
        """Standing by; `elector` is None where there is no Lease to hold."""
        self._heartbeat = heartbeat
        self._elector = elector
        self._leading: tuple[Supervisor, Gauges] | None = None

    def lead(self, supervisor: Supervisor, gauges: Gauges) -> None:
        """From now on these tell."""
        self._leading = (supervisor, gauges)

    def stand_by(self) -> None:
        """The work has ended."""
        self._leading = None

    def livez(self) -> Health:
        """Whether a restart would help: a stuck event loop, or a leader that neither watches nor sweeps."""
        leading = self._leading
        health = leading[0].livez() if leading else Health("standby")
        return Health(health.role, (*self._heartbeat.problems(), *health.problems))

    def readyz(self) -> Health:
        """Whether the leader works, or the standby could take over."""
        leading = self._leading
        if leading is None:
            problem = self._elector.problem if self._elector else ""
            return Health("standby", (f"the Lease cannot be had: {problem}",) if problem else ())
        if not self._may_act():
            return Health("leader", ("the Lease is not held any more, and the work is being ended",))
        return leading[0].readyz()

    def samples(self) -> Iterator[Sample]:
        """What a former leader remembers is another's to tell: it shows nothing but that it does not lead."""
        leading, may_act = self._leading, self._may_act()
        yield metrics.LEADER, (), float(leading is not None and may_act)
        if leading is not None and may_act:
            yield from leading[1].samples()

    def _may_act(self) -> bool:
        return self._elector is None or self._elector.holds()
