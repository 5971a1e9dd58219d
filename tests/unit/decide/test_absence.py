"""The proof of absence: two witnesses, each begun after the deletion was seen and after the last DELETE."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from modelarts_nodepool.api.node_pool import DeletionRecord
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Release, Send, Wait
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact, Failure
from modelarts_nodepool.errors import (
    ClockSkew,
    CloudUnavailable,
    CredentialsRejected,
    CredentialsUnavailable,
    NotFound,
    PermissionDenied,
    RefusedByModelArts,
    ResourcePoolNotFound,
    ServerFailure,
    Throttled,
    WrongEndpoint,
)
from modelarts_nodepool.ports import Billing, CloudNodePool, NodePoolListing
from tests.support.builders import a_cloud_node_pool, an_account
from tests.unit.decide.situations import (
    HOUR,
    MONOTONIC,
    NOW,
    SECOND,
    SEEN,
    a_deletion,
    billed,
    failed,
    in_workspace,
    listed,
    looked,
    not_listed,
    sent,
)

NO_NODE_POOL = NotFound("no such node pool")
NO_RESOURCE_POOL = ResourcePoolNotFound("no such resource pool")
ACCEPTED = sent(HOUR, accepted=True)
NODE_POOL = frozenset({Fact.NODE_POOL})
LISTING = frozenset({Fact.LISTING})
RESOURCE_POOL_FACTS = frozenset({Fact.RESOURCE_POOL, Fact.RESOURCE_POOLS})


def decide(observed: DeletionObserved) -> Decision:
    return decide_deletion(observed, NOW)


def reason(observed: DeletionObserved) -> Reason:
    decision = decide(observed)
    assert isinstance(decision, Release | Hold | Wait)
    return decision.reason


def test_a_list_without_the_name_is_not_enough() -> None:
    assert decide(a_deletion(listing=not_listed())) == Look(NODE_POOL)


def test_a_show_without_the_list_is_not_enough() -> None:
    assert decide(a_deletion(listing=None, shown=failed(NO_NODE_POOL))) == Look(LISTING)


@pytest.mark.parametrize("witness", ["listing", "shown", "resource_pool", "resource_pools"])
@pytest.mark.parametrize("since", ["deletion seen", "last DELETE finished"])
def test_no_witness_from_before_counts(witness: str, since: str) -> None:
    finished = MONOTONIC - 60.0 if since == "last DELETE finished" else None
    edge = 60.0 if finished else MONOTONIC - SEEN
    of_resource_pool = witness.startswith("resource")
    listing: Evidence[NodePoolListing] = failed(NO_RESOURCE_POOL) if of_resource_pool else not_listed()
    gone = a_deletion(
        record=DeletionRecord(attempt=1),
        send_finished=finished,
        listing=listing,
        shown=failed(NO_NODE_POOL),
        resource_pool=failed(NO_RESOURCE_POOL),
        resource_pools=in_workspace("another"),
    )
    assert reason(gone) is Reason.GONE
    evidence = getattr(gone, witness)
    just_after = replace(evidence, begun=MONOTONIC - edge)
    before = replace(evidence, begun=MONOTONIC - edge - 0.001)
    if witness == "listing":
        # The other witness began later than this one in any case.
        assert reason(replace(gone, listing=just_after)) is Reason.GONE
    assert isinstance(decide(replace(gone, **{witness: before})), Look)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (PermissionDenied("403"), Reason.PERMISSION_DENIED),
        (CredentialsRejected("401"), Reason.CREDENTIALS_REJECTED),
        (CredentialsUnavailable("no Secret"), Reason.CREDENTIALS_UNAVAILABLE),
        (ClockSkew("401"), Reason.CLOCK_SKEW),
        (WrongEndpoint("APIG.0101"), Reason.CLOUD_UNAVAILABLE),
        (RefusedByModelArts("400"), Reason.CLOUD_UNAVAILABLE),
        (ServerFailure("500"), Reason.CLOUD_UNAVAILABLE),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
@pytest.mark.parametrize("witness", ["listing", "shown", "resource_pool", "resource_pools"])
def test_a_failed_look_is_never_a_witness(witness: str, failure: Failure, expected: Reason) -> None:
    of_resource_pool = witness.startswith("resource")
    listing: Evidence[NodePoolListing] = failed(NO_RESOURCE_POOL) if of_resource_pool else not_listed()
    gone = a_deletion(
        listing=listing,
        shown=failed(NO_NODE_POOL),
        resource_pool=failed(NO_RESOURCE_POOL),
        resource_pools=in_workspace("another"),
    )
    assert reason(gone) is Reason.ALREADY_GONE
    look: Evidence[object] = failed(failure)
    changes: dict[str, Any] = {witness: look}
    decision = decide(replace(gone, **changes))
    assert isinstance(decision, Hold)
    assert decision.reason is expected
    assert decision.is_transient == (expected is Reason.CLOUD_UNAVAILABLE)
    assert str(failure) in decision.message
    command = "describe -n ml manp training-a" if decision.is_transient else "describe maacct default"
    assert command in decision.message


def test_a_look_that_was_given_up_without_a_word_is_no_witness() -> None:
    decision = decide(a_deletion(listing=not_listed(), shown=Evidence(MONOTONIC)))
    assert isinstance(decision, Hold)
    assert decision.reason is Reason.CLOUD_UNAVAILABLE


def test_a_not_found_that_is_not_the_resource_pools_proves_nothing_about_it() -> None:
    observed = a_deletion(
        listing=failed(NO_RESOURCE_POOL), resource_pool=failed(NO_NODE_POOL), resource_pools=in_workspace()
    )
    assert reason(observed) is Reason.CLOUD_UNAVAILABLE


def test_the_resource_pool_is_gone_only_when_both_looks_say_so() -> None:
    asked = a_deletion(listing=failed(NO_RESOURCE_POOL), resource_pool=None, resource_pools=None)
    assert decide(asked) == Look(RESOURCE_POOL_FACTS)
    one = replace(asked, resource_pool=failed(NO_RESOURCE_POOL))
    assert decide(one) == Look(RESOURCE_POOL_FACTS)
    still_listed = replace(one, resource_pools=in_workspace("pool-a"))
    assert reason(still_listed) is Reason.CLOUD_UNAVAILABLE
    still_shown = replace(asked, resource_pool=billed(Billing.PAY_PER_USE), resource_pools=in_workspace())
    assert reason(still_shown) is Reason.CLOUD_UNAVAILABLE
    decision = decide(replace(one, resource_pools=in_workspace("another")))
    assert isinstance(decision, Release)
    assert "neither node pool training-a nor its resource pool exists" in decision.message


@pytest.mark.parametrize(
    ("listing", "listed_names", "facts"),
    [
        (not_listed(1), ("pool-a",), LISTING | NODE_POOL),
        (failed(NO_RESOURCE_POOL, 1), ("pool-a",), RESOURCE_POOL_FACTS | LISTING),
        (failed(NO_RESOURCE_POOL, 1), ("another",), RESOURCE_POOL_FACTS | LISTING),
    ],
    ids=["node pool", "resource pool", "resource pool that is not listed"],
)
def test_a_contradiction_is_asked_again_although_polls_go_on(
    listing: Evidence[NodePoolListing], listed_names: tuple[str, ...], facts: frozenset[Fact]
) -> None:
    def observed(ago: float) -> DeletionObserved:
        return a_deletion(
            listing=listing,
            earlier_listing=replace(listing, begun=MONOTONIC - 100),
            shown=looked(a_cloud_node_pool(available=1), ago),
            resource_pool=billed(Billing.PAY_PER_USE, ago),
            resource_pools=in_workspace(*listed_names),
        )

    held = decide(observed(9.0))
    assert isinstance(held, Hold)
    assert held.retry_after == SECOND
    assert "both are requested again" in held.message
    assert decide(observed(10.0)) == Look(facts)


def test_an_old_show_is_refuted_by_a_list_that_showed_the_name_since() -> None:
    old: Evidence[CloudNodePool] = failed(NO_NODE_POOL, 50)
    assert decide(a_deletion(listing=not_listed(1), shown=old)) == Look(NODE_POOL)
    assert reason(a_deletion(listing=not_listed(1), earlier_listing=not_listed(50), shown=old)) is Reason.ALREADY_GONE
    # One that shows the name, failed, or is from before the deletion is no beginning of a run.
    for earlier in (listed(50, available=1), failed(ServerFailure("503"), 50), not_listed(MONOTONIC)):
        assert decide(a_deletion(listing=not_listed(1), earlier_listing=earlier, shown=old)) == Look(NODE_POOL)


def test_old_words_about_a_resource_pool_are_refuted_by_a_list_that_worked_since() -> None:
    lost: Evidence[NodePoolListing] = failed(NO_RESOURCE_POOL, 1)
    fresh: dict[str, Any] = {"resource_pool": failed(NO_RESOURCE_POOL, 1), "resource_pools": in_workspace("another")}
    assert reason(a_deletion(listing=lost, **fresh)) is Reason.ALREADY_GONE
    stale: tuple[dict[str, Any], ...] = (
        {"resource_pool": failed(NO_RESOURCE_POOL, 50)},
        {"resource_pools": in_workspace("another", ago=50)},
    )
    for old in stale:
        observed = a_deletion(listing=lost, **(fresh | old))
        assert decide(observed) == Look(RESOURCE_POOL_FACTS)
        # Said in one run with a LIST that found nothing either, it still counts.
        assert reason(replace(observed, earlier_listing=failed(NO_RESOURCE_POOL, 50))) is Reason.ALREADY_GONE
        for earlier in (not_listed(50), failed(ServerFailure("503"), 50), failed(NO_RESOURCE_POOL, MONOTONIC)):
            assert decide(replace(observed, earlier_listing=earlier)) == Look(RESOURCE_POOL_FACTS)


def absent_twice(apart: float, **changes: object) -> DeletionObserved:
    usual: dict[str, object] = {
        "record": ACCEPTED,
        "listing": not_listed(1),
        "earlier_listing": not_listed(1 + apart),
        "shown": failed(PermissionDenied("403"), 1),
    }
    return a_deletion(**{**usual, **changes})


def test_after_an_accepted_delete_a_second_list_one_interval_later_stands_in_for_show() -> None:
    assert reason(absent_twice(10.0)) is Reason.GONE


@pytest.mark.parametrize(
    "observed",
    [
        absent_twice(9.9),
        absent_twice(10.0, record=sent(HOUR)),
        absent_twice(10.0, record=DeletionRecord()),
        absent_twice(10.0, earlier_listing=None),
        absent_twice(10.0, earlier_listing=listed(11, deleting=1)),
        absent_twice(10.0, earlier_listing=failed(ServerFailure("500"), 11)),
        absent_twice(10.0, send_finished=MONOTONIC - 5),
    ],
    ids=["too soon", "not accepted", "not sent", "alone", "shown before", "failed before", "begun before the send"],
)
def test_otherwise_it_does_not(observed: DeletionObserved) -> None:
    assert reason(observed) is Reason.PERMISSION_DENIED


def test_an_interval_of_nothing_makes_no_witness_out_of_one_list() -> None:
    observed = absent_twice(0.0)
    account = an_account().polling(timedelta(), timedelta()).seen_by(observed.node_pool)
    assert reason(replace(observed, account=account)) is Reason.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("failure", "pause"),
    [
        (ServerFailure("500"), 10),
        (Throttled("429", retry_after=timedelta(seconds=42)), 42),
        (Throttled("429", retry_after=timedelta(days=9)), 300),
        (Throttled("429", retry_after=timedelta()), 1),
        (Throttled("429", retry_after=-HOUR), 1),
        (CredentialsUnavailable("no Secret"), 10),
    ],
    ids=["usual", "asked for", "capped", "nothing", "negative", "no Secret"],
)
def test_a_failed_look_stands_for_a_while_and_is_then_made_again(failure: Failure, pause: float) -> None:
    held = decide(a_deletion(listing=failed(failure, 0.5)))
    assert isinstance(held, Hold)
    assert held.retry_after == timedelta(seconds=pause - 0.5)
    assert decide(a_deletion(listing=failed(failure, pause))) == Look(LISTING)


def test_a_list_that_nobody_renews_is_asked_for_again() -> None:
    sent_long_ago = {"record": sent(HOUR, accepted=True)}
    assert isinstance(decide(a_deletion(**sent_long_ago, listing=listed(119.9, deleting=1))), Wait)
    assert decide(a_deletion(**sent_long_ago, listing=listed(120, deleting=1))) == Look(LISTING)
    slow = a_deletion(**sent_long_ago, listing=listed(600, deleting=1))
    account = an_account().polling(10 * HOUR / 60, SECOND).seen_by(slow.node_pool)
    assert isinstance(decide(replace(slow, account=account)), Wait)


def test_a_name_like_another_one_is_not_the_node_pool() -> None:
    others: tuple[CloudNodePool, ...] = (a_cloud_node_pool("training-a-2", available=1), a_cloud_node_pool("training"))
    listing = looked(NodePoolListing({shown.name: shown for shown in others}))
    assert decide(a_deletion(listing=listing)) == Look(NODE_POOL)


def test_what_failed_in_no_known_way_is_called_unavailable() -> None:
    decision = decide(a_deletion(listing=failed(CloudUnavailable("what?. "))))
    assert isinstance(decision, Hold)
    assert "what?; retries automatically" in decision.message
    assert not isinstance(decision, Send)
