"""Every error that the API's pages know, with status, code and words. Raised everywhere, answered by gateway.py."""

import base64
from typing import Any

BAD_REQUEST = "ModelArts.50004000"
POOL_NOT_FOUND = "ModelArts.50015001"


class RefusedError(Exception):
    """A request that is answered with an error. `signature` is the verdict for the request log, if there is one."""

    def __init__(
        self, status: int, code: str, message: str, signature: str | None = None, *, encoded: str | None = None
    ) -> None:
        """`encoded` is an encoded_authorization_message, for denials that have one."""
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.signature = signature
        self.encoded = encoded


def error_body(code: str, message: str, request_id: str, encoded: str | None = None) -> dict[str, Any]:
    """The body of an error. Only the gateway's own errors carry the request id."""
    body = {"error_msg": message, "error_code": code}
    if encoded is not None:
        body["encoded_authorization_message"] = encoded
    return body | {"request_id": request_id} if code.startswith("APIG") else body


def unknown_route() -> RefusedError:
    """The gateway knows no such API: wrong path or wrong method."""
    return RefusedError(404, "APIG.0101", "The API does not exist or has not been published in the environment")


def unauthenticated(detail: str, signature: str) -> RefusedError:
    """The gateway does not believe who is calling."""
    return RefusedError(401, "APIG.0301", f"Incorrect IAM authentication information: {detail}", signature)


def token_expired() -> RefusedError:
    """The token was good once."""
    return unauthenticated("The token must be updated", "expiredToken")


def wrong_project(project_id: str) -> RefusedError:
    """The project in the path is not the one of the credentials."""
    return RefusedError(403, "ModelArts.0210", f"Project {project_id} is not the project of the credentials.")


def not_allowed(operation: str, *, is_encoded: bool) -> RefusedError:
    """The credentials are good, but not for this."""
    # What it holds only IAM can decode; here it is the operation.
    encoded = base64.b64encode(f"denied:{operation}".encode()).decode() if is_encoded else None
    return RefusedError(403, "ModelArts.0112", f"The policy does not allow the operation {operation}.", encoded=encoded)


def resource_pool_not_found(name: str) -> RefusedError:
    """There is no such resource pool in the project."""
    return RefusedError(404, POOL_NOT_FOUND, f"Pool {name} not found.")


def node_pool_not_found(name: str, shape: str, code: str) -> RefusedError:
    """There is no such node pool in the resource pool; `shape` is the scenario's shape.notFound."""
    if shape == "400-invalid-name":
        # The live API's words, of a well-formed name as of any other.
        return bad_request("invalid nodepool name")
    if shape == "400":
        return bad_request(f"Record not found: node pool {name}.")
    return RefusedError(404, code, f"Node pool {name} not found.")


def exists_already(name: str) -> RefusedError:
    """A node pool of this name is there."""
    return RefusedError(409, "ModelArts.50015000", f"Node pool {name} already exists.")


def content_type_not_supported(content_type: str) -> RefusedError:
    """The body would be understood if it were announced otherwise."""
    return RefusedError(415, "ModelArts.50004100", f"Content-Type {content_type or 'none'} is not supported.")


def bad_request(why: str) -> RefusedError:
    """The request is understood and refused; the words say why."""
    return RefusedError(400, BAD_REQUEST, f"Bad request. {why}")


def being_deleted(name: str) -> RefusedError:
    """The node pool is on its way out already."""
    return RefusedError(409, "ModelArts.5044", f"Operations conflict: {name} is being deleted. Try again later.")


_BY_STATUS = {
    400: (BAD_REQUEST, "Bad request."),
    401: ("APIG.0301", "Incorrect IAM authentication information: verify aksk signature fail"),
    403: ("ModelArts.0112", "The policy does not allow the operation."),
    404: (POOL_NOT_FOUND, "pool not found"),
    409: ("ModelArts.5044", "Operations conflict. Try again later."),
    429: (
        "APIG.0308",
        "The throttling threshold has been reached: policy user over ratelimit, limit:60, time:1 minute",
    ),
    500: ("ModelArts.50005000", "Internal error."),
    502: ("APIG.0202", "Backend unavailable"),
    504: ("APIG.0203", "Backend timeout."),
}


def default_error(status: int) -> tuple[str, str]:
    """The code and words that a fault with this status answers where it names none."""
    return _BY_STATUS.get(status, ("ModelArts.50005000", f"Status {status}."))
