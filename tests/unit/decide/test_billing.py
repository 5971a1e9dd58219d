"""Row 15: nothing yearly/monthly, nothing locked, and nothing whose billing nobody knows is ever deleted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Send
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact
from modelarts_nodepool.errors import NotFound, PermissionDenied, ServerFailure
from modelarts_nodepool.ports import Billing, CloudNode
from tests.unit.decide.situations import (
    MONOTONIC,
    NOW,
    a_deleted_object,
    a_deletion,
    billed,
    failed,
    listed,
    nodes,
)

PLAIN = CloudNode("node-1", None)
LOCKED = CloudNode("node-2", None, is_locked=True)
PREPAID = CloudNode("node-3", Billing.YEARLY_MONTHLY)
UNKNOWN = CloudNode("node-4", Billing.UNKNOWN)
OVERRIDDEN = a_deleted_object().overriding(Reason.BILLING_UNKNOWN)


def decide(observed: DeletionObserved) -> Decision:
    return decide_deletion(observed, NOW)


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        (
            {"resource_pool": billed(Billing.YEARLY_MONTHLY)},
            Reason.YEARLY_MONTHLY_BILLING,
            "resource pool pool-a is billed yearly/monthly",
        ),
        ({"nodes": nodes(PLAIN, PREPAID)}, Reason.YEARLY_MONTHLY_BILLING, "node node-3 is billed yearly/monthly"),
        (
            {"nodes": nodes(*(replace(PREPAID, name=f"n{i}") for i in range(3)))},
            Reason.YEARLY_MONTHLY_BILLING,
            "nodes n0, n1, n2 are billed",
        ),
        (
            {"nodes": nodes(*(replace(PREPAID, name=f"n{i}") for i in range(5)))},
            Reason.YEARLY_MONTHLY_BILLING,
            "nodes n0, n1, n2 and 2 more are billed",
        ),
        (
            {"nodes": nodes(*(replace(PREPAID, name=f"n{i}") for i in range(4)))},
            Reason.YEARLY_MONTHLY_BILLING,
            "nodes n0, n1, n2 and 1 more are billed",
        ),
        ({"nodes": nodes(PLAIN, LOCKED)}, Reason.NODE_LOCKED, "node node-2 is locked against deletion"),
        ({"resource_pool": billed(Billing.UNKNOWN)}, Reason.BILLING_UNKNOWN, "how resource pool pool-a is billed"),
        ({"nodes": nodes(PLAIN, UNKNOWN)}, Reason.BILLING_UNKNOWN, "how node node-4 is billed"),
        ({"nodes": nodes()}, Reason.BILLING_UNKNOWN, "how the 2 nodes that it counts but does not list are billed"),
        (
            {"nodes": nodes(), "listing": listed(abnormal=1)},
            Reason.BILLING_UNKNOWN,
            "the 1 nodes that it counts",
        ),
    ],
    ids=[
        "prepaid resource pool",
        "prepaid node",
        "three",
        "many",
        "four",
        "locked",
        "unknown",
        "unknown node",
        "not listed",
        "not listed abnormal",
    ],
)
def test_it_is_held_and_told(changes: dict[str, object], reason: Reason, words: str) -> None:
    decision = decide(a_deletion(**changes))
    assert isinstance(decision, Hold)
    assert decision.reason is reason
    assert words in decision.message
    assert not decision.is_transient
    command = "override=BillingUnknown@uid" if reason is Reason.BILLING_UNKNOWN else "deletionPolicy"
    assert command in decision.message
    overridden = decide(a_deletion(OVERRIDDEN, **changes))
    assert isinstance(overridden, Send if reason is Reason.BILLING_UNKNOWN else Hold)


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes": nodes(PLAIN, CloudNode("node-5", Billing.PAY_PER_USE))},
        {"nodes": nodes(), "listing": listed()},
        {"nodes": nodes(), "listing": listed(creating=2)},
    ],
    ids=["pay-per-use", "no nodes at all", "nodes that are not there yet"],
)
def test_pay_per_use_may_go(changes: dict[str, object]) -> None:
    assert decide(a_deletion(**changes)) == Send()


@pytest.mark.parametrize(
    ("name", "fact"),
    [("resource_pool", Fact.RESOURCE_POOL), ("nodes", Fact.NODES), ("listing", Fact.LISTING)],
)
def test_facts_that_let_a_delete_pass_are_younger_than_a_minute(name: str, fact: Fact) -> None:
    passed = a_deletion()

    def aged(seconds: float) -> DeletionObserved:
        return replace(passed, **{name: replace(getattr(passed, name), begun=MONOTONIC - seconds)})

    assert decide(aged(59.9)) == Send()
    assert decide(aged(60.0)) == Look(frozenset({fact}))
    # Before the write-ahead they must stay fresh until the request.
    assert decide(replace(aged(54.9), spare=timedelta(seconds=5))) == Send()
    assert decide(replace(aged(55.0), spare=timedelta(seconds=5))) == Look(frozenset({fact}))


def test_facts_that_hold_one_are_looked_at_every_five_minutes() -> None:
    def held(seconds: float) -> DeletionObserved:
        return a_deletion(resource_pool=billed(Billing.YEARLY_MONTHLY, seconds), nodes=nodes(PLAIN, PLAIN, ago=seconds))

    assert isinstance(decide(held(299.9)), Hold)
    assert decide(held(300.0)) == Look(frozenset({Fact.RESOURCE_POOL, Fact.NODES}))


@pytest.mark.parametrize("name", ["resource_pool", "nodes", "listing"])
def test_reconcile_at_asks_for_facts_from_after_it(name: str) -> None:
    passed = a_deletion()
    evidence = getattr(passed, name)
    on_time = replace(passed, reconcile_requested=evidence.begun)
    assert decide(on_time) == Send()
    earlier = replace(passed, reconcile_requested=evidence.begun, **{name: replace(evidence, begun=evidence.begun - 1)})
    assert isinstance(decide(earlier), Look)


def test_facts_from_before_the_deletion_do_not_count() -> None:
    young = a_deletion(deletion_seen=MONOTONIC - 2, listing=listed(1, available=2), nodes=nodes(PLAIN, ago=2))
    assert decide(replace(young, resource_pool=billed(Billing.PAY_PER_USE, 2))) == Send()
    assert decide(replace(young, resource_pool=billed(Billing.PAY_PER_USE, 2.1))) == Look(
        frozenset({Fact.RESOURCE_POOL})
    )


@pytest.mark.parametrize("name", ["resource_pool", "nodes"])
def test_a_failed_look_holds_by_class_and_is_made_again(name: str) -> None:
    denied = decide(a_deletion(**{name: failed(PermissionDenied("403 denied"))}))
    assert isinstance(denied, Hold)
    assert denied.reason is Reason.PERMISSION_DENIED
    assert "could not be read)" in denied.message
    unavailable = decide(a_deletion(**{name: failed(ServerFailure("503"))}))
    assert isinstance(unavailable, Hold)
    assert unavailable.is_transient
    fact = {"resource_pool": Fact.RESOURCE_POOL, "nodes": Fact.NODES}[name]
    assert decide(a_deletion(**{name: failed(ServerFailure("503"), 10)})) == Look(frozenset({fact}))


def test_a_not_found_behind_a_list_that_shows_it_is_no_reason_but_a_contradiction() -> None:
    missing: Evidence[tuple[CloudNode, ...]] = failed(NotFound("no such node pool"))
    decision = decide(a_deletion(nodes=missing))
    assert isinstance(decision, Hold)
    assert decision.reason is Reason.CLOUD_UNAVAILABLE
    assert decision.is_transient
    assert decide(a_deletion(nodes=replace(missing, begun=MONOTONIC - 10))) == Look(
        frozenset({Fact.NODES, Fact.LISTING})
    )
