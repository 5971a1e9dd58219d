"""Rows 12, 13, 14, 16 and 17: accidents bigger than one object, and limits that admins set."""

from dataclasses import replace
from datetime import timedelta

import pytest

from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Hold, Look, Send
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import BudgetView, DeletionObserved, Evidence, Fact
from modelarts_nodepool.errors import CloudUnavailable
from tests.support.builders import NOON, a_cloud_node_pool, a_listing, an_account
from tests.unit.decide.situations import (
    HOUR,
    MONOTONIC,
    NOW,
    SECOND,
    a_deleted_object,
    a_deletion,
    looked,
    no_more,
    stands,
    terminating,
)

CONFIRM = "modelarts.huaweicloud.com/confirm-delete"
DELETED_AT = NOON - HOUR
CONTAINERS = {"definition": Reason.CRD_TERMINATING, "namespace": Reason.NAMESPACE_TERMINATING}
FULL = BudgetView(limit=2, window=HOUR, used=2, frees_at=NOON + timedelta(minutes=10))


def confirming(observed: DeletionObserved, name: str = "training-a") -> DeletionObserved:
    return replace(observed, node_pool=a_deleted_object().annotated(CONFIRM, name).build())


def requiring_confirmation() -> DeletionObserved:
    observed = a_deletion()
    account = an_account().requiring_confirmation()
    return replace(observed, account=account.seen_by(observed.node_pool))


def alone(**leaving: object) -> DeletionObserved:
    return a_deletion(listing=looked(a_listing(a_cloud_node_pool(available=2))), **leaving)


def held(observed: DeletionObserved) -> Hold:
    decision = decide_deletion(observed, NOW)
    assert isinstance(decision, Hold), decision
    return decision


@pytest.mark.parametrize(("container", "reason"), CONTAINERS.items())
@pytest.mark.parametrize("lead", [timedelta(), SECOND, HOUR], ids=["same-second", "a-second", "an-hour"])
def test_a_container_deleted_no_later_than_the_object_holds(container: str, reason: Reason, lead: timedelta) -> None:
    decision = held(a_deletion(**{container: terminating(DELETED_AT - lead)}))
    assert decision.reason is reason
    assert f"kubectl annotate -n ml manp training-a {CONFIRM}=training-a --overwrite" in decision.message
    assert '"deletionPolicy":"Retain"' in decision.message


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_object_deleted_before_its_container_is_meant_in_particular(container: str) -> None:
    assert decide_deletion(a_deletion(**{container: terminating(DELETED_AT + SECOND)}), NOW) == Send()


@pytest.mark.parametrize(("container", "reason"), CONTAINERS.items())
def test_a_container_that_is_gone_holds_what_is_left_of_it(container: str, reason: Reason) -> None:
    decision = held(a_deletion(**{container: no_more()}))
    assert decision.reason is reason
    assert "no longer exists" in decision.message


@pytest.mark.parametrize(("container", "reason"), CONTAINERS.items())
@pytest.mark.parametrize("later", [timedelta(), SECOND, HOUR / 2], ids=["same-second", "a-second", "half-an-hour"])
def test_what_was_deleted_before_its_container_was_created_again_went_with_the_old_one(
    container: str, reason: Reason, later: timedelta
) -> None:
    older = a_deleted_object().created(DELETED_AT - HOUR)
    decision = held(a_deletion(older, **{container: stands(since=DELETED_AT + later)}))
    assert decision.reason is reason
    assert "created again" in decision.message


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_was_deleted_after_its_container_was_created_again_is_meant_in_particular(container: str) -> None:
    older = a_deleted_object().created(DELETED_AT - HOUR)
    assert decide_deletion(a_deletion(older, **{container: stands(since=DELETED_AT - SECOND)}), NOW) == Send()


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_was_created_and_deleted_within_a_second_of_its_container_is_meant(container: str) -> None:
    quick = a_deleted_object().created(DELETED_AT)
    assert decide_deletion(a_deletion(quick, **{container: stands(since=DELETED_AT)}), NOW) == Send()


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_confirmation_lifts_a_terminating_container(container: str) -> None:
    assert decide_deletion(confirming(a_deletion(**{container: terminating(DELETED_AT)})), NOW) == Send()


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_is_read_again_when_its_fact_is_old(container: str) -> None:
    decision = decide_deletion(a_deletion(**{container: stands(ago=60)}), NOW)
    assert decision == Look(frozenset({Fact.DEFINITION, Fact.NAMESPACE}))


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_read_before_the_deletion_was_seen_says_nothing(container: str) -> None:
    observed = a_deletion(**{container: stands(ago=30)}, deletion_seen=MONOTONIC - 20)
    assert decide_deletion(observed, NOW) == Look(frozenset({Fact.DEFINITION, Fact.NAMESPACE}))


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_that_was_never_read_is_looked_at(container: str) -> None:
    decision = decide_deletion(a_deletion(**{container: None}), NOW)
    assert decision == Look(frozenset({Fact.DEFINITION, Fact.NAMESPACE}))


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_that_cannot_be_read_holds_and_is_read_again(container: str) -> None:
    failure = CloudUnavailable("the API server answered 500")
    decision = held(a_deletion(**{container: Evidence(MONOTONIC - 1, failure=failure)}))
    assert decision.reason is Reason.CLOUD_UNAVAILABLE
    assert decision.is_transient
    later = decide_deletion(a_deletion(**{container: Evidence(MONOTONIC - 11, failure=failure)}), NOW)
    assert isinstance(later, Look)


