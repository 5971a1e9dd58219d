"""Who holds the Lease while the work starves, hangs or fails: renewed for work that goes on, and for no other."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGUSR1, SIGUSR2

import pytest

from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.leader_election import LEASE_NAME, LeaseTimes
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.liveness import eventually
from tests.support.operator import NAMESPACE, OperatorProcess
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long(120)

# Longer than the Lease lasts for others.
STARVED_SECONDS = 20
# The work's event loop is in the main thread, and so are the handlers of signals: nothing else runs there meanwhile.
STARVABLE = f"""
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep({STARVED_SECONDS}))
signal.signal(signal.SIGUSR2, lambda *_: time.sleep(3600))
"""
# As on a node whose container engine writes no line into /etc/passwd, before we gave kopf a name.
BROKEN = """
import kopf
async def fail(**_):
    raise KeyError("getpwuid(): uid not found: 65532")
kopf.spawn_tasks = fail
"""

Start = Callable[..., OperatorProcess]


@pytest.fixture
def start(identity: Path, cloud: Cloud, tmp_path: Path) -> Iterator[Start]:
    """Replicas by name, launched and not waited for."""
    started: list[OperatorProcess] = []

    def launch(name: str, code: str = "") -> OperatorProcess:
        endpoint = f"{cloud.region}={cloud.endpoint}"
        operator = OperatorProcess(identity, endpoint, tmp_path / f"{name}.log", "--leader-election").preceded_by(code)
        operator.launch()
        started.append(operator)
        return operator

    yield launch
    for operator in started:
        operator.end()


@pytest.fixture
def operator(start: Start) -> OperatorProcess:
    """The leader, which can be starved; also for the tenant's reports."""
    leader = start("leader", STARVABLE)
    assert eventually(leader.is_ready), leader.tail()
    return leader


def lease(api: Api) -> dict[str, object]:
    found = api.get(paths.lease(NAMESPACE, LEASE_NAME))
    assert found is not None
    return dict(found["spec"])


def test_the_lease_is_renewed_while_the_work_starves_and_nobody_else_takes_it(
    tenant: Tenant, api: Api, operator: OperatorProcess, start: Start
) -> None:
    standby = start("standby")
    assert eventually(standby.is_standby), standby.tail()
    tenant.mirrored("training-a")
    before = lease(api)
    assert LeaseTimes().duration.total_seconds() < STARVED_SECONDS
    operator.send(SIGUSR1)
    ends = time.monotonic() + STARVED_SECONDS - 1
    seen = set()
    while time.monotonic() < ends:
        seen.add(str(lease(api)["renewTime"]))
        assert standby.is_standby(), "it was taken from a leader that renews it"
        time.sleep(0.5)
    # Every two seconds, however long the work's own event loop does not turn; twice that on a busy machine.
    assert len(seen) >= STARVED_SECONDS / 4
    tenant.mirrored("training-b")
    after = lease(api)
    assert (after["holderIdentity"], after["leaseTransitions"]) == (
        before["holderIdentity"],
        before["leaseTransitions"],
    )
    assert not [line for line in operator.lines() if "is lost" in line["message"]]


def test_a_leader_whose_work_hangs_for_ever_fails_livez_and_loses_the_lease(
    tenant: Tenant, operator: OperatorProcess, start: Start
) -> None:
    standby = start("standby")
    assert eventually(standby.is_standby), standby.tail()
    tenant.mirrored("training-a")
    operator.send(SIGUSR2)
    # The event loop counts as stuck after 60 s, then the Lease runs out.
    assert eventually(lambda: operator.liveness()[0] == 503), operator.liveness()
    assert "the event loop has been blocked for" in operator.liveness()[1]
    assert eventually(standby.is_ready), standby.tail()
    assert operator.readiness()[0] == 503
    assert operator.metrics().value("leader") == 0
    tenant.operator = standby
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


def test_a_leader_that_cannot_work_says_why_fails_livez_and_leaves_the_lease_to_others(
    api: Api, start: Start, request: pytest.FixtureRequest
) -> None:
    broken = start("broken", BROKEN)
    words = "getpwuid(): uid not found: 65532"
    # Its four attempts take seven seconds; what it fails by is shown from the first one on.
    assert eventually(lambda: words in broken.readiness()[1]), broken.readiness()
    assert eventually(lambda: broken.liveness()[0] == 503), broken.tail()
    status, body = broken.readiness()
    assert status == 503
    assert words in body
    assert "the Lease was released for at least" in body
    assert '"standby"' in body
    given_back = lease(api)
    assert given_back["holderIdentity"] == ""
    # It does not take it back at once, although nobody else wants it.
    time.sleep(5)
    assert lease(api) == given_back
    standby = start("standby")
    assert eventually(standby.is_ready), standby.tail()
    tenant = Tenant(request.getfixturevalue("installed"), api, request.getfixturevalue("cloud"), standby)
    try:
        tenant.set_up()
        tenant.mirrored("training-a")
    finally:
        tenant.tear_down()
    assert broken.liveness()[0] == 503, "a restart would be better"
    assert broken.stop()[0] == 0
