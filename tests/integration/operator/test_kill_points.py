"""SIGKILL while each single call of a deletion is held, to the cloud or to the API server: the next process goes on.

The false cloud holds a request for an hour, its log shows that it had arrived; a door before the API server holds
requests before they get in, or their answers. One kill is shared by all scenarios of this module.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from tests.support.api import ACCOUNTS, NAMESPACES
from tests.support.cloud import Cloud
from tests.support.door import Door
from tests.support.kill_scenarios import Killings, kill_point, kill_points
from tests.support.operator import OperatorProcess, at_work
from tests.support.scene import LONG_SECONDS, NAME, Scene
from tests.support.side_by_side import Corner

pytestmark = pytest.mark.long(200)

HEIR = "heir"
# Longer than all scenarios take to arrive, shorter than an unknown outcome is looked at.
LATE = 100
SETTLE = timedelta(minutes=2)
# Times on record are whole seconds.
A_SECOND = timedelta(seconds=1.5)


@pytest.fixture(scope="module")
def door(installed: ControlPlane) -> Iterator[Door]:
    with Door.standing(installed) as door:
        yield door


@pytest.fixture(scope="module")
def operator(
    identity: Path, cloud: Cloud, door: Door, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    folder = tmp_path_factory.mktemp("operator")
    kubeconfig = door.kubeconfig(identity, folder / "kubeconfig")
    with at_work(OperatorProcess(kubeconfig, f"{cloud.region}={cloud.endpoint}", folder / "operator.log")) as operator:
        yield operator


@pytest.fixture(scope="module")
def kill_scenarios(
    request: pytest.FixtureRequest,
    chosen: list[str],
    corner: Corner,
    operator: OperatorProcess,
    door: Door,
    cloud: Cloud,
) -> Killings:
    return Killings(request.module.__name__, chosen, corner, operator, door, cloud)


@kill_points({name: name for name in ("list_node_pools", "show_pool", "list_node_pool_nodes", "list_workloads")})
def test_killed_while_it_looks_before_the_delete_it_sends_one_when_it_is_back(
    scene: Scene, operation: str
) -> Iterator[None]:
    scene.mirrored()
    yield
    arrives = scene.hold_in_cloud(operation)
    scene.delete()
    arrives()
    yield
    assert not scene.record()
    scene.goes_only_with_its_node_pool()


ANSWERS: dict[str, dict[str, Any]] = {"answered": {}, "dropped": {"drop": "after"}, "error": {"status": 502}}


@kill_points(ANSWERS)
def test_killed_while_the_answer_to_a_delete_is_on_its_way_it_sends_no_second(
    scene: Scene, fault: dict[str, Any]
) -> Iterator[None]:
    scene.mirrored()
    yield
    arrives = scene.hold_in_cloud("delete_node_pool", nodePool=NAME, effect="after", **fault)
    scene.delete()
    arrives()
    assert scene.tenant.deletes() == ["accepted"]
    assert scene.record()["outcome"] == "Unknown"
    yield
    scene.goes_only_with_its_node_pool()


@kill_point
def test_killed_before_a_delete_takes_effect_it_waits_for_the_effect_that_comes_late(scene: Scene) -> Iterator[None]:
    scene.mirrored()
    yield
    arrives = scene.hold_in_cloud("delete_node_pool", nodePool=NAME, delaySeconds=LATE)
    scene.delete()
    arrives()
    yield
    scene.tenant.wait_for_looks(2)
    assert len(scene.tenant.deletes()) == 1, "no second one while the first is on its way"
    scene.goes_only_with_its_node_pool()


@kill_point
def test_killed_before_a_delete_that_never_takes_effect_it_sends_the_second_after_two_minutes(
    scene: Scene,
) -> Iterator[None]:
    scene.mirrored()
    yield
    arrives = scene.hold_in_cloud("delete_node_pool", nodePool=NAME)
    scene.delete()
    arrives()
    yield
    tenant = scene.tenant
    tenant.annotate(NAME, reconcile_at="1")
    tenant.until_true(lambda: len(tenant.deletes()) == 2, "a second DELETE", LONG_SECONDS)
    first, second = (datetime.fromisoformat(sent["time"]) for sent in tenant.cloud.deletes(tenant.resource_pool))
    assert second - first > SETTLE - A_SECOND
    assert tenant.is_held(NAME)
    scene.finish()
    tenant.until_gone(NAME)
    assert tenant.deletes() == ["none", "accepted"]


@kill_points({f"{answer}-{fate}": (answer, fate) for answer in ("accepted", "lost") for fate in ("deleting", "gone")})
def test_killed_while_it_looks_on_it_releases_only_what_is_gone(scene: Scene, case: tuple[str, str]) -> Iterator[None]:
    answer, while_away = case
    scene.mirrored()
    if answer == "lost":
        scope = {"resourcePool": scene.tenant.resource_pool, "nodePool": NAME}
        scene.tenant.cloud.fault(operation="delete_node_pool", times=1, drop="after", **scope)
    scene.delete_until_nodes_go()
    yield
    scene.hold_in_cloud("list_node_pools")()
    assert scene.tenant.is_held(NAME)
    if while_away == "gone":
        scene.finish()
    yield
    if while_away == "gone":
        scene.is_gone_by_one_delete()
    else:
        scene.goes_only_with_its_node_pool()


@kill_point
def test_killed_while_it_asks_the_second_witness_it_asks_again_and_releases(scene: Scene) -> Iterator[None]:
    scene.mirrored()
    scene.delete_until_nodes_go()
    yield
    arrives = scene.hold_in_cloud("show_node_pool", nodePool=NAME)
    scene.finish()
    arrives()
    assert scene.tenant.is_held(NAME)
    until = scene.tenant.cloud.last
    yield
    scene.is_gone_by_one_delete()
    asked = {request["operation"] for request in scene.tenant.cloud.requests(scene.tenant.resource_pool, since=until)}
    assert {"list_node_pools", "show_node_pool"} <= asked, "what the killed process saw proves nothing"


@kill_points({name: name for name in ("show_pool", "list_pools")})
def test_killed_while_it_makes_sure_that_the_resource_pool_is_gone_it_sends_nothing(
    scene: Scene, operation: str
) -> Iterator[None]:
    scene.mirrored()
    scene.tenant.cloud.remove_resource_pool(scene.tenant.resource_pool)
    yield
    arrives = scene.hold_in_cloud(operation)
    scene.delete()
    arrives()
    assert scene.tenant.is_held(NAME)
    yield
    scene.tenant.until_gone(NAME)
    assert not scene.tenant.deletes()
    scene.tenant.until_event(NAME, "AlreadyGone")


# Calls to the API server: held before they get in, or when they are answered.
WHEN = {"before": "before", "after": "after"}


@kill_points(WHEN)
def test_killed_while_it_adds_its_finalizer_it_protects_the_object_when_it_is_back(
    scene: Scene, when: str
) -> Iterator[None]:
    scene.tenant.in_cloud(NAME, {"deleteSeconds": 3600})
    yield
    arrives = scene.hold_at_door("PATCH", scene.tenant.path(NAME), "finalizers", when=when)
    scene.tenant.create(NAME)
    arrives()
    assert scene.tenant.is_held(NAME) is (when == "after")
    yield
    scene.tenant.until_ready(NAME)
    scene.delete()
    scene.goes_only_with_its_node_pool()


@kill_point
def test_killed_while_it_reads_the_namespace_it_sends_one_when_it_is_back(scene: Scene) -> Iterator[None]:
    scene.mirrored()
    yield
    arrives = scene.hold_at_door("GET", f"{NAMESPACES}/{scene.tenant.name}")
    scene.delete()
    arrives()
    assert not scene.tenant.deletes()
    yield
    scene.goes_only_with_its_node_pool()


@kill_points(WHEN)
def test_killed_while_it_writes_ahead_it_sends_one_delete_and_looks_first_where_that_was_written(
    scene: Scene, when: str
) -> Iterator[None]:
    scene.mirrored()
    yield
    arrives = scene.hold_at_door("PATCH", f"{scene.tenant.path(NAME)}/status", '"sentTime"', when=when)
    scene.delete()
    arrives()
    record = scene.record()
    assert bool(record) is (when == "after")
    yield
    if when == "after":
        scene.tenant.wait_for_looks(3)
        # It may have been sent: that is looked at for two minutes, which the kill may have taken on a busy machine.
        until = datetime.fromisoformat(record["sentTime"]) + SETTLE - A_SECOND
        sent = scene.tenant.cloud.deletes(scene.tenant.resource_pool)
        assert [delete["time"] for delete in sent if datetime.fromisoformat(delete["time"]) < until] == []
        scene.tenant.until_true(lambda: scene.entries() in (["Unknown"], ["Accepted"]), "entered by the next process")
    scene.goes_only_with_its_node_pool()


@kill_points(WHEN)
def test_killed_while_it_writes_what_was_answered_it_sends_no_second(scene: Scene, when: str) -> Iterator[None]:
    scene.mirrored()
    yield
    arrives = scene.hold_at_door("PATCH", f"{scene.tenant.path(NAME)}/status", '"acceptedTime"', when=when)
    scene.delete()
    arrives()
    assert scene.tenant.deletes() == ["accepted"]
    assert scene.record()["outcome"] == ("Accepted" if when == "after" else "Unknown")
    yield
    scene.goes_only_with_its_node_pool()


@kill_points(WHEN)
def test_killed_while_it_enters_the_delete_into_the_account_it_enters_it_when_it_is_back(
    scene: Scene, when: str
) -> Iterator[None]:
    scene.mirrored()
    yield
    uid = scene.tenant.get(NAME)["metadata"]["uid"]
    arrives = scene.hold_at_door("PATCH", f"{ACCOUNTS}/{scene.tenant.name}/status", uid, when=when)
    scene.delete()
    arrives()
    scene.tenant.until_true(lambda: scene.tenant.deletes() == ["accepted"], "no DELETE waits for its entry")
    # The entry is written in the background: at once as Unknown, or as Accepted where the answer was quicker.
    assert scene.entries() in ([["Unknown"], ["Accepted"]] if when == "after" else [[]])
    yield
    scene.tenant.until_true(lambda: scene.entries() in (["Unknown"], ["Accepted"]), "the DELETE on record")
    scene.goes_only_with_its_node_pool()


@kill_points(WHEN)
def test_killed_while_it_enters_the_release_into_the_account_it_enters_it_once(
    scene: Scene, when: str
) -> Iterator[None]:
    scene.mirrored()
    scene.delete_until_nodes_go()
    scene.tenant.until_true(lambda: scene.entries() == ["Accepted"], "the DELETE on record")
    yield
    arrives = scene.hold_at_door("PATCH", f"{ACCOUNTS}/{scene.tenant.name}/status", '"Gone"', when=when)
    scene.finish()
    arrives()
    assert scene.tenant.is_held(NAME), "the entry stands before the finalizer goes"
    assert scene.entries() == (["Gone"] if when == "after" else ["Accepted"])
    yield
    scene.is_gone_by_one_delete()


@kill_points(WHEN)
def test_killed_while_it_removes_its_finalizer_the_object_goes_once_and_is_no_leak(
    scene: Scene, when: str
) -> Iterator[None]:
    scene.mirrored()
    scene.delete_until_nodes_go()
    yield
    arrives = scene.hold_release(when=when)
    scene.finish()
    arrives()
    assert scene.tenant.is_there(NAME) is (when == "before")
    yield
    scene.is_gone_by_one_delete()


@kill_points(WHEN)
def test_killed_while_it_lets_a_retained_object_go_the_node_pool_stays(scene: Scene, when: str) -> Iterator[None]:
    scene.mirrored()
    scene.tenant.patch(NAME, {"spec": {"deletionPolicy": "Retain"}})
    yield
    arrives = scene.hold_release(when=when)
    scene.delete()
    arrives()
    yield
    scene.tenant.until_gone(NAME)
    assert not scene.tenant.deletes()
    assert scene.tenant.cloud.state_of(scene.tenant.resource_pool)[NAME]["states"]["available"] == 2


@kill_points(WHEN | {"reading": "reading"})
def test_killed_while_it_hands_over_the_node_pool_stays_with_the_heir(scene: Scene, case: str) -> Iterator[None]:
    scene.mirrored()
    tenant = scene.tenant
    tenant.create(HEIR, nodePoolName=NAME)
    tenant.until_true(lambda: tenant.is_held(HEIR), "the heir protected")
    yield
    arrives = scene.hold_at_door("GET", tenant.path(HEIR)) if case == "reading" else scene.hold_release(when=case)
    scene.delete()
    arrives()
    yield
    tenant.until_gone(NAME)
    tenant.until_ready(HEIR)
    assert not tenant.deletes()
    assert tenant.is_held(HEIR)
