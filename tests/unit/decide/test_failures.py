"""Who or what ends a failure, and the word for it: each error of the cloud has exactly one class and one reason."""

import pytest

from modelarts_nodepool import errors
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.failures import FailureClass, class_of, reason_of

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
