"""Every error of our own, with the word that users see for it.

The tree (the leaf's `reason` is the condition reason, the event reason, the metric label and a heading in
docs/operations/troubleshooting.md):

    OperatorError
    ├── SettingsError            a flag or variable is wrong; the process ends with exit code 2
    ├── InvalidName              a name that would change a URL; nothing was sent
    ├── CredentialsUnavailable   Secret not labelled, a key missing or unreadable
    │   └── SecretNotFound       no such Secret
    ├── CloudError               an answer of ModelArts or its gateway, or none
    │   ├── CredentialsRejected  401, APIG.0301: no hot retry, six bad signatures lock the key
    │   ├── ClockSkew            401 while the server's Date is far from ours
    │   ├── EndpointUnknown      not sent: neither table nor settings know the region's API
    │   ├── PermissionDenied     403
    │   ├── NotFound             ModelArts itself says that the thing does not exist
    │   │   └── ResourcePoolNotFound
    │   ├── RefusedByModelArts   400, 409: understood and not done
    │   │   └── Conflict         409: may mean that a deletion is already in effect
    │   └── CloudUnavailable     try again later; never read as "gone"
    │       ├── Throttled        429, or a pause that a 429 asked for: the request had no effect
    │       ├── CircuitOpen      not sent: the calls before it were not answered
    │       ├── Unreachable      no connection was made: the request had no effect
    │       ├── NoAnswer         sent, then time-out or reset: the effect is unknown
    │       ├── ServerFailure    5xx: the effect is unknown
    │       ├── WrongEndpoint    3xx, APIG.0101: this is not the API
    │       └── MalformedAnswer  200 with a body that is not what the API page describes
    └── ClusterError             an answer of the Kubernetes API server, or none
        ├── ObjectChanged        409, or 422 of a JSON Patch test: decide again
        ├── ObjectGone           404
        └── ClusterUnavailable   everything else
            ├── RefusedByAPIServer   403, 422 with causes, a webhook that cannot be asked: a person has to act
            └── WriteHeldBack        not sent: writes of this object failed before and are tried once a minute
"""

from datetime import timedelta
from typing import ClassVar

from modelarts_nodepool.logs import mask_registered


class OperatorError(Exception):
    """Any error that this program raises on purpose. Its words may end in a status or an event."""

    reason: ClassVar[str] = "Error"

    def __init__(self, message: str = "") -> None:
        """Whatever the words quote, what was registered as a secret is masked in them."""
        super().__init__(mask_registered(message))


class SettingsError(OperatorError):
    """A setting is wrong; the message names it and says how to mend it."""

    reason = "SettingsError"


class InvalidName(OperatorError):
    """A name that may not become part of a URL. Nothing was sent."""

    reason = "InvalidName"


class CredentialsUnavailable(OperatorError):
    """The credentials could not be read. The message names the key, never its value."""

    reason = "CredentialsUnavailable"


class SecretNotFound(CredentialsUnavailable):
    """The Secret itself does not exist; accounts say so by a reason of its own."""


class CloudError(OperatorError):
    """ModelArts, or the gateway before it, did not do what was asked.

    `status` is the HTTP status or None without an answer; `code` the error_code of the body;
    `request_id` from X-Request-Id or the body. `had_no_effect` is True only where the answer proves
    that the request changed nothing. `outcome` says what became of the call without naming what was asked for, as the
    end of a sentence that begins with "a call of …": for those that share the failure and asked for something else.
    """

    reason = "CloudError"
    had_no_effect: ClassVar[bool] = False
    is_transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: timedelta | None = None,
        outcome: str | None = None,
    ) -> None:
        """Keep what the answer said beside the sentence for people."""
        super().__init__(message)
        self.message = str(self)
        self.outcome = mask_registered(outcome) if outcome else f"failed: {self.message}"
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class CredentialsRejected(CloudError):
    """401 or APIG.0301: the access key or signature was not accepted."""

    reason = "CredentialsRejected"
    had_no_effect = True


class ClockSkew(CloudError):
    """Signatures fail because our clock is more than 15 minutes off."""

    reason = "ClockSkew"
    had_no_effect = True


class EndpointUnknown(CloudError):
    """Where the API of a region is, neither the table of regions nor the operator's settings say. Nothing was sent."""

    reason = "EndpointUnknown"
    had_no_effect = True


class PermissionDenied(CloudError):
    """403: the identity may not do this."""

    reason = "PermissionDenied"
    had_no_effect = True


class NotFound(CloudError):
    """ModelArts itself, not its gateway, says that the thing does not exist. One witness, not a proof."""

    reason = "NodePoolNotFound"


class ResourcePoolNotFound(NotFound):
    """404 ModelArts.50015001: the resource pool does not exist."""

    reason = "ResourcePoolNotFound"


class RefusedByModelArts(CloudError):
    """400: understood and not done."""

    reason = "RefusedByModelArts"
    had_no_effect = True


class Conflict(RefusedByModelArts):
    """409: not done now; it may mean that a deletion is already in effect."""

    had_no_effect = False


class CloudUnavailable(CloudError):
    """Nothing can be concluded from this; try again later."""

    reason = "CloudUnavailable"
    is_transient = True


class Throttled(CloudUnavailable):
    """429, or held back since one; `retry_after` is what the server asked for, capped."""

    had_no_effect = True


class CircuitOpen(CloudUnavailable):
    """Nothing was sent: so many calls in a row were not answered that one is tried at a time."""

    had_no_effect = True


class Unreachable(CloudUnavailable):
    """No connection was made (DNS, TCP, TLS, proxy): nothing was sent."""

    had_no_effect = True


class NoAnswer(CloudUnavailable):
    """The request went out and no whole answer came back."""


class ServerFailure(CloudUnavailable):
    """5xx of ModelArts or its gateway."""


class WrongEndpoint(CloudUnavailable):
    """3xx or APIG.0101: what answers is not the ModelArts API of this region."""


class MalformedAnswer(CloudUnavailable):
    """A success status with a body that is not what the API page describes."""


class ClusterError(OperatorError):
    """The Kubernetes API server did not do what was asked."""

    reason = "ClusterError"

    def __init__(self, message: str, *, status: int | None = None, retry_after: timedelta | None = None) -> None:
        """Keep the HTTP status, None where there was no answer, and the pause that the API server asked for."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ObjectChanged(ClusterError):
    """409, or 422 of a patch that tests uid and resourceVersion: the object is not what was decided on."""

    reason = "ObjectChanged"


class ObjectGone(ClusterError):
    """404: the object, or its kind, does not exist (any more)."""

    reason = "ObjectGone"


class ClusterUnavailable(ClusterError):
    """No answer, 429, 5xx, or what the subclasses say."""

    reason = "ClusterUnavailable"


class RefusedByAPIServer(ClusterUnavailable):
    """Understood and not done: missing permission, admission policy, webhook, schema. Only a person can lift it."""

    reason = "RefusedByAPIServer"


class WriteHeldBack(ClusterUnavailable):
    """Not sent: writes of this object failed lately. `retry_after` says how long none of this sort is tried."""

    reason = "WriteHeldBack"
