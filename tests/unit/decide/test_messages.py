"""What people read while an object is held or in trouble: all messages in one list, and what holds for each of them.

`pytest tests/unit/decide/test_messages.py -s -k prints` shows the list.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, PAUSED_ANNOTATION
from modelarts_nodepool.api.objects import Metadata
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Hold, Wait
from modelarts_nodepool.decide.deletion.status import decide_deleting_status
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import AbnormalNodes, DeletionObserved, FoundOwner, LiveObserved, OwnerState
from modelarts_nodepool.decide.status import decide_status
from modelarts_nodepool.decide.unreadable import decide_unreadable_conditions
from modelarts_nodepool.errors import (
    ClockSkew,
    CredentialsRejected,
    CredentialsUnavailable,
    PermissionDenied,
    ServerFailure,
)
from modelarts_nodepool.ports import Billing, CloudNode
from tests.support.builders import NOON, a_cloud_node_pool, a_listing, a_node_pool
from tests.support.unreadable import an_unreadable_object
from tests.unit.decide.deletion_rows import DELETED, TABLE, UNSEEN
from tests.unit.decide.situations import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    a_deletion,
    an_observation,
    billed,
    failed,
    looked,
    nodes,
    refused,
    sent,
    terminating,
)
from tests.unit.decide.test_duplicates import OLDER, YOUNGER, a_twin
from tests.unit.decide.test_guards import FULL, requiring_confirmation
from tests.unit.decide.test_problems import ACCOUNT, TROUBLES, YOUNG, under

LOCKED = CloudNode("node-1", Billing.PAY_PER_USE, is_locked=True)
# Nothing of this version reads such a name; a guard of its own holds it all the same.
VIEW = ACCOUNT.seen_by(UNSEEN.build())
ELSEWHERE = VIEW.identity.model_copy(update={"node_pool_name": ".."})
UNPROTECTED = a_node_pool("renamed", "team").standing_for("training-a").created(YOUNGER)
FAILURES = (
    CredentialsUnavailable("Secret modelarts-nodepool-operator/key has no value for key secretKey"),
    CredentialsRejected("list_node_pools of pool-a was answered 401 APIG.0301"),
    PermissionDenied("list_node_pools of pool-a was answered 403 ModelArts.0011"),
    ClockSkew("list_node_pools of pool-a was answered 401, and the clocks differ by 20 min"),
    ServerFailure("list_node_pools of pool-a was answered 503"),
)
HELD: dict[str, DeletionObserved] = {
    **{name: row[0] for name, row in TABLE.items()},
    **{type(failure).__name__: a_deletion(listing=failed(failure)) for failure in FAILURES},
    **{
        f"{type(failure).__name__}, after a DELETE": a_deletion(
            DELETED.recording(sent(HOUR)), record=sent(HOUR), listing=failed(failure)
        )
        for failure in FAILURES
    },
    "send-failed": a_deletion(last_failure=ServerFailure("503"), last_failure_at=NOW.monotonic - 1),
    "refused, once sent": a_deletion(
        DELETED.recording(refused(MINUTE, sent_time=NOON - HOUR)), record=refused(MINUTE, sent_time=NOON - HOUR)
    ),
    "definition": a_deletion(definition=terminating(NOON - HOUR)),
    "namespace": a_deletion(namespace=terminating(NOON - HOUR)),
    "confirmation": requiring_confirmation(),
    "confirmation-wrong": replace(
        requiring_confirmation(), node_pool=DELETED.annotated("modelarts.huaweicloud.com/confirm-delete", "b").build()
    ),
    "locked": a_deletion(nodes=nodes(LOCKED)),
    "billing-unknown": a_deletion(resource_pool=billed(Billing.UNKNOWN)),
    "last": a_deletion(listing=looked(a_listing(a_cloud_node_pool(available=2)))),
    "budget": a_deletion(budget=FULL),
    "twin-not-protected": a_deletion(duplicates=(UNPROTECTED.build(),)),
    "twin-unplaced": a_deletion(unplaced_duplicate=UNPROTECTED.build()),
    "twin-older": a_deletion(DELETED.created(YOUNGER), duplicates=(a_twin(OLDER).being_deleted().build(),)),
    "invalid-name": replace(a_deletion(UNSEEN), account=replace(VIEW, identity=ELSEWHERE)),
}
GIT = Metadata.from_body(
    {
        "metadata": {
            "uid": "u",
            "name": "default",
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {
                "kustomize.toolkit.fluxcd.io/name": "accounts",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            },
        }
    }
)


def of_deletions() -> Iterator[tuple[str, Reason, str, DeletionObserved]]:
    """Name of the situation, reason, message."""
    for name, observed in HELD.items():
        decision = decide_deletion(observed, NOW)
        if isinstance(decision, Hold) or (isinstance(decision, Wait) and decision.is_stuck):
            yield name, decision.reason, decision.message, observed


def message_of(observed: LiveObserved) -> str:
    ready = find_condition(decide_status(observed, NOON).status.conditions, ConditionType.READY)
    assert ready is not None
    return ready.message


ALL_HELD = list(of_deletions())
LIVING = [(name, reason, message_of(observed)) for name, (observed, reason, _) in TROUBLES.items()]
EVERY = [*((name, reason, message) for name, reason, message, _ in ALL_HELD), *LIVING]


def commands_in(message: str) -> list[str]:
    return re.findall(r"kubectl [^;]+", message)


def test_it_prints_all_messages() -> None:
    of_unreadable = decide_unreadable_conditions(an_unreadable_object(deletionPolicy="Archive"), NOON)[0]
    listed = [*EVERY, ("cannot be read", of_unreadable.reason, of_unreadable.message)]
    sys.stdout.write("".join(f"\n{reason} ({name}): {message}\n" for name, reason, message in listed))


def test_every_reason_to_hold_is_in_the_list() -> None:
    assert {reason for _, reason, _, _ in ALL_HELD} >= {
        Reason.ACCOUNT_NOT_FOUND,
        Reason.NOT_GRANTED,
        Reason.IDENTITY_MISMATCH,
        Reason.DUPLICATE_OBJECT,
        Reason.CREDENTIALS_REJECTED,
        Reason.CREDENTIALS_UNAVAILABLE,
        Reason.PERMISSION_DENIED,
        Reason.CLOCK_SKEW,
        Reason.CLOUD_UNAVAILABLE,
        Reason.INVALID_OBJECT,
        Reason.DELETION_STUCK,
        Reason.DELETION_REVERTED,
        Reason.REFUSED_BY_MODELARTS,
        Reason.PAUSED,
        Reason.OTHER_FINALIZERS,
        Reason.CRD_TERMINATING,
        Reason.NAMESPACE_TERMINATING,
        Reason.CONFIRMATION_REQUIRED,
        Reason.YEARLY_MONTHLY_BILLING,
        Reason.NODE_LOCKED,
        Reason.BILLING_UNKNOWN,
        Reason.WORKLOADS_RUNNING,
        Reason.LAST_NODE_POOL,
        Reason.DELETION_BUDGET_EXHAUSTED,
    }


@pytest.mark.parametrize(
    ("reason", "message", "observed"), [held[1:] for held in ALL_HELD], ids=[h[0] for h in ALL_HELD]
)
def test_every_hold_ends_with_the_way_out_and_proposes_no_deletion(
    reason: Reason, message: str, observed: DeletionObserved
) -> None:
    assert message.endswith(remedies.retain(observed.node_pool)), reason
    assert "kubectl delete" not in message


@pytest.mark.parametrize(("name", "reason", "message"), EVERY, ids=[name for name, _, _ in EVERY])
def test_every_command_can_be_pasted_and_outlives_flux(name: str, reason: Reason, message: str) -> None:
    found = commands_in(message)
    assert found, (name, reason, message)
    for command in found:
        words = shlex.split(command)
        changes = words[1] in {"annotate", "patch", "edit", "label"}
        assert ("--field-manager=on-call" in words) is changes, command
        assert not changes or not words[-1].endswith("."), command


def test_while_nothing_was_sent_the_way_out_keeps_the_node_pool_and_afterwards_it_says_less() -> None:
    kept = [name for name, _, message, _ in ALL_HELD if "keep the node pool" in message]
    assert {"last", "namespace", "Paused", "ServerFailure"} <= set(kept)
    after = {
        message for name, _, message, _ in ALL_HELD if name in {"ServerFailure, after a DELETE", "refused, once sent"}
    }
    assert len(after) == 2
    assert all("or release the object without waiting for the node pool: kubectl patch" in each for each in after)


def test_git_is_named_before_the_command_where_a_living_thing_comes_from_it() -> None:
    view = ACCOUNT.granting_nothing().seen_by(YOUNG.build())
    from_git = replace(view, account=replace(view.account, metadata=GIT))
    words = "add it to spec.grants in Git (Flux Kustomization flux-system/accounts); a manual change may be"
    assert words in message_of(an_observation(YOUNG, account=from_git))
    assert "add it to spec.grants: kubectl edit" in message_of(under(ACCOUNT.granting_nothing()))
    full = a_deletion(budget=FULL)
    view = ACCOUNT.seen_by(full.node_pool)
    decision = decide_deletion(replace(full, account=replace(view, account=replace(view.account, metadata=GIT))), NOW)
    assert isinstance(decision, Hold)
    assert decision.message.index("in Git (Flux Kustomization") < decision.message.index("kubectl edit maacct default")


def test_an_object_that_is_being_deleted_is_never_told_for_long_to_be_deleted() -> None:
    """Its status was written while it lived, and a passing fault is not told for five minutes."""
    passing = Hold(Reason.CLOUD_UNAVAILABLE, "503", MINUTE, is_transient=True)
    proposed = Condition(
        type=ConditionType.READY,
        status=ConditionStatus.FALSE,
        reason=Reason.NODE_POOL_NOT_FOUND,
        message="correct the name in a new object, or delete this one: kubectl delete -n ml manp training-a",
        observed_generation=1,
        last_transition_time=NOON,
    )
    observed = a_deletion(DELETED.saying(proposed))
    assert decide_deleting_status(observed, passing, 4.9 * SECOND, NOON) is None
    status = decide_deleting_status(observed, passing, 5 * SECOND, NOON)
    assert status is not None
    assert {condition.reason for condition in status.conditions} == {Reason.DELETING_NODE_POOL}
    assert all("delete" not in condition.message for condition in status.conditions)
    assert (
        decide_deleting_status(
            replace(observed, node_pool=replace(observed.node_pool, status=status)), passing, MINUTE, NOON
        )
        is None
    )
    assert decide_deleting_status(a_deletion(), passing, MINUTE, NOON) is None


EVIL = "x; kubectl delete ns ml; y"
ALIVE_AND_ABNORMAL = an_observation(
    a_node_pool().finalized(), seen=a_listing(a_cloud_node_pool(available=1, abnormal=1))
)
EVIL_WORDS: dict[str, DeletionObserved | LiveObserved] = {
    "node": a_deletion(nodes=nodes(CloudNode(EVIL, Billing.PAY_PER_USE, is_locked=True))),
    "owner": a_deletion(
        DELETED.owned_by(name=EVIL),
        owners=looked((FoundOwner(DELETED.owned_by(name=EVIL).build().metadata.owners[0], OwnerState.GONE),)),
    ),
    "confirmation": a_deletion(DELETED.owned_by().annotated(CONFIRM_ANNOTATION, EVIL), owners=looked(None)),
    "pause": a_deletion(DELETED.annotated(PAUSED_ANNOTATION, EVIL)),
    "abnormal": replace(ALIVE_AND_ABNORMAL, abnormal=AbnormalNodes((CloudNode(EVIL, None, phase=EVIL, reason=EVIL),))),
}


@pytest.mark.parametrize("observed", EVIL_WORDS.values(), ids=EVIL_WORDS.keys())
def test_no_word_of_others_passes_for_a_clause_with_a_command(observed: DeletionObserved | LiveObserved) -> None:
    if isinstance(observed, DeletionObserved):
        decision = decide_deletion(observed, NOW)
        assert isinstance(decision, Hold)
        message = decision.message
    else:
        message = " ".join(condition.message for condition in decide_status(observed, NOON).status.conditions)
    assert "kubectl delete ns ml" in message
    assert not any(clause.startswith(("kubectl delete", "y")) for clause in message.split("; "))
