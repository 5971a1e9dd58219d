"""All errors of the operator, with the reason that users see.

The tree (the leaf's `reason` is the condition reason, the event reason, the metric label and a heading in
docs/operations/troubleshooting.md):

    OperatorError
    ├── SettingsError            a flag or variable is wrong; the process ends with exit code 2
    ├── InvalidName              a name that would change a URL; no request was sent
    ├── CredentialsUnavailable   the Secret has no label, or a key is missing or unreadable
    │   └── SecretNotFound       the Secret does not exist
    ├── CloudError               an error answer of ModelArts or its gateway, or no answer
    │   ├── CredentialsRejected  401, APIG.0301: no immediate retry, six bad signatures lock the key
    │   ├── ClockSkew            401 while the server's Date differs much from our clock
    │   ├── EndpointUnknown      not sent: neither the table of regions nor the settings have the region's API
    │   ├── PermissionDenied     403
    │   ├── NotFound             ModelArts itself, not its gateway, answers that it does not exist
    │   │   └── ResourcePoolNotFound
    │   ├── RefusedByModelArts   400, 409: ModelArts refused the request
    │   │   └── Conflict         409: a deletion may be in progress already
    │   └── CloudUnavailable     retry later; never means "gone"
    │       ├── Throttled        429, or not sent because of an earlier 429: no effect
    │       ├── CircuitOpen      not sent: earlier requests had no answer
    │       ├── Unreachable      no connection: no effect
    │       ├── NoAnswer         sent, then timeout or reset: unknown effect
    │       ├── ServerFailure    5xx: unknown effect
    │       ├── WrongEndpoint    3xx, APIG.0101: not the ModelArts API
    │       └── MalformedAnswer  200 with a body that the API page does not describe
    └── ClusterError             an error answer of the Kubernetes API server, or no answer
        ├── ObjectChanged        409, or 422 of a JSON Patch test: decide again
        ├── ObjectGone           404
        └── ClusterUnavailable   any other failure
            ├── RefusedByAPIServer   403, 422 with causes, a webhook that does not answer: a person has to act
            └── WriteHeldBack        not sent: backoff after failed writes to this object
"""

from datetime import timedelta
from typing import ClassVar

from modelarts_nodepool.logs import mask_registered


class OperatorError(Exception):
    """Any expected error. Its message may appear in a status or an Event."""

    reason: ClassVar[str] = "Error"

    def __init__(self, message: str = "") -> None:
        """Masks registered secrets in the message."""
        super().__init__(mask_registered(message))


class SettingsError(OperatorError):
    """A setting is wrong; the message names it and says how to correct it."""

    reason = "SettingsError"


class InvalidName(OperatorError):
    """A name that is not allowed in a URL. No request was sent."""

    reason = "InvalidName"


class CredentialsUnavailable(OperatorError):
    """The credentials could not be read. The message names the key, never its value."""

    reason = "CredentialsUnavailable"


class SecretNotFound(CredentialsUnavailable):
    """The Secret does not exist; accounts have a separate reason for it."""


class CloudError(OperatorError):
    """A request to ModelArts failed.

    `status` is the HTTP status, None without an answer; `code` the error_code of the body; `request_id` from
    X-Request-Id or the body. `had_no_effect` is True only if the answer proves that the request changed nothing.
    `outcome` describes the failure without the requested object, as the end of a sentence that begins with "a call of
    …": for objects that share the failure of another object's request.
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
        """Keep the parts of the answer beside the message."""
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
    """Neither the table of regions nor the settings have the region's API. No request was sent."""

    reason = "EndpointUnknown"
    had_no_effect = True


class PermissionDenied(CloudError):
    """403: the identity does not have the permission."""

    reason = "PermissionDenied"
    had_no_effect = True


class NotFound(CloudError):
    """ModelArts itself, not its gateway, answers that it does not exist. One witness, not a proof."""

    reason = "NodePoolNotFound"


class ResourcePoolNotFound(NotFound):
    """404 ModelArts.50015001: the resource pool does not exist."""

    reason = "ResourcePoolNotFound"


class RefusedByModelArts(CloudError):
    """400: ModelArts refused the request."""

    reason = "RefusedByModelArts"
    had_no_effect = True


class Conflict(RefusedByModelArts):
    """409: refused for now; a deletion may be in progress already."""

    had_no_effect = False


class CloudUnavailable(CloudError):
    """The answer proves nothing; retry later."""

    reason = "CloudUnavailable"
    is_transient = True


class Throttled(CloudUnavailable):
    """429, or not sent because of an earlier 429; `retry_after` is what the server asked for, with a limit."""

    had_no_effect = True


class CircuitOpen(CloudUnavailable):
    """Circuit open after repeated failures: one probe request at a time. Not sent."""

    had_no_effect = True


class Unreachable(CloudUnavailable):
    """No connection (DNS, TCP, TLS, proxy): no request was sent."""

    had_no_effect = True


class NoAnswer(CloudUnavailable):
    """The request was sent, and no complete answer arrived."""


class ServerFailure(CloudUnavailable):
    """5xx of ModelArts or its gateway."""


class WrongEndpoint(CloudUnavailable):
    """3xx or APIG.0101: the server is not the ModelArts API of this region."""


class MalformedAnswer(CloudUnavailable):
    """A success status with a body that the API page does not describe."""


class ClusterError(OperatorError):
    """A request to the Kubernetes API server failed."""

    reason = "ClusterError"

    def __init__(self, message: str, *, status: int | None = None, retry_after: timedelta | None = None) -> None:
        """Keep the HTTP status, None without an answer, and the Retry-After of the API server."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ObjectChanged(ClusterError):
    """409, or 422 of a patch that tests uid and resourceVersion: the object changed after the decision."""

    reason = "ObjectChanged"


class ObjectGone(ClusterError):
    """404: the object or its kind does not exist."""

    reason = "ObjectGone"


class ClusterUnavailable(ClusterError):
    """No answer, 429, 5xx, or one of the subclasses."""

    reason = "ClusterUnavailable"


class RefusedByAPIServer(ClusterUnavailable):
    """Refused: missing permission, admission policy, webhook, schema. A person has to act."""

    reason = "RefusedByAPIServer"


class WriteHeldBack(ClusterUnavailable):
    """Not sent: backoff after failed writes to this object. `retry_after` is the time until the next attempt."""

    reason = "WriteHeldBack"
