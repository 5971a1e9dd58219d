"""What a scrape says of objects, nodes and accounts."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from modelarts_nodepool import metrics
from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION
from modelarts_nodepool.api.node_pool import Counts
from modelarts_nodepool.cache.objects import Cache
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
def cache() -> Cache:
    cache = Cache(HandClock())
    cache.upsert_namespace({"metadata": {"name": "ml", "uid": "uid-of-ml", "resourceVersion": "1"}})
    return cache


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def gauges(cache: Cache, clock: HandClock) -> Gauges:
    clouds = None  # no poller is ever started here
    pollers = Pollers(cache, clouds, HandClock())  # type: ignore[arg-type]
    return Gauges(cache, pollers, QuietWatch(), writes(cache), clock)


def writes(cache: Cache) -> Writes:
    cluster = SecretKeeper()
    return Writes(cluster, HandClock(), cache, EventRecorder(cluster))


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


def test_every_state_is_shown_also_where_no_object_is_in_it(gauges: Gauges, cache: Cache) -> None:
    cache.upsert_node_pool(saying(a_node_pool(), (READY, TRUE)).body())
    found = values(gauges, metrics.OBJECTS)
    assert found.pop(("ready",)) == 1
    assert set(found) == {(state.value,) for state in ObjectState if state is not ObjectState.READY}
    assert not any(found.values())


def test_a_held_deletion_is_counted_by_its_reason_and_a_reason_of_nobody_is_other(gauges: Gauges, cache: Cache) -> None:
    for number, reason in enumerate(("LastNodePool", "LastNodePool", "WhateverSomebodyWrote")):
        body = saying(a_node_pool().finalized().being_deleted(), (BLOCKED, TRUE), reason=reason).body()
        cache.upsert_node_pool(body | {"metadata": body["metadata"] | {"uid": f"u{number}", "name": f"n{number}"}})
    assert values(gauges, metrics.DELETION_BLOCKED) == {("LastNodePool",): 2, ("Other",): 1}


def held_node_seconds(account: str, reason: str) -> float:
    """Of this process, so far."""
    labels = {"account": account, "reason": reason}
    return metrics.REGISTRY.get_sample_value("modelarts_nodepool_held_node_seconds_total", labels) or 0.0


class Scrapes:
    """What each scrape adds to the node-seconds of one account and reason."""

    def __init__(self, gauges: Gauges, clock: HandClock, account: str, reason: str = "LastNodePool") -> None:
        self._gauges, self._clock, self._labels = gauges, clock, (account, reason)

    def after(self, seconds: float) -> float:
        before = held_node_seconds(*self._labels)
        self._clock.advance(timedelta(seconds=seconds))
        list(self._gauges.samples())
        return held_node_seconds(*self._labels) - before


def a_held(name: str, account: str, reason: str = "LastNodePool", version: int = 1, nodes: int = 3) -> dict[str, Any]:
    """The body of a held object whose node pool has that many nodes; held since NOON."""
    builder = a_node_pool(name).pinned().finalized().being_deleted()
    builder = saying(builder, (RECONCILING, TRUE), (READY, FALSE), (BLOCKED, TRUE), reason=reason)
    body = builder._with_status(counts=Counts(available=nodes - 1, deleting=1)).body()  # noqa: SLF001
    body["spec"]["accountRef"] = {"name": account}
    return body | {"metadata": body["metadata"] | {"resourceVersion": str(version)}}


def test_a_held_deletion_costs_its_nodes_times_the_seconds_since_the_last_scrape(
    gauges: Gauges, cache: Cache, clock: HandClock
) -> None:
    cache.upsert_node_pool(a_held("a", "costs-1"))
    scrape = Scrapes(gauges, clock, "costs-1")
    assert scrape.after(30) == 90
    assert scrape.after(0) == 0
    assert scrape.after(10) == 30
    cache.upsert_node_pool(a_held("a", "costs-1", version=2, nodes=5))
    assert scrape.after(10) == 50, "the newest counts"
    cache.upsert_node_pool(a_held("a", "costs-1", reason="NodeLocked", version=3))
    assert scrape.after(10) == 0
    assert held_node_seconds("costs-1", "NodeLocked") == 30
    cache.drop_node_pool("uid-of-a")
    assert scrape.after(10) == 0
    assert held_node_seconds("costs-1", "NodeLocked") == 30


def test_a_hold_is_charged_from_its_beginning_and_not_from_the_last_scrape(
    gauges: Gauges, cache: Cache, clock: HandClock
) -> None:
    body = a_held("a", "costs-2")
    for condition in body["status"]["conditions"]:
        condition["lastTransitionTime"] = (NOON + timedelta(seconds=20)).isoformat()
    cache.upsert_node_pool(body)
    scrape = Scrapes(gauges, clock, "costs-2")
    assert scrape.after(30) == 30, "ten of the thirty seconds"
    assert scrape.after(30) == 90


def test_a_wall_clock_that_jumps_charges_no_more_than_the_time_that_passed(
    gauges: Gauges, cache: Cache, clock: HandClock
) -> None:
    cache.upsert_node_pool(a_held("a", "costs-3"))
    scrape = Scrapes(gauges, clock, "costs-3")
    clock.set_ahead(timedelta(days=365))
    assert scrape.after(10) == 30
    clock.set_ahead(timedelta(days=-730))
    assert scrape.after(10) == 0


def test_a_new_leader_charges_from_its_own_beginning(cache: Cache, clock: HandClock) -> None:
    cache.upsert_node_pool(a_held("a", "costs-4"))
    clock.advance(timedelta(hours=5))
    pollers = Pollers(cache, None, HandClock())  # type: ignore[arg-type]
    gauges = Gauges(cache, pollers, QuietWatch(), writes(cache), clock)
    assert Scrapes(gauges, clock, "costs-4").after(10) == 30


def test_what_is_not_held_or_not_ours_costs_nothing(gauges: Gauges, cache: Cache, clock: HandClock) -> None:
    held = a_held("a", "costs-5")
    released = a_held("b", "costs-5")
    released["metadata"]["finalizers"] = ["example.com/held"]
    living = a_held("c", "costs-5")
    del living["metadata"]["deletionTimestamp"]
    deleted_already = a_held("f", "costs-5", reason="ReleaseRefused")
    uncounted, unpinned = a_held("d", "costs-5"), a_held("e", "costs-5")
    del uncounted["status"]["counts"], unpinned["status"]["identity"]
    twin = a_held("twin", "costs-5")
    twin["status"]["identity"] = held["status"]["identity"]
    for body in (released, living, uncounted, unpinned, deleted_already):
        cache.upsert_node_pool(body)
    scrape = Scrapes(gauges, clock, "costs-5")
    assert scrape.after(10) == 0
    assert held_node_seconds("costs-5", "ReleaseRefused") == 0
    for body in (held, twin):
        cache.upsert_node_pool(body)
    assert scrape.after(10) == 30, "two objects of one node pool count once"


def test_a_reason_of_another_client_and_a_lost_namespace_have_bounded_labels(
    gauges: Gauges, cache: Cache, clock: HandClock
) -> None:
    cache.upsert_node_pool(a_held("a", "costs-6", reason="WhateverWasWritten"))
    assert Scrapes(gauges, clock, "costs-6", "Other").after(10) == 30
    cache.drop_namespace("ml", "uid-of-ml")
    assert Scrapes(gauges, clock, "costs-6", "NamespaceTerminating").after(10) == 30


def test_the_scrape_that_advances_the_counter_shows_it(gauges: Gauges, cache: Cache, clock: HandClock) -> None:
    cache.upsert_node_pool(a_held("a", "costs-7"))
    clock.advance(timedelta(seconds=10))
    metrics.AT_SCRAPE.source = gauges.samples
    try:
        text = metrics.render()
    finally:
        metrics.AT_SCRAPE.source = tuple
    assert 'held_node_seconds_total{account="costs-7",reason="LastNodePool"} 30.0' in text


def test_a_deletion_whose_namespace_is_gone_is_blocked_whatever_its_status_says(gauges: Gauges, cache: Cache) -> None:
    cache.upsert_node_pool(saying(a_node_pool().finalized().being_deleted(), (READY, TRUE)).body())
    cache.drop_namespace("ml", "uid-of-ml")
    assert values(gauges, metrics.DELETION_BLOCKED) == {("NamespaceTerminating",): 1}
    assert values(gauges, metrics.OBJECTS)["blocked",] == 1


def test_an_object_that_lives_on_without_its_namespace_is_counted_whatever_its_status_says(
    gauges: Gauges, cache: Cache
) -> None:
    cache.upsert_node_pool(saying(a_node_pool().finalized(), (READY, TRUE)).body())
    assert values(gauges, metrics.OBJECTS)["namespace_gone",] == 0
    cache.drop_namespace("ml", "uid-of-ml")
    found = values(gauges, metrics.OBJECTS)
    assert (found["namespace_gone",], found["ready",]) == (1, 0)
    assert values(gauges, metrics.DELETION_BLOCKED) == {}


def test_what_cannot_be_read_is_invalid_and_its_deletion_held(gauges: Gauges, cache: Cache) -> None:
    strange = (a_node_pool("a"), a_node_pool("b").finalized().being_deleted(), a_node_pool("c").being_deleted())
    for builder in strange:
        cache.upsert_node_pool(an_unreadable_body(builder, deletionPolicy="Archive"))
    account = an_account().body()
    cache.upsert_account({**account, "spec": {}})
    assert values(gauges, metrics.OBJECTS)["invalid",] == 3
    assert values(gauges, metrics.DELETION_BLOCKED) == {("InvalidObject",): 1}


def test_nodes_are_summed_by_resource_pool_and_a_node_pool_with_two_objects_counts_once(
    gauges: Gauges, cache: Cache
) -> None:
    pinned = a_node_pool().pinned()._with_status(counts=Counts(available=3, abnormal=1))  # noqa: SLF001
    body = pinned.body()
    for uid in ("u1", "u2"):
        cache.upsert_node_pool(body | {"metadata": body["metadata"] | {"uid": uid, "name": uid}})
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
    gauges: Gauges, cache: Cache, status: dict[str, Any], shown: list[int]
) -> None:
    cache.upsert_account(an_account().body() | {"status": status})
    assert list(values(gauges, metrics.ACCOUNT_READY).values()) == shown


def test_what_is_gone_has_no_series_any_more(gauges: Gauges, cache: Cache) -> None:
    body = a_node_pool().pinned()._with_status(counts=Counts(available=3)).body()  # noqa: SLF001
    account = an_account().body() | {"status": a_status("True", "CredentialsValid")}
    cache.upsert_node_pool(body)
    cache.upsert_account(account)
    assert values(gauges, metrics.NODES)
    assert values(gauges, metrics.ACCOUNT_READY) == {(account["metadata"]["name"],): 1}
    cache.drop_node_pool(body["metadata"]["uid"])
    cache.drop_account(account["metadata"]["name"], account["metadata"]["uid"])
    assert not values(gauges, metrics.NODES)
    assert not values(gauges, metrics.ACCOUNT_READY)


def test_a_confirmation_that_stands_on_a_living_object_is_counted(gauges: Gauges, cache: Cache) -> None:
    confirmed = a_node_pool().finalized()
    confirmed = confirmed.annotated(CONFIRM_ANNOTATION, confirmed.build().node_pool_name)
    cache.upsert_node_pool(confirmed.body())
    assert values(gauges, metrics.STANDING_CONFIRMATIONS) == {(): 1}
    body = confirmed.being_deleted().body()
    cache.upsert_node_pool(body | {"metadata": body["metadata"] | {"resourceVersion": "999999"}})
    assert values(gauges, metrics.STANDING_CONFIRMATIONS) == {(): 0}


async def test_node_pools_with_unreadable_counts_are_counted_by_resource_pool_until_they_can_be_read(
    cache: Cache,
) -> None:
    pollers = Pollers(cache, a_clouds(SecretKeeper(), HandClock()), HandClock())
    gauges = Gauges(cache, pollers, QuietWatch(), writes(cache), HandClock())
    poller = pollers.acquire("uid-1", an_account().build(), "pool-a", is_deleting=False)
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
