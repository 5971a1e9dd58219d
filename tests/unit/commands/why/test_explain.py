"""The explanation says what the table decides, whatever is observed; and what it may not know, it does not say."""

import json
from dataclasses import replace

import pytest
from hypothesis import given

from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.commands.why.explain import Gap, Row, Verdict, ask_guards, judge, next_fetch
from modelarts_nodepool.commands.why.format import Outcome, conclude, to_json, to_text
from modelarts_nodepool.commands.why.observe import Explanation
from modelarts_nodepool.decide.deletion.decision import HELD, Decision, Hold, Look, Release, Send, Wait
from modelarts_nodepool.decide.deletion.table import ROWS, decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence
from modelarts_nodepool.errors import CloudUnavailable, CredentialsUnavailable
from modelarts_nodepool.ports import Moment, NodePoolListing
from tests.support.builders import a_node_pool
from tests.support.unreadable import an_unreadable_body, read
from tests.unit.decide.arbitrary import deletions, usual
from tests.unit.decide.deletion_rows import TABLE
from tests.unit.decide.situations import HOUR, MONOTONIC, NOW, a_deletion, sent

NO_ANSWER = "no answer"


def rows_of(observed: DeletionObserved, **gaps: Gap) -> list[Row]:
    return judge(observed, ask_guards(observed, NOW), gaps, NO_ANSWER)


def explained(observed: DeletionObserved, *, lives: bool = False, **gaps: Gap) -> Explanation:
    rows = rows_of(observed, **gaps)
    return Explanation(node_pool=observed.node_pool, lives=lives, moment=NOW, observed=observed, rows=rows)


def verdict_of(rows: list[Row], reason: Reason) -> Verdict:
    return next(row.verdict for row in rows if reason in row.answer.reasons)


def agrees(observed: DeletionObserved) -> None:
    decision, rows = decide_deletion(observed, NOW), rows_of(observed)
    first = next((row for row in rows if row.verdict is not Verdict.PASSES), None)
    if isinstance(decision, Send):
        assert first is None
        return
    assert first is not None
    if isinstance(decision, Look):
        assert first.verdict is Verdict.NOT_CHECKED
        assert NO_ANSWER in first.why
        assert next_fetch([row.answer for row in rows], {}, ()) == (rows.index(first), decision.facts)
    else:
        assert first.decides
        assert first.decision == decision
    assert sum(row.decides for row in rows) <= 1 or isinstance(decision, Look)


@given(deletions())
@usual
def test_the_first_guard_that_does_not_pass_is_what_the_table_decides(observed: DeletionObserved) -> None:
    agrees(observed)


@pytest.mark.parametrize("name", TABLE)
def test_every_situation_of_the_table_is_explained_in_words_and_json(name: str) -> None:
    observed = TABLE[name][0]
    agrees(observed)
    decision = decide_deletion(observed, NOW)
    for lives in (True, False):
        found = explained(observed, lives=lives)
        text, document = to_text(found), json.loads(to_json(found))
        assert text.splitlines()[-1] == document["decision"]["sentence"]
        assert "None" not in text
        assert len(document["guards"]) == len(ROWS)
        if isinstance(decision, Hold | Wait | Release) and document["decision"]["outcome"] not in {
            "forgets",
            "unknown",
        }:
            assert document["decision"]["reason"] in {decision.reason, None}


def test_a_row_that_is_added_to_the_table_appears_with_the_facts_that_it_reads() -> None:
    def budget_is_odd(observed: DeletionObserved, _: Moment) -> Decision | None:
        return Hold(Reason.PAUSED, "odd; see: kubectl get manp", HELD) if observed.budget is None else None

    observed = replace(a_deletion(), budget=None)
    answers = ask_guards(observed, NOW, (*ROWS, ((Reason.PAUSED,), budget_is_odd)))
    row = judge(observed, answers, {}, NO_ANSWER)[-1]
    assert row.verdict is Verdict.HOLDS
    # The object, because the message of every hold names an override that has no effect.
    assert row.answer.read == frozenset({"budget", "node_pool"})


def test_nothing_is_said_of_guards_behind_a_release_or_a_wait() -> None:
    for name, (observed, kind, *_) in TABLE.items():
        rows = rows_of(observed)
        if kind not in {Release, Wait} or not any(row.decides for row in rows):
            continue
        position = next(index for index, row in enumerate(rows) if row.decides)
        assert {row.verdict for row in rows[position + 1 :]} <= {Verdict.NOT_REACHED}, name
        assert next_fetch([row.answer for row in rows], {}, ()) is None, name