def test_an_account_that_asks_for_confirmation_holds_until_it_is_given() -> None:
    decision = held(requiring_confirmation())
    assert decision.reason is Reason.CONFIRMATION_REQUIRED
    assert f"{CONFIRM}=training-a" in decision.message
    assert decide_deletion(confirming(requiring_confirmation()), NOW) == Send()


@pytest.mark.parametrize("wrong", ["training-b", "", " training-a", "training-a ", "TRAINING-A"])
def test_a_wrong_confirmation_says_what_it_names_and_what_it_must_name(wrong: str) -> None:
    decision = held(confirming(requiring_confirmation(), wrong))
    assert decision.reason is Reason.CONFIRMATION_REQUIRED
    assert f'names "{wrong}", the node pool is "training-a"' in decision.message


def test_no_override_lifts_a_confirmation() -> None:
    observed = requiring_confirmation()
    overriding = a_deleted_object().overriding(*Reason).build()
    assert held(replace(observed, node_pool=overriding)).reason is Reason.CONFIRMATION_REQUIRED


def test_the_last_node_pool_of_a_resource_pool_is_held() -> None:
    decision = held(alone())
    assert decision.reason is Reason.LAST_NODE_POOL
    assert "override=LastNodePool@uid-of-training-a" in decision.message


def test_node_pools_that_are_leaving_do_not_count_as_remaining() -> None:
    others = looked(a_listing(a_cloud_node_pool(available=2), a_cloud_node_pool("sent", available=1)))
    assert decide_deletion(a_deletion(listing=others), NOW) == Send()
    assert held(a_deletion(listing=others, leaving=frozenset({"sent"}))).reason is Reason.LAST_NODE_POOL
    going = looked(a_listing(a_cloud_node_pool(available=2), a_cloud_node_pool("going", deleting=3)))
    assert held(a_deletion(listing=going)).reason is Reason.LAST_NODE_POOL


def test_an_empty_node_pool_and_one_that_is_half_gone_remain() -> None:
    for other in (a_cloud_node_pool("empty"), a_cloud_node_pool("half", available=1, deleting=1)):
        listing = looked(a_listing(a_cloud_node_pool(available=2), other))
        assert decide_deletion(a_deletion(listing=listing), NOW) == Send()


def test_an_override_lifts_the_last_node_pool_and_a_confirmation_does_not() -> None:
    overriding = a_deleted_object().overriding(Reason.LAST_NODE_POOL).build()
    assert decide_deletion(replace(alone(), node_pool=overriding), NOW) == Send()
    assert held(confirming(alone())).reason is Reason.LAST_NODE_POOL


def test_a_used_budget_holds_and_says_when_it_frees() -> None:
    decision = held(a_deletion(budget=FULL))
    assert decision.reason is Reason.DELETION_BUDGET_EXHAUSTED
    assert "2 of 2 DELETEs in the last 1 h" in decision.message
    assert "2026-01-02T12:10:00Z" in decision.message or f"{NOON + timedelta(minutes=10):%H:%M:%SZ}" in decision.message
    assert timedelta() < decision.retry_after <= timedelta(minutes=1)


def test_nothing_on_the_object_lifts_a_used_budget() -> None:
    lifted = a_deleted_object().annotated(CONFIRM, "training-a").overriding(*Reason).build()
    assert held(a_deletion(budget=FULL, node_pool=lifted)).reason is Reason.DELETION_BUDGET_EXHAUSTED


def test_a_budget_that_is_already_freeing_is_asked_again_soon_and_never_at_once() -> None:
    decision = held(a_deletion(budget=replace(FULL, frees_at=NOON - HOUR)))
    assert decision.retry_after == SECOND
    assert "in the last 90 min" in held(a_deletion(budget=replace(FULL, window=timedelta(minutes=90)))).message


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_object_that_is_not_being_deleted_shares_no_fate(container: str) -> None:
    observed = a_deletion(**{container: no_more()})
    metadata = replace(observed.node_pool.metadata, deleted=None)
    observed = replace(observed, node_pool=replace(observed.node_pool, metadata=metadata))
    assert decide_deletion(observed, NOW) == Send()
