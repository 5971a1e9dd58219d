"""No observation whatever releases without proof or sends without every guard.

The two oracles are written from the design, with plain comparisons and nothing of the code under test.
"""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelarts_nodepool.decide.deletion.decision import Hold, Look, Release, Send, Wait
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact
from tests.support.builders import NOON, a_node_pool
from tests.unit.decide.arbitrary import PARTS, deletions, thorough, usual
from tests.unit.decide.oracles import heirs, is_an_heir_that_acts, is_proven_gone, may_send, record_is_clean
from tests.unit.decide.situations import HOUR, MINUTE, MONOTONIC, NOW, a_deletion, sent

pytestmark = pytest.mark.long

PROVEN = {"Gone", "AlreadyGone"}
RETAINED = {"Retained", "RetainedAfterSend", "Orphaned"}
FIELD_OF = {"NODE_POOL": "shown"}
# Deleted too, younger, and with the record of a DELETE from long before it was created.
RESTORED = (
    a_node_pool("renamed", "team")
    .standing_for("training-a")
    .created(NOON - MINUTE)
    .finalized()
    .being_deleted()
    .recording(sent(3 * HOUR))
    .build()
)


@given(deletions())
@example(a_deletion())
@example(a_deletion(duplicates=(RESTORED,)))
@thorough
def test_no_input_releases_without_proof_and_none_sends_without_every_guard(observed: DeletionObserved) -> None:
    decision = decide_deletion(observed, NOW)
    if isinstance(decision, Release) and decision.reason in PROVEN:
        assert is_proven_gone(observed)
        assert (decision.reason == "AlreadyGone") == (observed.record.attempt == 0)
    elif isinstance(decision, Release) and decision.reason == "HandedOver":
        assert record_is_clean(observed)
        assert decision.heir is not None
        assert decision.heir.metadata.uid in heirs(observed)
        assert is_an_heir_that_acts(decision.heir)
        assert "modelarts.huaweicloud.com/node-pool" in decision.heir.metadata.finalizers
    elif isinstance(decision, Release):
        assert decision.reason in RETAINED
        assert observed.retain_seen or observed.node_pool.spec.deletion_policy.value == "Retain"
    if isinstance(decision, Send):
        assert may_send(observed)


@given(deletions())
@usual
def test_every_decision_says_what_is_next_and_when(observed: DeletionObserved) -> None:
    decision = decide_deletion(observed, NOW)
    assert decide_deletion(observed, NOW) == decision
    if isinstance(decision, Look):
        assert decision.facts
        return
    if isinstance(decision, Hold | Wait):
        assert decision.retry_after > timedelta()
        assert decision.retry_after <= timedelta(hours=1)
    if isinstance(decision, Hold) or (isinstance(decision, Wait) and decision.is_stuck):
        assert "kubectl " in decision.message
    if not isinstance(decision, Send):
        assert re.search(r"\bNone\b", decision.message) is None
        assert 0 < len(decision.message) < 4096


CLOUD = {name: PARTS[name].filter(lambda look: look is not None) for name in PARTS if name != "record"}


@given(deletions(), st.data())
@usual
def test_obeying_every_look_ends_in_a_decision(observed: DeletionObserved, data: st.DataObject) -> None:
    """Whatever the cloud answers, and with a clock that stands still: nothing spins. Each fact is asked for once."""
    for _ in range(len(Fact) + 1):
        decision = decide_deletion(observed, NOW)
        if not isinstance(decision, Look):
            return
        for fact in decision.facts:
            name = FIELD_OF.get(fact.name, fact.name.lower())
            found = data.draw(CLOUD[name]) if name in CLOUD else Evidence(MONOTONIC)
            changes: dict[str, Any] = {name: replace(found, begun=MONOTONIC)}
            observed = replace(observed, **changes)
    raise AssertionError(f"still looking: {decide_deletion(observed, NOW)}")


@given(deletions())
@usual
def test_time_alone_ends_every_pause(observed: DeletionObserved) -> None:
    """Two years later, later than any time in the record, no pause is left and what still deletes is called stuck."""
    years = timedelta(days=730)
    later = replace(NOW, utc=NOW.utc + years, monotonic=NOW.monotonic + years.total_seconds())
    renewed: dict[str, Any] = {
        name: replace(evidence, begun=evidence.begun + years.total_seconds())
        for name in ("listing", "earlier_listing", "shown", "resource_pool", "resource_pools", "nodes")
        if (evidence := getattr(observed, name)) is not None
    }
    if observed.record.nothing_deleting_since is None:
        # controllers/deletion/gather.py would have noted it long ago.
        renewed["record"] = observed.record.model_copy(update={"nothing_deleting_since": NOON})
    decision = decide_deletion(replace(observed, **renewed), later)
    if isinstance(decision, Hold):
        assert decision.reason not in {"RefusedByModelArts", "DeletionReverted"}
        assert "was not sent or had no effect" not in decision.message
    assert not isinstance(decision, Wait) or decision.is_stuck
