from lab.bench import counting
from lab.bench.counting import Tally
from lab.controlplane.audit import AuditEvent, AuditLog
from lab.harness.operator import OPERATOR_USER
from tests.unit.lab.bench.audit_lines import NOON, an_event

BEGAN = NOON.timestamp()


class _Growing:
    """An audit log, and how many requests have been asked for in all."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def add(self, **more: object) -> None:
        self.events.append(an_event(**({"user": OPERATOR_USER} | more)))  # type: ignore[arg-type]

    def read(self) -> AuditLog:
        return AuditLog(tuple(self.events))


def test_what_was_there_before_is_not_counted() -> None:
    log = _Growing()
    log.add(name="before")
    tally = Tally(log.read, counting.let_go)
    assert tally.look() == {}
    log.add(name="after", second=1)
    assert tally.look() == {("ns", "after"): BEGAN + 1.5}


def test_only_the_operators_own_requests_count_and_no_lease() -> None:
    log = _Growing()
    tally = Tally(log.read, counting.let_go)
    log.add(user="admin")
    log.add(resource="leases")
    assert tally.look() == {}


def test_each_request_is_read_once_and_the_latest_time_counts() -> None:
    log, read = _Growing(), []

    def note(audit: AuditLog) -> dict[counting.Key, float]:
        read.append(len(audit))
        return counting.let_go(audit)

    tally = Tally(log.read, note)
    log.add(second=1)
    log.add(second=2, name="other")
    tally.look()
    log.add(second=7)
    assert tally.look() == {("ns", "np"): BEGAN + 7.5, ("ns", "other"): BEGAN + 2.5}
    assert read == [2, 1]
