"""Two installations without a common Lease: a mistake, and still no node pool gets a second DELETE."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from tests.support.api import ACCOUNTS
from tests.support.cloud import Cloud
from tests.support.door import Door
from tests.support.operator import OperatorProcess, at_work
from tests.support.tenant import SLOW, Tenant

NAMES = tuple(f"training-{number}" for number in range(12))
REFUSED = 422


@pytest.fixture(scope="module")
def door(installed: ControlPlane) -> Iterator[Door]:
    with Door.standing(installed) as door:
        yield door


@pytest.fixture(scope="module", autouse=True)
def second(
    identity: Path, cloud: Cloud, operator: OperatorProcess, door: Door, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Beside the first; it reaches the API server through a door."""
    assert operator.is_running
    folder = tmp_path_factory.mktemp("second")
    kubeconfig = door.kubeconfig(identity, folder / "kubeconfig")
    with at_work(OperatorProcess(kubeconfig, f"{cloud.region}={cloud.endpoint}", folder / "operator.log")) as second:
        yield second


def test_many_objects_deleted_at_once_get_one_delete_each(
    tenant: Tenant, operator: OperatorProcess, second: OperatorProcess
) -> None:
    for name in NAMES:
        tenant.in_cloud(name, {"deleteSeconds": 2})
        tenant.create(name)
    for name in NAMES:
        tenant.until_ready(name)
    tenant.delete(*NAMES)
    tenant.until_gone(*NAMES)
    assert {name: tenant.deletes(name) for name in NAMES} == {key: ["accepted"] for key in NAMES}
    sent = [line["uid"] for one in (operator, second) for line in one.lines() if line.get("audit") == "delete"]
    assert len(sent) == len(set(sent))
    account = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert account is not None
    assert sorted(entry["name"] for entry in account["status"]["recentDeletions"]) == sorted(NAMES)


def test_whoever_writes_ahead_second_is_refused_and_decides_again(
    tenant: Tenant, operator: OperatorProcess, door: Door
) -> None:
    tenant.mirrored("training-a", cloud=SLOW)
    since = datetime.now(UTC)
    hold = door.hold_before("PATCH", f"{tenant.path('training-a')}/status", '"sentTime"')
    operator.hold_still()
    tenant.delete("training-a")
    tenant.until_true(hold.arrived.is_set, "the second one's write-ahead on its way")
    operator.go_on()
    tenant.until_true(tenant.deletes, "the first one's DELETE")
    door.let_go(hold)

    def is_refused() -> bool:
        events = tenant.plane.audit().since(since).where(lambda event: event.namespace == tenant.name)
        return REFUSED in [event.code for event in events.writes().on("modelartsnodepools")]

    tenant.until_true(is_refused, "the second write-ahead refused")
    tenant.wait_for_looks(4)
    assert tenant.deletes() == ["accepted"]
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


def test_two_objects_of_one_node_pool_send_one_delete_between_them(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.create("training-b", nodePoolName="training-a")
    tenant.until_true(lambda: tenant.is_held("training-b"), "both protected")
    tenant.delete("training-a", "training-b")
    tenant.until_gone("training-a", "training-b")
    assert tenant.deletes() == ["accepted"]