def test_a_fact_that_the_caller_may_not_know_leaves_its_guards_open() -> None:
    observed = replace(a_deletion(), listing=Evidence(MONOTONIC, failure=CloudUnavailable("no Secret")))
    found = explained(observed, listing=Gap("you may not read the Secret"))
    rows = list(found.rows)
    assert verdict_of(rows, Reason.GONE) is Verdict.NOT_CHECKED
    assert verdict_of(rows, Reason.LAST_NODE_POOL) is Verdict.NOT_CHECKED
    assert verdict_of(rows, Reason.PAUSED) is Verdict.PASSES
    assert conclude(found).outcome in {Outcome.UNKNOWN, Outcome.RELEASES}
    assert "Not checked: you may not read the Secret" in to_text(found)


def test_what_is_only_partly_known_counts_where_it_decides() -> None:
    observed = a_deletion()
    gap = Gap("you may not list the objects of other namespaces", is_partial=True)
    assert verdict_of(rows_of(observed, duplicates=gap), Reason.HANDED_OVER) is Verdict.NOT_CHECKED
    heir = replace(observed.node_pool, metadata=replace(observed.node_pool.metadata, uid="other", deleted=None))
    observed = replace(observed, duplicates=(heir,))
    rows = rows_of(observed, duplicates=gap)
    decision = decide_deletion(observed, NOW)
    assert isinstance(decision, Hold | Release)
    assert next(row for row in rows if row.decides).decision == decision


def test_of_a_fact_that_the_caller_may_not_know_no_value_is_shown() -> None:
    observed = replace(a_deletion(), account=None)
    found = replace(explained(observed), gaps={"account": Gap("you may not read it")})
    facts = {fact["fact"]: fact["value"] for fact in json.loads(to_json(found))["facts"]}
    assert facts["account"] == "not known here"
    found = replace(found, gaps={"duplicates": Gap("you may not list all objects", is_partial=True)})
    facts = {fact["fact"]: fact["value"] for fact in json.loads(to_json(found))["facts"]}
    assert facts["other objects"] == "none for this node pool, as far as you may read"


def test_of_a_hold_after_a_delete_it_does_not_promise_that_the_node_pool_stays() -> None:
    failed: Evidence[NodePoolListing] = Evidence(MONOTONIC, failure=CredentialsUnavailable("no Secret"))
    sentence = conclude(explained(a_deletion(record=sent(HOUR, accepted=True), listing=failed))).sentence
    assert sentence.endswith("the DELETE that was sent may still delete node pool training-a of resource pool pool-a.")
    assert "stays" not in sentence
    assert conclude(explained(a_deletion(listing=failed))).sentence.endswith("resource pool pool-a stays.")


def test_behind_a_hold_by_a_failure_no_guard_is_judged_by_what_is_not_there() -> None:
    observed = replace(a_deletion(), listing=Evidence(MONOTONIC, failure=CloudUnavailable("503")))
    rows = rows_of(observed)
    assert verdict_of(rows, Reason.GONE) is Verdict.HOLDS
    assert verdict_of(rows, Reason.LAST_NODE_POOL) is Verdict.NOT_CHECKED


def test_what_one_guard_did_not_get_the_guards_behind_it_do_not_have_either() -> None:
    rows = rows_of(replace(a_deletion(), listing=None))
    assert verdict_of(rows, Reason.GONE) is Verdict.NOT_CHECKED
    assert verdict_of(rows, Reason.DELETING_NODE_POOL) is Verdict.NOT_CHECKED
    assert verdict_of(rows, Reason.LAST_NODE_POOL) is Verdict.NOT_CHECKED
    assert verdict_of(rows, Reason.PAUSED) is Verdict.PASSES


@pytest.mark.parametrize("lives", [True, False])
@pytest.mark.parametrize("is_protected", [True, False])
def test_of_an_object_that_cannot_be_read_words_and_conclusion_agree(*, lives: bool, is_protected: bool) -> None:
    builder = a_node_pool().finalized() if is_protected else a_node_pool()
    node_pool = read(an_unreadable_body(builder.being_deleted(), deletionPolicy="Archive"))
    text = to_text(Explanation(node_pool=node_pool, lives=lives, moment=NOW))
    is_forgotten = lives and not is_protected
    assert ("deleting the object would leave its node pool in the cloud" in text) is is_forgotten
    assert ("would now remove the object and leave its node pool in the cloud" in text) is is_forgotten
    assert ("InvalidObject holds:" in text) is is_protected
    assert ("be held, reason InvalidObject" in text) is (lives and is_protected)
