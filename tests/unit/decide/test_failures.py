"""Failed requests: each error of ModelArts has one class and one reason, and refused writes say what refused them."""

from datetime import timedelta

import pytest

from modelarts_nodepool import errors
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Release
from modelarts_nodepool.decide.failures import (
    FailureClass,
    class_of,
    describe_resource_pool,
    reason_of,
    release_refused,
    steady_words,
    write_ahead_refused,
    write_refused,
)
from modelarts_nodepool.decide.status import decide_status
from modelarts_nodepool.ports import Billing, CloudResourcePool
from tests.support.builders import NOON
from tests.unit.decide.situations import a_deleted_object, an_observation

CLASSES = {
    errors.CredentialsRejected: (FailureClass.STALLED, Reason.CREDENTIALS_REJECTED),
    errors.ClockSkew: (FailureClass.STALLED, Reason.CLOCK_SKEW),
    errors.EndpointUnknown: (FailureClass.STALLED, Reason.ENDPOINT_UNKNOWN),
    errors.PermissionDenied: (FailureClass.STALLED, Reason.PERMISSION_DENIED),
    errors.Throttled: (FailureClass.WAITING, Reason.CLOUD_UNAVAILABLE),
    errors.CircuitOpen: (FailureClass.WAITING, Reason.CLOUD_UNAVAILABLE),
    errors.Conflict: (FailureClass.WAITING, Reason.CLOUD_UNAVAILABLE),
    # A look that is refused or "not found" proves nothing by itself: those words are the table's to use.
    errors.RefusedByModelArts: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
    errors.NotFound: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
    errors.ResourcePoolNotFound: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
    errors.Unreachable: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
    errors.NoAnswer: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
    errors.ServerFailure: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
    errors.WrongEndpoint: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
    errors.MalformedAnswer: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
    errors.CloudUnavailable: (FailureClass.TRANSIENT, Reason.CLOUD_UNAVAILABLE),
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_failure_of_a_look_has_one_class_and_one_reason(kind: type[errors.CloudError]) -> None:
    failure = kind("words")
    assert (class_of(failure), reason_of(failure)) == CLASSES[kind]


@pytest.mark.parametrize("kind", [errors.CredentialsUnavailable, errors.SecretNotFound])
def test_credentials_that_cannot_be_read_need_a_person(kind: type[errors.CredentialsUnavailable]) -> None:
    assert class_of(kind("words")) is FailureClass.STALLED


def test_no_error_of_the_cloud_is_left_out() -> None:
    def all_of(kind: type[errors.CloudError]) -> set[type[errors.CloudError]]:
        return {kind}.union(*(all_of(each) for each in kind.__subclasses__() if each.__module__ == errors.__name__))

    assert all_of(errors.CloudError) - {errors.CloudError} == set(CLASSES)


ADMISSION = errors.RefusedByAPIServer("admission webhook theirs.example.com denied the request.")
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("is_orphan", "reason"), [(False, Reason.RELEASE_REFUSED), (True, Reason.REFUSED_BY_API_SERVER)]
)
def test_a_refused_release_quotes_the_api_server_and_an_orphan_remains_one(
    is_orphan: bool,  # noqa: FBT001 - a case of the table
    reason: Reason,
) -> None:
    hold = release_refused(Release(Reason.GONE, "node pool a is gone", is_orphan=is_orphan), ADMISSION, MINUTE)
    assert (hold.reason, hold.retry_after, hold.is_transient) == (reason, MINUTE, False)
    quoted = "cannot release the object: admission webhook theirs.example.com denied the request; retries"
    assert hold.message.startswith("node pool a is gone; the operator ")
    assert quoted in hold.message
    assert hold.message.endswith(remedies.show_admission())


def test_a_refused_write_ahead_holds_with_the_way_out_and_an_outage_is_transient() -> None:
    node_pool = a_deleted_object().build()
    for error, is_transient in ((ADMISSION, False), (errors.ClusterUnavailable("no answer"), True)):
        hold = write_ahead_refused(node_pool, error, MINUTE)
        assert (hold.reason, hold.is_transient) == (Reason.REFUSED_BY_API_SERVER, is_transient)
        assert "no DELETE of node pool training-a was sent, because the operator cannot record it" in hold.message
        assert hold.message.endswith(remedies.retain(node_pool))


def test_an_object_without_a_finalizer_says_what_a_deletion_would_leave_behind() -> None:
    status = decide_status(an_observation(finalizer_refused=ADMISSION), NOON).status
    assert {condition.reason for condition in status.conditions} == {Reason.NOT_PROTECTED}
    words = "if the object is deleted now, its node pool stays in the cloud and costs money"
    assert all(words in condition.message for condition in status.conditions)


def test_an_event_says_which_write_is_refused() -> None:
    assert "cannot write the status of this object" in write_refused(ADMISSION, is_status=True)
    assert "cannot add its finalizer to this object, or remove it" in write_refused(ADMISSION, is_status=False)


def test_words_about_a_frozen_resource_pool_survive_a_restart_and_no_new_attempt() -> None:
    first, second = "refused: in use (request 1); fix it", "refused: in use (request 2); fix it"
    pool = CloudResourcePool("pool-a", Billing.PAY_PER_USE, phase="Error", frozen="arrears")
    shown = first.replace("; fix", f"{describe_resource_pool(pool)}; fix")
    assert shown != first
    assert steady_words(Reason.REFUSED_BY_MODELARTS, shown, first) == shown
    assert steady_words(Reason.REFUSED_BY_MODELARTS, shown, second) == second
    assert steady_words(Reason.REFUSED_BY_MODELARTS, first, shown) == shown


def test_resource_pool_that_runs_is_no_part_of_a_message() -> None:
    assert describe_resource_pool(None) == ""
    assert describe_resource_pool(CloudResourcePool("pool-a", Billing.UNKNOWN)) == ""
    assert describe_resource_pool(CloudResourcePool("pool-a", Billing.UNKNOWN, phase="Running")) == ""
