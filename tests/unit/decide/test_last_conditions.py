"""Row 4: what may be said again while the cloud is out of reach, and what may not."""

from datetime import datetime

import pytest

from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.node_pool import DeletionRecord
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.status import decide_status
from modelarts_nodepool.errors import ServerFailure
from tests.support.builders import NOON, a_node_pool
from tests.unit.decide.situations import an_observation

FAULT = ServerFailure("list_node_pools was answered 503: busy.")
T, F, U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


def a_condition(kind: ConditionType, status: ConditionStatus, at: datetime = NOON) -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=Reason.NODES_AVAILABLE,
        message="written by hand",
        observed_generation=1,
        last_transition_time=at,
    )


READY_KIND, RECONCILING, STALLED = ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ({READY_KIND: T}, True),
        ({READY_KIND: F}, True),
        ({READY_KIND: F, STALLED: T}, True),
        ({READY_KIND: F, RECONCILING: T}, True),
        ({READY_KIND: U, RECONCILING: T}, True),
        ({READY_KIND: T, ConditionType.NODES_HEALTHY: F}, True),
        ({STALLED: T}, False),
        ({READY_KIND: U}, False),
        ({READY_KIND: T, STALLED: T}, False),
        ({READY_KIND: T, RECONCILING: T}, False),
        ({READY_KIND: U, STALLED: T}, False),
        ({READY_KIND: F, STALLED: T, RECONCILING: T}, False),
        ({READY_KIND: U, STALLED: T, RECONCILING: T}, False),
        ({READY_KIND: F, STALLED: F}, False),
        ({READY_KIND: F, RECONCILING: U}, False),
    ],
    ids=lambda value: "+".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value),
)
def test_last_conditions_that_contradict_each_other_are_not_said_again(
    written: dict[ConditionType, ConditionStatus],
    kept: bool,  # noqa: FBT001 - a case of the table
) -> None:
    builder = a_node_pool().saying(*(a_condition(kind, status) for kind, status in written.items()))
    status = decide_status(an_observation(builder, failure=FAULT), NOON).status
    said = {condition.type: condition.status for condition in status.conditions}
    assert (said == written) is kept
    assert kept or said[READY_KIND] is U


def test_what_belongs_to_a_deletion_does_not_stay_on_an_object_that_lives() -> None:
    builder = a_node_pool().saying(a_condition(READY_KIND, F), a_condition(ConditionType.DELETION_BLOCKED, T))
    restored = builder.recording(DeletionRecord(attempt=1, sent_time=NOON))
    for changes in ({}, {"failure": FAULT}):
        status = decide_status(an_observation(restored, **changes), NOON).status
        assert find_condition(status.conditions, ConditionType.DELETION_BLOCKED) is None
        assert status.deletion is None
