"""A status from the time when an object lived proposes nothing that has been done since: the object is deleted."""

from dataclasses import replace

from modelarts_nodepool.api.meta import ConditionType, find_condition
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Hold
from modelarts_nodepool.decide.deletion.status import GRACE, decide_deleting_status, is_worth_a_write
from modelarts_nodepool.decide.status import decide_status
from tests.support.builders import NOON, a_listing, a_node_pool
from tests.unit.decide.situations import MINUTE, a_deleted_object, a_deletion, an_observation, not_listed

HELD = Hold(Reason.PAUSED, "unpause it", MINUTE)
PASSING = Hold(Reason.CLOUD_UNAVAILABLE, "503", MINUTE, is_transient=True)


def test_an_object_that_was_deleted_is_no_longer_told_to_be() -> None:
    """What it said while it lived would stand for the five minutes of a passing failure."""
    lived = a_node_pool().finalized().pinned()
    advice = decide_status(an_observation(lived, seen=a_listing()), NOON).status.conditions
    assert all("kubectl delete -n ml manp training-a" in condition.message for condition in advice)
    observed = a_deletion(a_deleted_object().saying(*advice), listing=not_listed())
    status = decide_deleting_status(observed, PASSING, GRACE, NOON)
    assert status is not None
    reasons = {condition.type.value: condition.reason for condition in status.conditions}
    assert reasons == {
        "Reconciling": "DeletingNodePool",
        "Ready": "DeletingNodePool",
        "NodesHealthy": "NodePoolNotFound",
    }
    shown = [find_condition(status.conditions, kind) for kind in (ConditionType.RECONCILING, ConditionType.READY)]
    assert [condition and condition.message for condition in shown] == ["503"] * 2
    assert all("kubectl delete" not in condition.message for condition in status.conditions)
    assert is_worth_a_write(observed.node_pool.status, status)
    # Said once: a second write would say nothing new.
    again = replace(observed, node_pool=replace(observed.node_pool, status=status))
    assert decide_deleting_status(again, PASSING, GRACE, NOON) is None
    # The words about health are kept but for their advice, however the deletion goes on.
    held = decide_deleting_status(observed, HELD, GRACE, NOON)
    assert held is not None
    assert all("kubectl delete" not in condition.message for condition in held.conditions)
