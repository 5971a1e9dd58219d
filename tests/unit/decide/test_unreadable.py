"""What is said about an object that cannot be read, and that it holds others of its node pool."""

from datetime import timedelta

import pytest

from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.decide.deletion.decision import Hold, Release, Send
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.unreadable import decide_unreadable_conditions
from tests.support.builders import NOON, NodePoolBuilder, a_node_pool
from tests.support.unreadable import an_unreadable_body, an_unreadable_object, read
from tests.unit.decide.deletion_rows import ABSENT, DELETED, RETAIN
from tests.unit.decide.situations import HOUR, MINUTE, NOW, a_deletion, listed, refused, sent

LIVING = a_node_pool().finalized().of_generation(3)
DELETING = LIVING.being_deleted()


def a_strange(builder: NodePoolBuilder) -> UnreadableObject:
    return read(an_unreadable_body(builder, deletionPolicy="Archive"))


def said(found: UnreadableObject) -> list[tuple[str, str, str]]:
    return [(each.type, each.status, each.reason) for each in decide_unreadable_conditions(found, NOON)]


@pytest.mark.parametrize(
    ("builder", "conditions", "words"),
    [
        (
            LIVING,
            [("Stalled", "True", "InvalidObject"), ("Ready", "False", "InvalidObject")],
            "its status is not updated, and its deletion is held",
        ),
        (
            a_node_pool(),
            [("Stalled", "True", "InvalidObject"), ("Ready", "False", "InvalidObject")],
            "it has no finalizer: deleting the object would leave its node pool in the cloud",
        ),
        (
            DELETING,
            [
                ("Reconciling", "True", "DeletionBlocked"),
                ("Ready", "False", "DeletionBlocked"),
                ("DeletionBlocked", "True", "InvalidObject"),
            ],
            "it neither deletes the node pool nor releases the object",
        ),
    ],
    ids=["living", "living and not protected", "being deleted"],
)
def test_it_says_what_cannot_be_read_what_is_not_done_and_what_to_do(
    builder: NodePoolBuilder, conditions: list[tuple[str, str, str]], words: str
) -> None:
    found = a_strange(builder)
    assert said(found) == conditions
    for each in decide_unreadable_conditions(found, NOON):
        assert each.observed_generation == found.metadata.generation
        assert words in each.message
        for part in (
            "(spec.deletionPolicy: Input should be 'Delete' or 'Retain')",
            "modelarts-nodepool doctor;",
            "kubectl get crd modelartsnodepools.modelarts.huaweicloud.com -o yaml;",
            "kubectl apply --server-side --force-conflicts -f crds/;",
        ):
            assert part in each.message
        assert each.message.endswith("kubectl edit -n ml manp training-a --field-manager=on-call")


def test_the_time_of_a_transition_stays_until_there_is_one() -> None:
    first = decide_unreadable_conditions(a_strange(LIVING), NOON)
    again = a_strange(LIVING.saying(*first))
    assert decide_unreadable_conditions(again, NOON + HOUR) == first
    deleted = decide_unreadable_conditions(a_strange(DELETING.saying(*first)), NOON + HOUR)
    assert {each.type: each.last_transition_time - NOON for each in deleted} == {
        "Reconciling": HOUR,
        "Ready": timedelta(),
        "DeletionBlocked": HOUR,
    }


@pytest.mark.parametrize("record", [None, sent(3 * HOUR), refused(6 * MINUTE)], ids=["new", "sent", "refused"])
def test_nothing_is_sent_while_an_object_of_the_node_pool_cannot_be_read(record: object) -> None:
    parts = {} if record is None else {"record": record, "listing": listed(available=2)}
    twin = an_unreadable_object("renamed", deletionPolicy="Archive")
    decision = decide_deletion(a_deletion(unreadable_duplicate=twin, **parts), NOW)
    assert not isinstance(decision, Send | Release)
    if record is None:
        assert isinstance(decision, Hold)
        assert decision.reason is Reason.DUPLICATE_OBJECT
        assert (
            "ml/renamed also names node pool training-a, but this version of the operator cannot read"
            in decision.message
        )
        assert "kubectl describe -n ml manp renamed;" in decision.message
        assert decision.message.endswith(RETAIN)


def test_what_is_proven_gone_is_released_although_an_object_of_it_cannot_be_read() -> None:
    decision = decide_deletion(
        a_deletion(**ABSENT, unreadable_duplicate=an_unreadable_object(deletionPolicy="Archive")), NOW
    )
    assert isinstance(decision, Release)
    assert decision.reason is Reason.ALREADY_GONE


def test_retain_lets_an_object_go_whoever_else_cannot_be_read() -> None:
    observed = a_deletion(DELETED.retained(), unreadable_duplicate=an_unreadable_object(deletionPolicy="Archive"))
    assert isinstance(decide_deletion(observed, NOW), Release)
