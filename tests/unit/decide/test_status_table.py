"""The table of status for objects that live: rows 4 to 10, Paused, and what is never written twice."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from modelarts_nodepool.api.meta import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.node_pool import Counts, Identity, NodePoolStatus
from modelarts_nodepool.decide.observed import AbnormalNodes, LiveObserved
from modelarts_nodepool.decide.status import decide_status, pick_abnormal
from modelarts_nodepool.errors import NoAnswer, RefusedByModelArts, ServerFailure
from modelarts_nodepool.ports import Billing, CloudNode, CloudNodePool, CloudResourcePool
from tests.support.builders import (
    NOON,
    PROJECT,
    NodePoolBuilder,
    a_cloud_node_pool,
    a_listing,
    a_node_pool,
    an_account,
    an_unreadable_node_pool,
)
from tests.unit.decide.situations import HOUR, MINUTE, SECOND, an_observation

FAULT = ServerFailure("list_node_pools was answered 503: busy.")
T, F, U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


def words_of(status: NodePoolStatus) -> dict[str, tuple[str, str]]:
    return {condition.type.value: (condition.status.value, condition.reason) for condition in status.conditions}


def message_of(status: NodePoolStatus, kind: ConditionType = ConditionType.READY) -> str:
    found = find_condition(status.conditions, kind)
    assert found is not None
    return found.message


def mirrored(**counts: int) -> NodePoolStatus:
    asked_for = counts.pop("asked_for", None)
    shown = a_cloud_node_pool(asked_for=asked_for, **counts)
    return decide_status(an_observation(seen=a_listing(shown)), NOON).status


def after(status: NodePoolStatus, **changes: object) -> LiveObserved:
    return an_observation(a_node_pool().finalized().showing(status), **changes)


ALL_WELL = ("True", "AllNodesHealthy")
READY: Mapping[str, tuple[dict[str, int], dict[str, tuple[str, str]], str]] = {
    "NodesAvailable": (
        {"available": 3},
        {"Ready": ("True", "NodesAvailable"), "NodesHealthy": ALL_WELL},
        "3 of 3 nodes",
    ),
    "NodesAvailable: one abnormal": (
        {"available": 1, "abnormal": 2, "creating": 1, "deleting": 1},
        {"Ready": ("True", "NodesAvailable"), "NodesHealthy": ("False", "NodesAbnormal")},
        "1 of 5 nodes",
    ),
    "NodePoolEmpty": (
        {},
        {"Ready": ("True", "NodePoolEmpty"), "NodesHealthy": ALL_WELL},
        "has no nodes, as requested",
    ),
    "NodesCreating": (
        {"creating": 2, "deleting": 1},
        {
            "Reconciling": ("True", "NodesCreating"),
            "Ready": ("False", "NodesCreating"),
            "NodesHealthy": ALL_WELL,
        },
        "2 of 3 nodes of node pool training-a are being created",
    ),
    "NodesCreating: one": (
        {"creating": 1},
        {
            "Reconciling": ("True", "NodesCreating"),
            "Ready": ("False", "NodesCreating"),
            "NodesHealthy": ALL_WELL,
        },
        "1 of 1 nodes",
    ),
    "NodesDeleting: one": (
        {"deleting": 1},
        {
            "Reconciling": ("True", "NodesDeleting"),
            "Ready": ("False", "NodesDeleting"),
            "NodesHealthy": ALL_WELL,
        },
        "1 nodes of node pool",
    ),
    "NodesDeleting": (
        {"deleting": 2, "abnormal": 1},
        {
            "Reconciling": ("True", "NodesDeleting"),
            "Ready": ("False", "NodesDeleting"),
            "NodesHealthy": ("False", "NodesAbnormal"),
        },
        "2 nodes of node pool training-a are being deleted in the cloud",
    ),
    "NodesDeleting: count 0": (
        {"deleting": 2, "asked_for": 0},
        {
            "Reconciling": ("True", "NodesDeleting"),
            "Ready": ("False", "NodesDeleting"),
            "NodesHealthy": ALL_WELL,
        },
        "being deleted in the cloud",
    ),
    "NoNodesAvailable: abnormal": (
        {"abnormal": 2},
        {"Ready": ("False", "NoNodesAvailable"), "NodesHealthy": ("False", "NodesAbnormal")},
        "none of the 2 nodes",
    ),
    "NoNodesAvailable: missing": (
        {"asked_for": 2},
        {"Ready": ("False", "NoNodesAvailable"), "NodesHealthy": ("False", "NodesMissing")},
        "none of the 2 nodes",
    ),
    "NodesMissing": (
        {"available": 1, "asked_for": 3},
        {"Ready": ("True", "NodesAvailable"), "NodesHealthy": ("False", "NodesMissing")},
        "1 of 3 nodes",
    ),
    "NodesMissing: not while creating": (
        {"available": 1, "creating": 1, "asked_for": 3},
        {"Ready": ("True", "NodesAvailable"), "NodesHealthy": ALL_WELL},
        "1 of 3 nodes",
    ),
    "NodesMissing: not while deleting": (
        {"available": 1, "deleting": 1, "asked_for": 3},
        {"Ready": ("True", "NodesAvailable"), "NodesHealthy": ALL_WELL},
        "1 of 3 nodes",
    ),
}


@pytest.mark.parametrize(("counts", "expected", "words"), READY.values(), ids=READY.keys())
def test_ready_and_nodes_healthy_follow_the_counts(
    counts: dict[str, int], expected: dict[str, tuple[str, str]], words: str
) -> None:
    status = mirrored(**counts)
    assert words_of(status) == expected
    assert words in message_of(status)
    reconciling = find_condition(status.conditions, ConditionType.RECONCILING)
    assert reconciling is None or reconciling.message == message_of(status)
    assert status.counts == Counts(**{key: value for key, value in counts.items() if key != "asked_for"})


def test_the_words_of_nodes_healthy_count() -> None:
    assert "2 of 3 nodes of node pool training-a are abnormal" in message_of(
        mirrored(available=1, abnormal=2), ConditionType.NODES_HEALTHY
    )
    assert "has 1 of 3 nodes" in message_of(mirrored(available=1, asked_for=3), ConditionType.NODES_HEALTHY)
    assert "no node of node pool" in message_of(mirrored(available=1), ConditionType.NODES_HEALTHY)


def abnormal(*nodes: CloudNode, frozen: str = "", phase: str = "Running") -> AbnormalNodes:
    pool = CloudResourcePool("pool-a", Billing.PAY_PER_USE, phase=phase, frozen=frozen)
    return AbnormalNodes(pick_abnormal(nodes), pool)


def healthy_words(found: AbnormalNodes | None, before: NodePoolStatus | None = None, **counts: int) -> str:
    seen = a_listing(a_cloud_node_pool(**counts))
    observed = an_observation(seen=seen) if before is None else after(before, seen=seen)
    status = decide_status(replace(observed, abnormal=found), NOON).status
    return message_of(status, ConditionType.NODES_HEALTHY)


LOST = CloudNode("node-b", None, phase="Abnormal", reason="GPU lost\n(XID 79)")
HEAD = "2 of 3 nodes of node pool training-a are abnormal"
TAIL = "; check them in the ModelArts console"


def test_abnormal_nodes_are_named_with_phase_and_reason() -> None:
    found = abnormal(CloudNode("node-a", None, phase="Checking"), CloudNode("node-c", None, phase="Available"), LOST)
    words = healthy_words(found, available=1, abnormal=2)
    assert words == f"{HEAD}: node-b (Abnormal: GPU lost (XID 79)), node-a (Checking){TAIL}"


def test_five_abnormal_nodes_are_named_whatever_their_order() -> None:
    nodes = [CloudNode(f"node-{number}", None, phase="Abnormal") for number in range(9)]
    words = {healthy_words(abnormal(*order), available=1, abnormal=9) for order in (nodes, nodes[::-1])}
    [said] = words
    assert said.count("(Abnormal)") == 5
    assert ": node-0 (Abnormal), node-1" in said
    assert "node-4 (Abnormal) and 4 more;" in said


def test_abnormal_nodes_without_names_are_counted() -> None:
    assert healthy_words(None, available=1, abnormal=2) == f"{HEAD}{TAIL}"
    assert healthy_words(abnormal(), available=1, abnormal=2) == f"{HEAD}{TAIL}"


def test_names_stay_if_the_nodes_cannot_be_read_after_a_restart() -> None:
    counts = {"available": 1, "abnormal": 2}
    seen = a_listing(a_cloud_node_pool(**counts))
    before = decide_status(an_observation(seen=seen, abnormal=abnormal(LOST)), NOON).status
    named = message_of(before, ConditionType.NODES_HEALTHY)
    assert "node-b (Abnormal" in named
    assert healthy_words(None, before, **counts) == named
    assert "node-b" not in healthy_words(None, before, available=2, abnormal=1)


def test_frozen_resource_pool_is_told_beside_abnormal_nodes() -> None:
    frozen = healthy_words(abnormal(LOST, frozen="arrears"), available=1, abnormal=2)
    assert "; the resource pool is frozen (arrears); check them" in frozen
    assert "; the resource pool is in phase Error;" in healthy_words(abnormal(phase="Error"), available=1, abnormal=2)


def test_the_first_look_pins_the_identity_and_shows_what_was_asked_for() -> None:
    status = mirrored(available=3)
    assert status.identity == Identity(
        region="cn-north-4", project_id=PROJECT, pool_name="pool-a", node_pool_name="training-a"
    )
    assert status.node_pool is not None
    assert (status.node_pool.flavor, status.node_pool.count) == ("modelarts.vm.gpu.t4u8", 3)
    assert status.observed_generation == 1
    assert decide_status(after(status), NOON).recheck_after is None


def test_observed_generation_follows_and_is_stamped_on_every_condition() -> None:
    builder = a_node_pool().finalized().paused().of_generation(7)
    for changes in ({}, {"failure": FAULT, "seen_age": HOUR}, {"account": None}):
        status = decide_status(an_observation(builder, **changes), NOON).status
        assert status.observed_generation == 7
        assert {condition.observed_generation for condition in status.conditions} == {7}


def test_paused_is_shown_beside_everything_and_goes_again() -> None:
    paused = a_node_pool().finalized().paused()
    status = decide_status(an_observation(paused), NOON).status
    assert words_of(status)["Paused"] == ("True", "Paused")
    assert words_of(status)["Ready"] == ("True", "NodesAvailable")
    assert "modelarts.huaweicloud.com/paused-" in message_of(status, ConditionType.PAUSED)
    assert "paused is" not in message_of(status, ConditionType.PAUSED), "true needs no word"
    assert "Paused" not in words_of(decide_status(after(status), NOON).status)
    out_of_reach = after(status, failure=FAULT)
    assert "Paused" not in words_of(decide_status(out_of_reach, NOON).status)


@pytest.mark.parametrize("value", ["True", "yes", "", " false", "\u202efalse"])
def test_paused_says_which_value_it_found_where_that_is_not_true(value: str) -> None:
    status = decide_status(an_observation(a_node_pool().finalized().paused(value)), NOON).status
    said = f'modelarts.huaweicloud.com/paused is {json.dumps(value)}; every value but "false" pauses'
    assert said in message_of(status, ConditionType.PAUSED)
    assert message_of(status, ConditionType.PAUSED).isprintable()


@pytest.mark.parametrize("last", ["available", "creating", "troubled"])
@pytest.mark.parametrize("failure", [FAULT, NoAnswer("time-out"), RefusedByModelArts("400")])
def test_the_last_conditions_stay_for_five_minutes(last: str, failure: Exception) -> None:
    before = {
        "available": mirrored(available=3),
        "creating": mirrored(creating=3),
        "troubled": decide_status(an_observation(account=None), NOON).status,
    }[last]
    observed = after(before, failure=failure, seen_age=5 * MINUTE - SECOND)
    verdict = decide_status(observed, NOON + HOUR)
    assert verdict.status == before
    assert verdict.recheck_after == SECOND


def test_after_five_minutes_the_observation_is_stale() -> None:
    before = mirrored(available=3)
    verdict = decide_status(after(before, failure=FAULT, seen_age=5 * MINUTE), NOON + HOUR)
    stale = "ObservationStale"
    assert words_of(verdict.status) == {
        "Reconciling": ("True", stale),
        "Ready": ("Unknown", stale),
        "NodesHealthy": ("Unknown", stale),
    }
    assert verdict.status.counts == before.counts
    assert "answered 503: busy; the counts are from the last successful poll" in message_of(verdict.status)
    assert verdict.recheck_after is None


@pytest.mark.parametrize(("interval", "limit"), [(MINUTE, 5 * MINUTE), (2 * MINUTE, 6 * MINUTE)])
def test_the_limit_is_five_minutes_or_three_polls(interval: timedelta, limit: timedelta) -> None:
    observed = after(mirrored(available=3), failure=FAULT)
    view = an_account().polling(interval, SECOND).seen_by(observed.node_pool)
    fresh = replace(observed, account=view, seen_age=limit - SECOND)
    assert words_of(decide_status(fresh, NOON).status)["Ready"] == ("True", "NodesAvailable")
    stale = replace(observed, account=view, seen_age=limit)
    assert words_of(decide_status(stale, NOON).status)["Ready"] == ("Unknown", "ObservationStale")


def test_a_good_look_that_nobody_renewed_is_stale_too() -> None:
    verdict = decide_status(after(mirrored(available=3), seen_age=5 * MINUTE), NOON)
    assert words_of(verdict.status)["Ready"] == ("Unknown", "ObservationStale")
    assert "no poll of the resource pool has finished recently" in message_of(verdict.status)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (an_unreadable_node_pool(), "unreadable counts for node pool training-a (available is -1)"),
        (an_unreadable_node_pool(problem=None), "node pool training-a (no numbers)"),
    ],
    ids=["with a problem", "without one"],
)
def test_unreadable_counts_are_garbage_and_not_numbers(shown: CloudNodePool, words: str) -> None:
    before = mirrored(available=3)
    observed = after(before, seen=a_listing(shown))
    assert decide_status(observed, NOON).status == before
    stale = decide_status(replace(observed, seen_age=5 * MINUTE), NOON).status
    assert words_of(stale)["Ready"] == ("Unknown", "ObservationStale")
    assert words in message_of(stale)
    assert stale.counts == before.counts


def test_nothing_is_said_of_a_new_object_while_the_cloud_is_out_of_reach_for_a_short_time() -> None:
    observed = an_observation(seen=None, failure=FAULT, seen_age=MINUTE)
    verdict = decide_status(observed, NOON)
    assert verdict.status == NodePoolStatus()
    assert verdict.recheck_after == 4 * MINUTE
    later = decide_status(replace(observed, seen_age=5 * MINUTE), NOON)
    assert words_of(later.status)["Ready"] == ("Unknown", "ObservationStale")


def test_each_answer_worded_anew_costs_no_write() -> None:
    status = decide_status(after(mirrored(available=3), failure=FAULT, seen_age=HOUR), NOON).status
    again = after(status, failure=ServerFailure("503 at 12:01"), seen_age=2 * HOUR)
    assert decide_status(again, NOON + MINUTE).status == status


@pytest.mark.parametrize(
    ("handled", "followed", "expected"), [(None, "b", "b"), ("a", "b", "b"), ("a", None, "a"), (None, None, None)]
)
def test_reconcile_at_is_echoed_and_never_forgotten(
    handled: str | None, followed: str | None, expected: str | None
) -> None:
    before = NodePoolStatus(last_handled_reconcile_at=handled)
    builder: NodePoolBuilder = a_node_pool().finalized().showing(before)
    verdict = decide_status(an_observation(builder, reconcile_at=followed), NOON)
    assert verdict.status.last_handled_reconcile_at == expected
