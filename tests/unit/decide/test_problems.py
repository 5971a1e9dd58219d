"""Row 3 of the status table: what somebody has to mend, what it is called, and when it becomes Stalled."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.node_pool import NodePoolStatus
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.observed import LiveObserved
from modelarts_nodepool.decide.status import decide_status
from modelarts_nodepool.errors import (
    ClockSkew,
    CredentialsRejected,
    CredentialsUnavailable,
    EndpointUnknown,
    NotFound,
    PermissionDenied,
    ResourcePoolNotFound,
    ServerFailure,
)
from tests.support.builders import (
    NOON,
    AccountBuilder,
    NodePoolBuilder,
    a_cloud_node_pool,
    a_listing,
    a_node_pool,
    an_account,
)
from tests.unit.decide.situations import HOUR, MINUTE, SECOND, an_observation

YOUNG = a_node_pool().finalized().created(NOON)
PINNED = YOUNG.pinned()
ACCOUNT = an_account()


def under(account: AccountBuilder, builder: NodePoolBuilder = YOUNG, **changes: object) -> LiveObserved:
    return an_observation(builder, account=account.seen_by(builder.build()), **changes)


OTHERS = a_listing(*(a_cloud_node_pool(f"other-{number}", available=1) for number in range(7)))
# id: (observation, reason, words of the message)
TROUBLES: dict[str, tuple[LiveObserved, Reason, str]] = {
    "account-missing": (
        an_observation(YOUNG, account=None),
        Reason.ACCOUNT_NOT_FOUND,
        "ModelArtsAccount default does not exist; create it: kubectl apply -f account.yaml",
    ),
    "account-terminating": (
        under(ACCOUNT.being_deleted()),
        Reason.ACCOUNT_TERMINATING,
        "to keep the node pool, set spec.deletionPolicy to Retain: kubectl patch -n ml manp training-a",
    ),
    "not-granted": (under(ACCOUNT.granting_nothing()), Reason.NOT_GRANTED, "kubectl edit maacct default"),
    "not-granted-though-pinned": (under(ACCOUNT.granting_nothing(), PINNED), Reason.NOT_GRANTED, "namespace ml"),
    "identity": (
        under(ACCOUNT.in_region("cn-east-3"), PINNED),
        Reason.IDENTITY_MISMATCH,
        "(cn-north-4), but account and spec now give another region; create the account again with the old values",
    ),
    "duplicate": (
        an_observation(YOUNG, older_duplicate="ml/elder"),
        Reason.DUPLICATE_OBJECT,
        "ml/elder is older and refers to the same node pool",
    ),
    "no-secret": (
        an_observation(YOUNG, failure=CredentialsUnavailable("Secret modelarts has no key accessKey.")),
        Reason.CREDENTIALS_UNAVAILABLE,
        "has no key accessKey; see: kubectl describe maacct default",
    ),
    "rejected": (an_observation(YOUNG, failure=CredentialsRejected("401")), Reason.CREDENTIALS_REJECTED, "401"),
    "denied": (an_observation(YOUNG, failure=PermissionDenied("403")), Reason.PERMISSION_DENIED, "403"),
    "endpoint": (
        an_observation(YOUNG, failure=EndpointUnknown("set --endpoint eu-de=https://HOST")),
        Reason.ENDPOINT_UNKNOWN,
        "set --endpoint eu-de=https://HOST; see: kubectl describe maacct default",
    ),
    "skew": (an_observation(YOUNG, failure=ClockSkew("401 clock")), Reason.CLOCK_SKEW, "clock"),
    "no-resource-pool": (
        an_observation(YOUNG, failure=ResourcePoolNotFound("404 request-9")),
        Reason.RESOURCE_POOL_NOT_FOUND,
        "resource pool pool-a does not exist in ModelArts; check spec.poolName",
    ),
    "no-resource-pool-by-words": (
        an_observation(YOUNG, failure=NotFound("404")),
        Reason.RESOURCE_POOL_NOT_FOUND,
        "kubectl describe -n ml manp training-a",
    ),
    "no-node-pool": (
        an_observation(YOUNG, seen=a_listing(a_cloud_node_pool("other"))),
        Reason.NODE_POOL_NOT_FOUND,
        "has no node pool training-a (it has: other); correct",
    ),
    "no-node-pool-among-many": (
        an_observation(YOUNG, seen=OTHERS),
        Reason.NODE_POOL_NOT_FOUND,
        "(it has: other-0, other-1, other-2, other-3, other-4, …)",
    ),
    "no-node-pool-among-five": (
        an_observation(YOUNG, seen=a_listing(*(a_cloud_node_pool(f"other-{number}") for number in range(5)))),
        Reason.NODE_POOL_NOT_FOUND,
        "other-4); correct",
    ),
    "no-node-pool-but-an-evil-name": (
        an_observation(YOUNG, seen=a_listing(a_cloud_node_pool("evil\u202e" + "x" * 40_000), a_cloud_node_pool("b"))),
        Reason.NODE_POOL_NOT_FOUND,
        "(it has: b, 'evil\\u202exxx",
    ),
    "no-node-pool-but-one-that-differs-in-capitals": (
        an_observation(YOUNG, seen=a_listing(*(a_cloud_node_pool(name) for name in ("a", "b", "Training-A", "c/d")))),
        Reason.NODE_POOL_NOT_FOUND,
        "(it has: Training-A, a, b, 'c/d', which is not a valid name); correct",
    ),
    "no-node-pool-at-all": (
        an_observation(YOUNG, seen=a_listing()),
        Reason.NODE_POOL_NOT_FOUND,
        "(it has: no node pools)",
    ),
}


@pytest.mark.parametrize(("observed", "reason", "words"), TROUBLES.values(), ids=TROUBLES.keys())
def test_it_is_in_progress_first_and_then_stalled(observed: LiveObserved, reason: Reason, words: str) -> None:
    early = decide_status(observed, NOON)
    assert said(early.status.conditions) == {
        "Reconciling": ("True", reason),
        "Ready": ("False", reason),
        "NodesHealthy": ("Unknown", reason),
    }
    assert all(words in condition.message for condition in early.status.conditions)
    assert all("None" not in condition.message for condition in early.status.conditions)
    assert all("kubectl " in condition.message for condition in early.status.conditions)
    assert early.recheck_after == 5 * MINUTE
    assert early.status.identity == observed.node_pool.status.identity
    late = decide_status(showing(observed, early.status), NOON + 5 * MINUTE)
    assert said(late.status.conditions) == {
        "Stalled": ("True", reason),
        "Ready": ("False", reason),
        "NodesHealthy": ("Unknown", reason),
    }
    assert late.recheck_after is None


def test_no_message_offers_to_delete_an_object_that_alone_keeps_a_node_pool() -> None:
    harmless = {Reason.DUPLICATE_OBJECT, Reason.NODE_POOL_NOT_FOUND}
    for observed, reason, _ in TROUBLES.values():
        messages = [condition.message for condition in decide_status(observed, NOON).status.conditions]
        assert reason in harmless or not any("kubectl delete" in message for message in messages)


def said(conditions: tuple[Condition, ...]) -> dict[str, tuple[str, str]]:
    return {condition.type.value: (condition.status.value, condition.reason) for condition in conditions}


def showing(observed: LiveObserved, status: NodePoolStatus) -> LiveObserved:
    return replace(observed, node_pool=replace(observed.node_pool, status=status))


def is_stalled(observed: LiveObserved, now: datetime) -> bool:
    return find_condition(decide_status(observed, now).status.conditions, ConditionType.STALLED) is not None


def test_a_terminating_account_goes_on_serving_those_it_has_pinned() -> None:
    status = decide_status(under(ACCOUNT.being_deleted(), PINNED), NOON).status
    assert said(status.conditions)["Ready"] == ("True", "NodesAvailable")


@pytest.mark.parametrize("name", ["..", "Trai/ning"])
def test_a_name_that_would_change_the_url_is_told(name: str) -> None:
    built = YOUNG.build()
    for spec in (
        built.spec.model_copy(update={"node_pool_name": name}),
        built.spec.model_copy(update={"pool_name": name}),
    ):
        status = decide_status(an_observation(replace(built, spec=spec)), NOON).status
        assert said(status.conditions)["Ready"] == ("False", "InvalidObject")


def test_absence_is_concluded_from_a_good_look_only() -> None:
    gone = a_listing(a_cloud_node_pool("other"))
    for changes in ({"failure": ServerFailure("503")}, {"seen": None}):
        observed = an_observation(YOUNG, **{"seen": gone, **changes})
        assert decide_status(observed, NOON).status.conditions == ()


MISSING = an_observation(YOUNG, account=None)


def condition(kind: ConditionType, status: ConditionStatus, since: datetime, generation: int = 1) -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=Reason.ACCOUNT_NOT_FOUND,
        message="x",
        observed_generation=generation,
        last_transition_time=since,
    )


TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE
RECONCILING, STALLED, READY = ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.READY


@pytest.mark.parametrize(
    ("written", "age", "expected"),
    [
        ((), 5 * MINUTE - SECOND, False),
        ((), 5 * MINUTE, True),
        ((condition(RECONCILING, TRUE, NOON),), 5 * MINUTE - SECOND, False),
        ((condition(RECONCILING, TRUE, NOON),), 5 * MINUTE, True),
        ((condition(RECONCILING, TRUE, NOON + MINUTE),), 5 * MINUTE, False),
        ((condition(RECONCILING, FALSE, NOON),), HOUR, False),
        ((condition(READY, TRUE, NOON),), HOUR, False),
        ((condition(STALLED, TRUE, NOON),), SECOND, True),
        ((condition(STALLED, FALSE, NOON),), HOUR, False),
        ((condition(STALLED, TRUE, NOON, generation=0),), HOUR, False),
    ],
    ids=[
        "new",
        "five minutes after creation",
        "reconciling",
        "reconciling for five minutes",
        "reconciling for four",
        "was not reconciling",
        "was ready",
        "stays stalled",
        "was not stalled",
        "stalled at another generation",
    ],
)
def test_when_it_becomes_stalled(written: tuple[Condition, ...], age: timedelta, expected: bool) -> None:  # noqa: FBT001
    observed = an_observation(YOUNG.saying(*written), account=None)
    assert is_stalled(observed, NOON + age) is expected


def test_a_beginning_in_the_future_is_looked_at_again_in_time() -> None:
    verdict = decide_status(MISSING, NOON - HOUR)
    assert verdict.recheck_after == 5 * MINUTE


def test_what_was_available_gets_five_minutes_too() -> None:
    well = decide_status(an_observation(YOUNG), NOON).status
    observed = showing(replace(MISSING, account=None), well)
    first = decide_status(observed, NOON + HOUR)
    assert first.recheck_after == 5 * MINUTE
    assert first.status.counts == well.counts
    assert is_stalled(showing(observed, first.status), NOON + HOUR + 5 * MINUTE)


@pytest.mark.parametrize(
    ("first", "second", "written"),
    [
        (CredentialsRejected("401 at noon"), CredentialsRejected("not used for five minutes"), False),
        (ClockSkew("ours says 12:00"), ClockSkew("ours says 12:01"), False),
        (
            PermissionDenied("list_node_pools of pool-a was answered 403 A: token 1"),
            PermissionDenied("list_node_pools of pool-a was answered 403 A: token 2"),
            False,
        ),
        (PermissionDenied("list_node_pools was answered 403"), PermissionDenied("show_pool was answered 403"), True),
        (PermissionDenied("one"), PermissionDenied("other"), True),
        (CredentialsUnavailable("no accessKey"), CredentialsUnavailable("no secretKey"), True),
        (ResourcePoolNotFound("request-1"), ResourcePoolNotFound("request-2"), False),
        (CredentialsRejected("401"), PermissionDenied("403"), True),
    ],
    ids=lambda value: f"{type(value).__name__}: {value}" if isinstance(value, Exception) else str(value),
)
def test_words_that_only_repeat_themselves_are_not_written_again(
    first: Exception,
    second: Exception,
    written: bool,  # noqa: FBT001 - a case of the table
) -> None:
    status = decide_status(an_observation(YOUNG, failure=first), NOON).status
    again = decide_status(showing(an_observation(YOUNG, failure=second), status), NOON).status
    assert (again != status) is written
