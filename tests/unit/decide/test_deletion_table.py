"""The table of deletion, row by row: what is decided, for which reason, and the command that comes next."""

from dataclasses import replace

import pytest

from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.absence import absence
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Release, Wait
from modelarts_nodepool.decide.deletion.guards import identity_mismatch
from modelarts_nodepool.decide.deletion.in_flight import shown_counts
from modelarts_nodepool.decide.deletion.table import ROWS, decide_deletion
from modelarts_nodepool.decide.failures import FAILURES
from modelarts_nodepool.decide.observed import DeletionObserved, Fact
from tests.support.builders import a_listing, an_unreadable_node_pool
from tests.unit.decide.deletion_rows import ABSENT, DELETED, FOREIGN, ORDER, PREPAID, RETAIN, TABLE, UNSEEN
from tests.unit.decide.situations import HOUR, MINUTE, NOW, a_deletion, listed, looked, refused, sent


@pytest.mark.parametrize(("observed", "kind", "reason", "words"), TABLE.values(), ids=TABLE.keys())
def test_each_row_decides_as_the_table_says(
    observed: DeletionObserved, kind: type[Decision], reason: Reason | None, words: str
) -> None:
    decision = decide_deletion(observed, NOW)
    assert isinstance(decision, kind)
    assert getattr(decision, "reason", None) == reason
    message = getattr(decision, "message", "")
    assert words in message
    assert "None" not in message
    assert decide_deletion(observed, NOW) == decision


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[1] is Hold])
def test_every_hold_ends_with_a_command(name: str) -> None:
    decision = decide_deletion(TABLE[name][0], NOW)
    assert isinstance(decision, Hold)
    assert "kubectl " in decision.message.rpartition(": ")[2] or decision.message.endswith("--field-manager=on-call")
    assert decision.retry_after.total_seconds() > 0


def test_the_first_row_that_applies_decides() -> None:
    everything = a_deletion(FOREIGN.paused().retained(), record=sent(MINUTE), listing=listed(deleting=3))
    situations = (
        everything,
        replace(a_deletion(FOREIGN.paused(), record=sent(MINUTE), nodes=PREPAID), account=None),
        a_deletion(FOREIGN.paused().pinned(region="x"), record=sent(MINUTE), nodes=PREPAID),
        a_deletion(FOREIGN.paused(), record=sent(MINUTE), nodes=PREPAID, **ABSENT),
        a_deletion(FOREIGN.paused(), record=sent(MINUTE), nodes=PREPAID),
        a_deletion(FOREIGN.paused(), record=refused(MINUTE), nodes=PREPAID),
        a_deletion(FOREIGN.paused(), nodes=PREPAID),
        a_deletion(FOREIGN, nodes=PREPAID),
        a_deletion(nodes=PREPAID),
    )
    order = [getattr(decide_deletion(observed, NOW), "reason", None) for observed in situations]
    assert order == [
        Reason.RETAINED_AFTER_SEND,
        Reason.ACCOUNT_NOT_FOUND,
        Reason.IDENTITY_MISMATCH,
        Reason.GONE,
        Reason.DELETING_NODE_POOL,
        Reason.REFUSED_BY_MODELARTS,
        Reason.PAUSED,
        Reason.OTHER_FINALIZERS,
        Reason.YEARLY_MONTHLY_BILLING,
    ]


@pytest.mark.parametrize("name", TABLE)
def test_each_row_gives_its_own_reasons_only(name: str) -> None:
    observed = TABLE[name][0]
    decided = ((reasons, row(observed, NOW)) for reasons, row in ROWS)
    reasons, decision = next(((reasons, found) for reasons, found in decided if found is not None), ((), None))
    assert getattr(decision, "reason", None) in {None, *reasons}


def test_rows_stand_in_the_order_of_the_design() -> None:
    """design.md, section 5. A reason that several rows can give counts where it comes first."""
    first = list(dict.fromkeys(reason for reasons, _ in ROWS for reason in reasons if reason not in FAILURES))
    assert first == ORDER


def test_transient_classes_are_marked_so() -> None:
    for name in ("CloudUnavailable", "CloudUnavailable: unreadable counts"):
        decision = decide_deletion(TABLE[name][0], NOW)
        assert isinstance(decision, Hold)
        assert decision.is_transient
    for name in (
        "AccountNotFound",
        "IdentityMismatch",
        "RefusedByModelArts",
        "DeletionReverted",
        "Paused",
        "YearlyMonthlyBilling",
    ):
        decision = decide_deletion(TABLE[name][0], NOW)
        assert isinstance(decision, Hold)
        assert not decision.is_transient


