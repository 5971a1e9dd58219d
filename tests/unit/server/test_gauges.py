"""What a scrape says of objects, nodes and accounts."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from modelarts_nodepool import metrics
from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION
from modelarts_nodepool.api.node_pool import Counts
from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.writes import Writes
from modelarts_nodepool.decide.observed import Evidence
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.metrics import AtScrape
from modelarts_nodepool.polling import Pollers
from modelarts_nodepool.server.gauges import Gauges, ObjectState, state_of
from tests.support.builders import (
    NOON,
    NodePoolBuilder,
    a_cloud_node_pool,
    a_listing,
    a_node_pool,
    an_account,
    an_unreadable_node_pool,
)
from tests.support.clocks import HandClock
from tests.support.clouds import SecretKeeper, a_clouds
from tests.support.unreadable import an_unreadable_body

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
READY, STALLED = ConditionType.READY, ConditionType.STALLED
RECONCILING, BLOCKED = ConditionType.RECONCILING, ConditionType.DELETION_BLOCKED


class QuietWatch:
    async def __call__(self) -> None:
        raise AssertionError("nobody watches here")

    def silence(self) -> timedelta:
        return timedelta(seconds=7)


@pytest.fixture
def registry() -> Registry:
    registry = Registry(HandClock())
    registry.take_namespace({"metadata": {"name": "ml", "uid": "uid-of-ml", "resourceVersion": "1"}})
    return registry


@pytest.fixture
def gauges(registry: Registry) -> Gauges:
    clouds = None  # no poller is ever started here
    pollers = Pollers(registry, clouds, HandClock())  # type: ignore[arg-type]
    return Gauges(registry, pollers, QuietWatch(), writes(registry))


def writes(registry: Registry) -> Writes:
    cluster = SecretKeeper()
    return Writes(cluster, HandClock(), registry, EventRecorder(cluster))


def conditions(*given: tuple[ConditionType, ConditionStatus], reason: str = "Paused") -> tuple[Condition, ...]:
    return tuple(
        Condition(type=kind, status=status, reason=reason, message="", observed_generation=1, last_transition_time=NOON)
        for kind, status in given
    )


def saying(
    builder: NodePoolBuilder, *given: tuple[ConditionType, ConditionStatus], reason: str = "Paused"
) -> NodePoolBuilder:
    return builder._with_status(conditions=conditions(*given, reason=reason))  # noqa: SLF001 - a step of this test alone


def values(gauges: Gauges, gauge: AtScrape) -> dict[tuple[str, ...], float]:
    return {labels: value for of, labels, value in gauges.samples() if of is gauge}


@pytest.mark.parametrize(
    ("given", "is_deleted", "state"),
    [
        ((), False, ObjectState.NEW),
        (((READY, TRUE),), False, ObjectState.READY),
        (((STALLED, TRUE), (READY, FALSE)), False, ObjectState.STALLED),
        (((RECONCILING, TRUE), (READY, UNKNOWN)), False, ObjectState.STALE),
        (((RECONCILING, TRUE), (READY, FALSE)), False, ObjectState.PROGRESSING),
        (((READY, FALSE),), False, ObjectState.NOT_READY),
        (((READY, TRUE),), True, ObjectState.DELETING),
        (((RECONCILING, TRUE), (READY, FALSE), (BLOCKED, TRUE)), True, ObjectState.BLOCKED),
    ],
    ids=lambda value: value.value if isinstance(value, ObjectState) else None,
)
def test_each_object_is_in_one_state(
    given: Iterable[tuple[ConditionType, ConditionStatus]], *, is_deleted: bool, state: ObjectState
) -> None:
    builder = saying(a_node_pool().finalized(), *given)
    assert state_of((builder.being_deleted() if is_deleted else builder).build()) is state


def test_every_state_is_shown_also_where_no_object_is_in_it(gauges: Gauges, registry: Registry) -> None:
    registry.take_node_pool(saying(a_node_pool(), (READY, TRUE)).body())
    found = values(gauges, metrics.OBJECTS)
    assert found.pop(("ready",)) == 1
    assert set(found) == {(state.value,) for state in ObjectState if state is not ObjectState.READY}
    assert not any(found.values())


def test_a_held_deletion_is_counted_by_its_reason_and_a_reason_of_nobody_is_other(
    gauges: Gauges, registry: Registry
) -> None:
    for number, reason in enumerate(("LastNodePool", "LastNodePool", "WhateverSomebodyWrote")):
        body = saying(a_node_pool().finalized().being_deleted(), (BLOCKED, TRUE), reason=reason).body()
        registry.take_node_pool(body | {"metadata": body["metadata"] | {"uid": f"u{number}", "name": f"n{number}"}})
    assert values(gauges, metrics.DELETION_BLOCKED) == {("LastNodePool",): 2, ("Other",): 1}


def test_a_deletion_whose_namespace_is_gone_is_blocked_whatever_its_status_says(
    gauges: Gauges, registry: Registry
) -> None:
    registry.take_node_pool(saying(a_node_pool().finalized().being_deleted(), (READY, TRUE)).body())
    registry.drop_namespace("ml", "uid-of-ml")
    assert values(gauges, metrics.DELETION_BLOCKED) == {("NamespaceTerminating",): 1}
    assert values(gauges, metrics.OBJECTS)["blocked",] == 1


def test_an_object_that_lives_on_without_its_namespace_is_counted_whatever_its_status_says(
    gauges: Gauges, registry: Registry
) -> None:
    registry.take_node_pool(saying(a_node_pool().finalized(), (READY, TRUE)).body())
    assert values(gauges, metrics.OBJECTS)["namespace_gone",] == 0
    registry.drop_namespace("ml", "uid-of-ml")
    found = values(gauges, metrics.OBJECTS)
    assert (found["namespace_gone",], found["ready",]) == (1, 0)
    assert values(gauges, metrics.DELETION_BLOCKED) == {}


def test_what_cannot_be_read_is_invalid_and_its_deletion_held(gauges: Gauges, registry: Registry) -> None:
    strange = (a_node_pool("a"), a_node_pool("b").finalized().being_deleted(), a_node_pool("c").being_deleted())
    for builder in strange:
        registry.take_node_pool(an_unreadable_body(builder, deletionPolicy="Archive"))
    account = an_account().body()
    registry.take_account({**account, "spec": {}})
    assert values(gauges, metrics.OBJECTS)["invalid",] == 3
    assert values(gauges, metrics.DELETION_BLOCKED) == {("InvalidObject",): 1}


def test_nodes_are_summed_by_resource_pool_and_a_node_pool_with_two_objects_counts_once(
    gauges: Gauges, registry: Registry
) -> None:
    pinned = a_node_pool().pinned()._with_status(counts=Counts(available=3, abnormal=1))  # noqa: SLF001
    body = pinned.body()
    for uid in ("u1", "u2"):
        registry.take_node_pool(body | {"metadata": body["metadata"] | {"uid": uid, "name": uid}})
    identity = pinned.build().status.identity
    assert identity is not None
    account = pinned.build().spec.account_ref.name
    found = values(gauges, metrics.NODES)
    assert found[account, identity.pool_name, "available"] == 3
    assert found[account, identity.pool_name, "abnormal"] == 1
    assert found[account, identity.pool_name, "creating"] == 0


def a_status(ready: str, reason: str) -> dict[str, Any]:
    """The status of an account that says so."""
    times = {"lastTransitionTime": "2026-05-01T12:00:00Z", "observedGeneration": 1}
    return {"conditions": [{"type": "Ready", "status": ready, "reason": reason, "message": "said", **times}]}


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (a_status("True", "CredentialsValid"), [1]),
        (a_status("False", "CredentialsRejected"), [0]),
        (a_status("Unknown", "NotYetUsed"), []),
        ({}, []),
    ],
)
def test_an_account_that_nothing_is_known_of_has_no_series(
    gauges: Gauges, registry: Registry, status: dict[str, Any], shown: list[int]
) -> None:
    registry.take_account(an_account().body() | {"status": status})
    assert list(values(gauges, metrics.ACCOUNT_READY).values()) == shown


def test_what_is_gone_has_no_series_any_more(gauges: Gauges, registry: Registry) -> None:
    body = a_node_pool().pinned()._with_status(counts=Counts(available=3)).body()  # noqa: SLF001
    account = an_account().body() | {"status": a_status("True", "CredentialsValid")}
    registry.take_node_pool(body)
    registry.take_account(account)
    assert values(gauges, metrics.NODES)
    assert values(gauges, metrics.ACCOUNT_READY) == {(account["metadata"]["name"],): 1}
    registry.drop_node_pool(body["metadata"]["uid"])
    registry.drop_account(account["metadata"]["name"], account["metadata"]["uid"])
    assert not values(gauges, metrics.NODES)
    assert not values(gauges, metrics.ACCOUNT_READY)


def test_a_confirmation_that_stands_on_a_living_object_is_counted(gauges: Gauges, registry: Registry) -> None:
    confirmed = a_node_pool().finalized()
    confirmed = confirmed.annotated(CONFIRM_ANNOTATION, confirmed.build().node_pool_name)
    registry.take_node_pool(confirmed.body())
    assert values(gauges, metrics.STANDING_CONFIRMATIONS) == {(): 1}
    body = confirmed.being_deleted().body()
    registry.take_node_pool(body | {"metadata": body["metadata"] | {"resourceVersion": "999999"}})
    assert values(gauges, metrics.STANDING_CONFIRMATIONS) == {(): 0}


async def test_node_pools_with_unreadable_counts_are_counted_by_resource_pool_until_they_can_be_read(
    registry: Registry,
) -> None:
    pollers = Pollers(registry, a_clouds(SecretKeeper(), HandClock()), HandClock())
    gauges = Gauges(registry, pollers, QuietWatch(), writes(registry))
    poller = pollers.join("uid-1", an_account().build(), "pool-a", is_deleting=False)
    assert values(gauges, metrics.UNREADABLE_NODE_POOLS) == {}
    garbage = a_listing(an_unreadable_node_pool(), an_unreadable_node_pool("b"), a_cloud_node_pool("c", available=1))
    poller.good = Evidence(100.0, value=garbage)
    assert values(gauges, metrics.UNREADABLE_NODE_POOLS) == {("default", "pool-a"): 2}
    poller.good = Evidence(101.0, value=a_listing(a_cloud_node_pool("c", available=1)))
    assert values(gauges, metrics.UNREADABLE_NODE_POOLS) == {("default", "pool-a"): 0}
    await pollers.stop()
    assert values(gauges, metrics.UNREADABLE_NODE_POOLS) == {}


def test_the_silence_of_the_watch_is_told(gauges: Gauges) -> None:
    assert values(gauges, metrics.WATCH_AGE) == {(): 7}
    assert values(gauges, metrics.POLL_LAG) == {(): 0}
