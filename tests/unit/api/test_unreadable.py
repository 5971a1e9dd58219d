"""What can be read of an object that cannot be read whole."""

from typing import Any

import pytest

from modelarts_nodepool.api.node_pool import NodePoolStatus
from modelarts_nodepool.api.unreadable import UnreadableObject
from tests.support.builders import NOON, a_node_pool
from tests.support.unreadable import an_unreadable_body, read

STRANGE = an_unreadable_body(a_node_pool().finalized(), deletionPolicy="Archive")


def test_what_it_names_is_read_with_the_defaults_of_the_schema() -> None:
    found = read(STRANGE)
    assert (found.account, found.pool_name, found.node_pool_name) == ("default", "pool-a", "training-a")
    named = read(an_unreadable_body(a_node_pool().standing_for("other").using("second"), deletionPolicy="Archive"))
    assert (named.account, named.pool_name, named.node_pool_name) == ("second", "pool-a", "other")


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"accountRef": "default"}, (None, "pool-a", "training-a")),
        ({"accountRef": {"name": 5}}, (None, "pool-a", "training-a")),
        ({"accountRef": {}, "poolName": 5}, ("default", None, "training-a")),
        ({"nodePoolName": ["training-a"]}, ("default", "pool-a", None)),
        ({"poolName": None}, ("default", None, "training-a")),
    ],
    ids=["account is text", "account is a number", "resource pool", "node pool", "no resource pool"],
)
def test_what_cannot_be_read_is_nothing(spec: dict[str, object], names: tuple[str | None, ...]) -> None:
    found = read(an_unreadable_body(a_node_pool(), **spec))
    assert (found.account, found.pool_name, found.node_pool_name) == names


def test_a_spec_that_is_no_mapping_names_nothing_but_the_object_itself() -> None:
    found = read({**STRANGE, "spec": ["poolName"]})
    assert found.pool_name is None


def test_the_problem_says_where_and_why_and_never_the_value() -> None:
    assert read(STRANGE).problem == "spec.deletionPolicy: Input should be 'Delete' or 'Retain'"
    secret = read(an_unreadable_body(a_node_pool(), poolName="Very-Secret" * 50))
    assert secret.problem.startswith("spec.poolName: ")
    assert "Very-Secret" not in secret.problem
    status: dict[str, Any] = {**NodePoolStatus().to_wire(), "counts": {"available": -1}}
    assert read({**a_node_pool().body(), "status": status}).problem.startswith("status.counts.available: ")
    assert UnreadableObject.from_body(STRANGE, KeyError("poolName"), 0.0).problem == "KeyError"


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ("none", 0),
        ([{"type": "Ready"}, {"type": "Newer"}, "x"], 0),
        (
            [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "NodesAvailable",
                    "message": "",
                    "observedGeneration": 1,
                    "lastTransitionTime": "2026-01-02T12:00:00Z",
                },
                {"type": "Newer"},
            ],
            1,
        ),
    ],
    ids=["no list", "none that fits", "one that fits"],
)
def test_the_conditions_that_can_be_read_are_kept(conditions: object, kept: int) -> None:
    found = read({**STRANGE, "status": {"conditions": conditions, "observedGeneration": "one"}})
    assert len(found.conditions) == kept
    assert found.observed_generation == "one"
    assert found.has_status
    assert not read({**STRANGE, "status": None}).has_status


def test_one_that_is_being_deleted_without_our_finalizer_is_out_of_our_hands() -> None:
    deleted = a_node_pool().being_deleted(NOON)
    assert read(an_unreadable_body(a_node_pool(), deletionPolicy="Archive")).is_in_our_hands
    assert read(an_unreadable_body(deleted.finalized(), deletionPolicy="Archive")).is_in_our_hands
    assert not read(an_unreadable_body(deleted.with_finalizer("other/one"), deletionPolicy="Archive")).is_in_our_hands
