"""What doctor makes of objects that the operator may not be able to write."""

from datetime import timedelta
from typing import Any

import pytest

from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from modelarts_nodepool.commands.doctor.check import Result
from modelarts_nodepool.commands.doctor.writes import Seen, judge, see, stopping
from tests.support.builders import NOON, NodePoolBuilder, a_node_pool

LATER = NOON + timedelta(minutes=10)
OLD = a_node_pool().created(NOON)


def told(kind: ConditionType, reason: str) -> Condition:
    status = ConditionStatus.TRUE if kind is ConditionType.DELETION_BLOCKED else ConditionStatus.FALSE
    return Condition(
        type=kind, status=status, reason=reason, message="", observed_generation=1, last_transition_time=NOON
    )


@pytest.mark.parametrize(
    ("builder", "problem"),
    [
        pytest.param(a_node_pool().created(LATER), "", id="just created"),
        pytest.param(OLD, "no finalizer", id="never protected"),
        pytest.param(OLD.finalized(), "old status", id="never mirrored"),
        pytest.param(OLD.finalized().saying().of_generation(2), "old status", id="changed since"),
        pytest.param(OLD.finalized().saying(), "", id="well"),
        pytest.param(OLD.saying(told(ConditionType.READY, "NotProtected")), "NotProtected", id="refused"),
        pytest.param(
            OLD.finalized().being_deleted().saying(told(ConditionType.DELETION_BLOCKED, "ReleaseRefused")),
            "ReleaseRefused",
            id="cannot go",
        ),
        pytest.param(OLD.finalized().being_deleted(), "", id="being deleted"),
    ],
)
def test_each_object_is_judged_by_what_it_lacks(builder: NodePoolBuilder, problem: str) -> None:
    assert see(NODE_POOL_FINALIZER, LATER, builder.body()).problem == problem


def a_webhook(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    return {"webhooks": [{"name": "theirs.example.com", "rules": [rule | changes.pop("rule", {})]} | changes]}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param(a_webhook(), ["theirs.example.com"], id="of everything"),
        pytest.param(a_webhook(failurePolicy="Ignore"), [], id="ignored when it is down"),
        pytest.param(a_webhook(rule={"apiGroups": ["apps"]}), [], id="of others"),
        pytest.param(a_webhook(rule={"operations": ["CREATE", "DELETE"]}), [], id="of creation"),
        pytest.param(
            a_webhook(rule={"resources": ["modelartsnodepools/status"]}), ["theirs.example.com"], id="of the status"
        ),
        pytest.param({}, [], id="of nothing"),
    ],
)
def test_webhooks_that_stop_writes_while_they_are_down_are_named(body: dict[str, Any], names: list[str]) -> None:
    assert stopping(body) == names


def test_the_finding_names_objects_and_suspects() -> None:
    well = [Seen(f"uid-{number}", f"ml/{number}", 1, "") for number in range(3)]
    assert judge(well, []).result is Result.OK
    assert "theirs.example.com" in judge(well, ["theirs.example.com"]).words
    found = judge([*well, Seen("uid-9", "ml/training-a", 1, "no finalizer")], ["theirs.example.com"])
    assert found.result is Result.FAILED
    assert "1 of 4 objects: ml/training-a (no finalizer)" in found.words
    assert "theirs.example.com" in found.words
    assert "kubectl get validatingwebhookconfigurations" in found.remedy
