"""Row 5: several objects for one node pool. Only the last of them may delete it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Release, Send
from modelarts_nodepool.decide.deletion.table import decide_deletion
from tests.support.builders import NOON, NodePoolBuilder, a_node_pool
from tests.unit.decide.situations import HOUR, MINUTE, NOW, a_deleted_object, a_deletion, sent

OLDER, YOUNGER = NOON - 2 * HOUR, NOON - MINUTE


def a_twin(created: object = YOUNGER) -> NodePoolBuilder:
    return a_node_pool("renamed", "team").standing_for("training-a").created(created).finalized()  # type: ignore[arg-type]


def decide(*twins: NodePool) -> Decision:
    return decide_deletion(a_deletion(a_deleted_object().created(NOON - HOUR), duplicates=twins), NOW)


@pytest.mark.parametrize("created", [OLDER, YOUNGER], ids=["older", "younger"])
def test_a_living_twin_takes_over_whatever_its_age(created: object) -> None:
    twin = a_twin(created).build()
    decision = decide(twin)
    assert isinstance(decision, Release)
    assert decision.reason is Reason.HANDED_OVER
    assert decision.heir == twin
    assert not decision.is_orphan
    assert "team/renamed" in decision.message


def test_a_living_twin_with_retain_still_stands_for_the_node_pool() -> None:
    decision = decide(a_twin().retained().build())
    assert isinstance(decision, Release)


def test_it_waits_for_a_living_twin_that_is_not_protected_yet() -> None:
    twin = a_node_pool("renamed", "team").standing_for("training-a").created(YOUNGER).build()
    decision = decide(twin)
    assert isinstance(decision, Hold)
    assert decision.reason is Reason.DUPLICATE_OBJECT
    assert decision.is_transient
    assert timedelta() < decision.retry_after


def waits(decision: Decision) -> bool:
    return (
        isinstance(decision, Hold)
        and decision.reason is Reason.DUPLICATE_OBJECT
        and not decision.is_transient
        and decision.retry_after > timedelta()
        and "kubectl describe -n team manp renamed" in decision.message
    )


def test_of_two_deleted_together_the_older_deletes_and_the_younger_waits_for_its_delete() -> None:
    assert waits(decide(a_twin(OLDER).being_deleted().build()))
    assert decide(a_twin(YOUNGER).being_deleted().build()) == Send()


def test_of_the_same_age_the_uid_decides() -> None:
    # "uid-of-renamed" stands before "uid-of-training-a".
    assert waits(decide(a_twin(NOON - HOUR).being_deleted().build()))


@pytest.mark.parametrize("created", [OLDER, YOUNGER], ids=["older", "younger"])
def test_a_deleted_twin_that_has_sent_its_delete_takes_over(created: object) -> None:
    twin = a_twin(created).being_deleted().recording(sent(MINUTE)).build()
    decision = decide(twin)
    assert isinstance(decision, Release)
    assert decision.reason is Reason.HANDED_OVER
    assert decision.heir == twin


def test_two_never_hand_over_to_each_other() -> None:
    one = a_deleted_object().created(OLDER).build()
    other = a_twin(YOUNGER).being_deleted().pinned(nodePoolName="training-a").build()
    first = decide_deletion(a_deletion(a_deleted_object().created(OLDER), duplicates=(other,)), NOW)
    second = decide_deletion(a_deletion(a_deleted_object().created(YOUNGER), duplicates=(one,)), NOW)
    assert not isinstance(first, Release)
    assert not isinstance(second, Release)


def test_a_deleted_twin_that_retains_deletes_nothing_and_takes_nothing_over() -> None:
    assert decide(a_twin(OLDER).being_deleted().retained().build()) == Send()


def test_a_deleted_twin_without_our_finalizer_is_out_of_our_hands() -> None:
    twin = a_node_pool("renamed", "team").standing_for("training-a").created(OLDER).with_finalizer("other/one")
    assert decide(twin.being_deleted().build()) == Send()


def test_once_a_delete_was_sent_nothing_is_handed_over() -> None:
    observed = a_deletion(duplicates=(a_twin().build(),), record=sent(HOUR, accepted=True))
    assert not isinstance(decide_deletion(observed, NOW), Release)


def test_nothing_is_decided_while_the_namespace_of_a_twin_is_not_known() -> None:
    unplaced = a_node_pool("renamed", "moved-to").standing_for("training-a").build()
    observed = a_deletion(unplaced_duplicate=unplaced)
    decision = decide_deletion(observed, NOW)
    assert isinstance(decision, Hold)
    assert decision.reason is Reason.DUPLICATE_OBJECT
    assert decision.is_transient
    assert "has not seen namespace moved-to yet" in decision.message
    assert "kubectl get namespace moved-to --show-labels; or release the object" in decision.message
    # One that is placed and lives takes over; what was sent goes on.
    heir = a_twin().build()
    assert isinstance(decide_deletion(replace(observed, duplicates=(heir,)), NOW), Release)
    assert not isinstance(decide_deletion(replace(observed, record=sent(MINUTE)), NOW), Hold)


def test_a_twin_out_of_a_backup_has_sent_nothing_itself() -> None:
    restored = a_twin(NOON - MINUTE).being_deleted().recording(sent(2 * HOUR, accepted=True)).build()
    assert decide(restored) == Send()
