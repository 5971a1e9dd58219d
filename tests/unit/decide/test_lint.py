"""Flux's published checks of conditions, held against every status that decide/ can produce."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.api.account import AccountStatus
from modelarts_nodepool.api.meta import Condition
from modelarts_nodepool.api.node_pool import Counts, DeletionRecord, NodePoolStatus
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Send, Wait
from modelarts_nodepool.decide.deletion.record import accept, record_progress
from modelarts_nodepool.decide.deletion.status import build_write_ahead, decide_deleting_status, is_worth_a_write
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved, Failure, LiveObserved
from modelarts_nodepool.decide.status import decide_account_status, decide_status
from modelarts_nodepool.ports import Moment
from tests.support.builders import NOON, a_cloud_node_pool, a_listing, a_node_pool, an_account
from tests.unit.decide.arbitrary import counts, deletions, failures, observations, usual, whole_conditions
from tests.unit.decide.situations import MINUTE, MONOTONIC, a_deletion, listed, not_listed

ORDER = ["Stalled", "Reconciling", "Ready", "NodesHealthy", "DeletionBlocked", "Paused"]
ONLY_TRUE = {"Stalled", "Reconciling", "DeletionBlocked", "Paused"}


def lint(conditions: tuple[Condition, ...], observed_generation: int, generation: int) -> None:
    said = {condition.type.value: condition.status.value for condition in conditions}
    assert [name for name in ORDER if name in said] == [condition.type.value for condition in conditions]
    assert all(said.get(name, "True") == "True" for name in ONLY_TRUE), "a false one is left out"
    assert "Ready" in said
    negative = {name for name in ("Stalled", "Reconciling", "DeletionBlocked") if name in said}
    assert not {"Stalled", "Reconciling"} <= negative
    if said["Ready"] == "True":
        assert not negative
    if negative & {"Stalled"} or "DeletionBlocked" in negative:
        assert said["Ready"] == "False"
    if "Reconciling" in negative:
        assert said["Ready"] in {"False", "Unknown"}
    if said["Ready"] == "Unknown":
        assert "Reconciling" in negative
    assert observed_generation == generation
    for condition in conditions:
        assert condition.observed_generation == generation
        assert re.fullmatch(r"[A-Za-z]+", condition.reason)
        assert re.search(r"\bNone\b", condition.message) is None
        assert 0 < len(condition.message) <= 32_768


def lint_status(status: NodePoolStatus, generation: int) -> None:
    lint(status.conditions, status.observed_generation, generation)
    assert NodePoolStatus.model_validate(status.to_wire()) == status, "what is written is what is read back"


@given(observations())
@usual
def test_every_status_of_a_living_object_passes(observed: LiveObserved) -> None:
    before = observed.node_pool.status
    verdict = decide_status(observed, NOON)
    assert verdict.recheck_after is None or timedelta() < verdict.recheck_after
    if verdict.status == before and not before.conditions:
        return  # nothing was said yet, and nothing is written
    lint_status(verdict.status, observed.node_pool.metadata.generation)
    blocked = {condition.type.value for condition in verdict.status.conditions} & {"DeletionBlocked"}
    assert not blocked


@given(observations(), st.integers(0, 3600))
@usual
def test_a_status_that_was_written_is_not_written_again(observed: LiveObserved, later: int) -> None:
    first = decide_status(observed, NOON)
    again = replace(observed, node_pool=replace(observed.node_pool, status=first.status))
    assert decide_status(observed, NOON) == first
    assert decide_status(again, NOON).status == first.status
    if first.recheck_after is None:
        # No clock but the observation's own can change it.
        assert decide_status(again, NOON + timedelta(seconds=later)).status == first.status


decisions: st.SearchStrategy[Decision] = st.one_of(
    st.builds(Hold, st.sampled_from(Reason), st.just("why"), st.just(MINUTE), st.booleans()),
    st.just(Wait(Reason.DELETING_NODE_POOL, "why", MINUTE)),
    st.just(Wait(Reason.DELETION_STUCK, "why", MINUTE, is_stuck=True)),
)
spans = st.sampled_from([timedelta(seconds=seconds) for seconds in (0, 4, 5, 299, 300, 9999)])


@given(deletions(), st.none() | decisions, spans)
@usual
def test_every_status_of_a_deletion_passes_and_is_written_once(
    observed: DeletionObserved, given_decision: Decision | None, held_for: timedelta
) -> None:
    decision = given_decision or decide_deletion(observed, Moment(NOON, MONOTONIC))
    status = decide_deleting_status(observed, decision, held_for, NOON)
    if status is None:
        return
    generation = observed.node_pool.metadata.generation
    lint_status(status, generation)
    again = replace(observed, node_pool=replace(observed.node_pool, status=status))
    repeated = decide_deleting_status(again, decision, held_for, NOON + MINUTE)
    assert repeated == status
    assert not is_worth_a_write(status, status)


@given(deletions())
@usual
def test_every_write_ahead_passes(observed: DeletionObserved) -> None:
    status = build_write_ahead(observed, NOON)
    lint_status(status, observed.node_pool.metadata.generation)
    assert status.deletion is not None
    assert status.deletion.attempt == observed.record.attempt + 1
    assert status.deletion.sent_time == NOON
    assert is_worth_a_write(observed.node_pool.status, status) or observed.node_pool.status.deletion == status.deletion


@given(whole_conditions, st.booleans(), st.none() | failures)
@usual
def test_every_status_of_an_account_passes(
    before: tuple[Condition, ...],
    was_used: bool,  # noqa: FBT001 - drawn
    failure: Failure | None,
) -> None:
    account = replace(an_account().build(), status=AccountStatus(conditions=before))
    status = decide_account_status(account, was_used=was_used, failure=failure, now=NOON)
    lint(status.conditions, status.observed_generation, 1)
    again = replace(account, status=status)
    assert decide_account_status(again, was_used=was_used, failure=failure, now=NOON + MINUTE) == status


# How many writes a deletion costs.


class Run:
    """The engine's loop in small: decide, write where it is worth a write, one look every ten seconds."""

    def __init__(self, first: Counts) -> None:
        living = decide_status(live(first), NOON).status
        self.node_pool = a_node_pool().finalized().being_deleted(NOON).showing(living).build()
        self.record = DeletionRecord()
        self.writes = 0
        self.sends = 0
        self.polls = 0

    def observe(self, shown: Counts | None) -> DeletionObserved:
        listing = not_listed(0) if shown is None else listed(0, **shown.model_dump())
        usual = a_deletion(listing=replace(listing, begun=self.monotonic), deletion_seen=MONOTONIC)
        self.record = record_progress(self.record, shown, self.now)
        facts = ("resource_pool", "nodes", "workloads", "definition", "namespace")
        fresh: dict[str, Any] = {name: replace(getattr(usual, name), begun=self.monotonic) for name in facts}
        return replace(usual, node_pool=self.node_pool, record=self.record, **fresh)

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=10 * self.polls)

    @property
    def monotonic(self) -> float:
        return MONOTONIC + 10.0 * self.polls

    def write(self, status: NodePoolStatus) -> None:
        self.writes += 1
        self.node_pool = replace(self.node_pool, status=NodePoolStatus.model_validate(status.to_wire()))

    def look(self, shown: Counts | None) -> None:
        observed = self.observe(shown)
        decision = decide_deletion(observed, Moment(self.now, self.monotonic))
        if isinstance(decision, Send):
            self.sends += 1
            self.write(build_write_ahead(observed, self.now))
            assert self.node_pool.status.deletion is not None
            self.record = accept(self.node_pool.status.deletion, "request-1", self.now)
            observed = self.observe(shown)
            decision = decide_deletion(observed, Moment(self.now, self.monotonic))
        status = decide_deleting_status(observed, decision, timedelta(), self.now)
        if status is not None and is_worth_a_write(self.node_pool.status, status):
            self.write(status)
        self.polls += 1


def live(shown: Counts) -> LiveObserved:
    node_pool = a_node_pool().finalized().build()
    listing = a_listing(a_cloud_node_pool(**shown.model_dump()))
    view = an_account().seen_by(node_pool)
    return LiveObserved(node_pool=node_pool, account=view, seen=listing)


going = counts.map(lambda shown: shown.model_copy(update={"deleting": shown.deleting + 1}))


@given(
    counts.filter(lambda shown: shown.deleting == 0 and shown.available > 0),
    st.integers(0, 11),
    st.lists(going, max_size=20),
)
@usual
def test_a_normal_deletion_costs_one_write_and_one_for_each_change_of_the_counts(
    first: Counts, quiet: int, course: list[Counts]
) -> None:
    run = Run(first)
    shown = [first] * (1 + quiet) + course
    for each in shown:
        run.look(each)
    changes = sum(before != after for before, after in pairwise(shown))
    assert run.sends == 1
    assert run.writes == 1 + changes