def test_releases_that_may_leave_a_node_pool_behind_are_orphans() -> None:
    orphans = {name for name, row in TABLE.items() if getattr(decide_deletion(row[0], NOW), "is_orphan", False)}
    assert orphans == {"RetainedAfterSend", "Orphaned: deletion was held", "Orphaned: DELETE was refused"}


@pytest.mark.parametrize("name", ["..", "a/b", "a\n", "a" * 129])
def test_a_name_that_would_change_the_url_is_held_before_any_call(name: str) -> None:
    observed = a_deletion(UNSEEN, listing=None)
    view = observed.account
    assert view is not None
    for part in ("node_pool_name", "pool_name"):
        bad = replace(view, identity=view.identity.model_copy(update={part: name}))
        decision = decide_deletion(replace(observed, account=bad), NOW)
        assert isinstance(decision, Hold)
        assert decision.reason is Reason.INVALID_OBJECT
        assert RETAIN in decision.message


def test_without_account_and_identity_the_row_of_absence_holds_by_itself() -> None:
    decision = absence(replace(a_deletion(UNSEEN, **ABSENT), account=None), NOW)
    assert isinstance(decision, Hold)
    assert shown_counts(replace(a_deletion(UNSEEN), account=None)) is None


def test_the_pinned_name_is_what_is_looked_for_and_named() -> None:
    # The account still says the same; spec was bypassed.
    observed = a_deletion(DELETED.pinned(node_pool_name="other").retained(), record=sent(HOUR))
    decision = decide_deletion(observed, NOW)
    assert isinstance(decision, Release)
    assert "node pool other was sent" in decision.message


def test_the_pinned_identity_wins_over_what_account_and_spec_say_now() -> None:
    observed = a_deletion(DELETED.pinned(region="cn-east-3"))
    assert observed.identity == observed.node_pool.status.identity
    unpinned = a_deletion(UNSEEN)
    assert unpinned.account is not None
    assert unpinned.identity == unpinned.account.identity


def test_unreadable_counts_without_a_problem_are_told_in_words() -> None:
    observed = a_deletion(listing=looked(a_listing(an_unreadable_node_pool(problem=None))))
    decision = decide_deletion(observed, NOW)
    assert isinstance(decision, Hold)
    assert "(no numbers)" in decision.message


@pytest.mark.parametrize(("many", "end"), [(5, "example.com/f4);"), (7, "example.com/f4, …);")])
def test_many_finalizers_are_cut_short(many: int, end: str) -> None:
    builder = DELETED
    for number in range(many):
        builder = builder.with_finalizer(f"example.com/f{number}")
    decision = decide_deletion(a_deletion(builder), NOW)
    assert isinstance(decision, Hold)
    assert end in decision.message


@pytest.mark.parametrize(
    "name",
    [
        "AccountNotFound",
        "NotGranted",
        "IdentityMismatch",
        "CloudUnavailable: unreadable counts",
        "Paused",
        "OtherFinalizers",
    ],
)
def test_what_only_people_can_change_is_looked_at_once_a_minute(name: str) -> None:
    decision = decide_deletion(TABLE[name][0], NOW)
    assert isinstance(decision, Hold)
    assert decision.retry_after == MINUTE


def test_the_row_of_the_identity_leaves_a_missing_account_to_its_own_row() -> None:
    assert identity_mismatch(replace(a_deletion(), account=None), NOW) is None


def test_a_missing_fact_is_asked_for_only_where_a_row_needs_it() -> None:
    bare = {"resource_pool": None, "nodes": None, "workloads": None}
    assert decide_deletion(a_deletion(listing=None, **bare), NOW) == Look(frozenset({Fact.LISTING}))
    assert decide_deletion(a_deletion(**bare), NOW) == Look(frozenset({Fact.RESOURCE_POOL, Fact.NODES, Fact.WORKLOADS}))
    assert isinstance(decide_deletion(a_deletion(DELETED.paused(), **bare), NOW), Hold)
    assert isinstance(decide_deletion(a_deletion(record=sent(MINUTE), **bare), NOW), Wait)
