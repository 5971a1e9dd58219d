"""What an answer of the API server means: the object, or which error of errors.ClusterError.

Pure; called by kube/client.py. Facts measured on kube-apiserver 1.36:
a JSON Patch that cannot be applied (a failed `test`, a path that is not there) is answered 422 Invalid
*without* details.causes; a schema or CEL rule that says no gives 422 Invalid *with* causes. An admission webhook or
policy chooses the code of its refusal itself, 404 and 409 included: its words tell it from the API server's own.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectChanged, ObjectGone, RefusedByAPIServer
from modelarts_nodepool.logs import clean

# Text, not a Status object: so answers the API server for a group that it does not serve (any more).
_UNKNOWN_PATH = b"404 page not found"
_MAX_MESSAGE = 400
# apiserver/pkg/admission/plugin: webhook/errors/statuserror.go, webhook/dispatcher.go, policy/validating/plugin.go.
_BY_ADMISSION = re.compile(
    r"admission webhook \".*\" denied the request|(Validating|Mutating)AdmissionPolicy '.*' with binding '.*' denied "
    r"request|failed calling webhook|request is too large"
)
_REFUSALS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


def to_error(call: str, status: int, body: bytes) -> ClusterError:
    """The error for an answer that is no success. `call` is the method and path, for the message.

    422 with causes is RefusedByAPIServer: deciding again would change nothing, a person has to look.
    """
    answer = _to_status(body)
    said = clean(str(answer.get("message") or "no reason given"), _MAX_MESSAGE)
    message = f"The API server answered {status} to {call}: {said}"
    if _BY_ADMISSION.search(str(answer.get("message"))):
        return RefusedByAPIServer(message, status=status)
    if status == HTTPStatus.NOT_FOUND and (answer or body.strip() == _UNKNOWN_PATH):
        return ObjectGone(message, status=status)
    if status == HTTPStatus.CONFLICT and answer:
        return ObjectChanged(message, status=status)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and answer and not has_causes(answer):
        return ObjectChanged(f"The object is not what the patch expects any more ({call}: 422).", status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        message += ". The token was not accepted: see kubectl auth whoami."
    elif status == HTTPStatus.FORBIDDEN:
        message += ". See kubectl auth can-i --list."
    elif not answer:
        message = (
            f"The answer {status} to {call} is not the API server's: is there a proxy in between? "
            "Compare kubectl get --raw /version."
        )
    kind = RefusedByAPIServer if answer and status in _REFUSALS else ClusterUnavailable
    return kind(message, status=status)


def has_causes(answer: Mapping[str, Any]) -> bool:
    """Whether a Status names the fields at fault."""
    details = answer.get("details")
    return isinstance(details, Mapping) and bool(details.get("causes"))


def _to_status(body: bytes) -> Mapping[str, Any]:
    """The Status object in a body; empty where it is something else."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def to_object(call: str, body: bytes) -> dict[str, Any]:
    """The object in a success. managedFields are dropped: they outweigh everything else in memory."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ClusterUnavailable(f"The API server's answer to {call} is no JSON object.")
    drop_managed_fields(answer)
    return answer


def drop_managed_fields(body: Mapping[str, Any]) -> None:
    """Take metadata.managedFields out of an object in place."""
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
