"""What a response other than a success means: one function from responses to the tree of errors.py.

Called by modelarts/client.py. Only ModelArts itself can say that a node pool is gone, in a JSON body with its own error
code; a gateway's 404, an HTML page or a redirect never means that. Messages quote the cloud sanitised and shortened.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from modelarts_nodepool import errors
from modelarts_nodepool.api.model import to_timestamp
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.logs import masked
from modelarts_nodepool.modelarts import codes
from modelarts_nodepool.modelarts.operations import Call, Operation
from modelarts_nodepool.modelarts.response import ErrorBody, Response, parse_http_date, read_error
from modelarts_nodepool.modelarts.sanitize import sanitize

# The gateway refuses signatures that are further off (API Request Signing Guide).
LARGEST_CLOCK_SKEW = timedelta(minutes=15)
# The longest wait that a server can ask for: a wrong header must not stop the operator for days.
LONGEST_RETRY_AFTER = timedelta(minutes=5)
# The API does not say when a daily quota frees: retry once an hour.
DAILY_QUOTA_RETRY_AFTER = timedelta(hours=1)
# What ModelArts says, with a 400, about the well-formed name of a node pool that does not exist. The ShowNodePool page
# has "Bad request. invalid nodepool name"; the live API says the same (acceptance tests of the Terraform provider).
# Counts for show_node_pool only, the second witness: for a DELETE it is a refusal.
ABSENT_NODE_POOL_SENTENCES = frozenset(
    {
        "invalid nodepool name",
        "invalid nodepool name {name}",
        "invalid node pool name",
        "invalid node pool name {name}",
        "nodepool name is invalid",
        "nodepool name {name} is invalid",
        "node pool name is invalid",
        "node pool name {name} is invalid",
    }
)
# The limit of our status field (api/node_pool.py, CloudErrorRecord).
_MAX_MESSAGE = 1000

_ACCOUNTS = f"see: {remedies.list_accounts()}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A response with its error body, the call and the time."""

    call: Call
    response: Response
    body: ErrorBody
    now: datetime

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def code(self) -> str | None:
        """The error_code of the body."""
        return self.body.code

    @property
    def gateway(self) -> str | None:
        """The number of a gateway's code."""
        return codes.gateway_number(self.body.code)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the call."""
        return tuple(name for name in (self.call.resource_pool, self.call.node_pool) if name)


class Meaning(NamedTuple):
    """An error class, and what to do next."""

    kind: type[errors.CloudError]
    remedy: str


def to_error(call: Call, response: Response, now: datetime, hidden: Collection[str] = ()) -> errors.CloudError:
    """The error for a response that is not a success. `hidden` are values that must not appear in its message."""
    fault = Fault(call, response, read_error(response.body), now)
    meaning = next(found for rule in _RULES if (found := rule(fault)) is not None)
    # A cloud can quote back what it was sent, the signature included.
    quote = masked(sanitize(fault.body.message, 500, hidden))
    said = " ".join(part for part in (str(fault.status), fault.code or "") if part)
    outcome = f"was answered {said}: {quote.rstrip('. ') or 'no message'}. {meaning.remedy}"
    return meaning.kind(
        sanitize(f"{call.title} {outcome}", _MAX_MESSAGE, hidden),
        status=fault.status,
        code=_without(hidden, fault.code),
        request_id=_without(hidden, response.request_id),
        retry_after=_retry_after(fault, meaning.kind),
        outcome=sanitize(outcome, _MAX_MESSAGE, hidden),
    )


def _without(hidden: Collection[str], text: str | None) -> str | None:
    # Code and request id appear beside the message, and can contain a secret too.
    return masked(sanitize(text, hidden=hidden)) if text else None


def _retry_after(fault: Fault, kind: type[errors.CloudError]) -> timedelta | None:
    if kind is errors.Throttled and codes.says_daily_quota(fault.body.message):
        return DAILY_QUOTA_RETRY_AFTER
    return parse_retry_after(fault.response.headers.get("retry-after"), fault.now)


def parse_retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Retry-After as seconds or as an HTTP date: from zero to five minutes, None if unreadable."""
    if text is None:
        return None
    stripped = text.strip()
    if stripped.isascii() and stripped.removeprefix("-").isdigit():
        # Nine digits are 30 years: far above the maximum, and without an overflow.
        asked = timedelta(seconds=int(stripped[:9]))
    else:
        moment = parse_http_date(stripped)
        if moment is None:
            return None
        asked = moment - now
    return min(max(asked, timedelta()), LONGEST_RETRY_AFTER)


def _redirect_or_no_such_api(fault: Fault) -> Meaning | None:
    wrong = fault.gateway in codes.GATEWAY_NO_SUCH_API or fault.code in codes.MODELARTS_NO_SUCH_API
    if not wrong and fault.status >= 400:  # noqa: PLR2004 - where HTTP errors begin
        return None
    return _WRONG_ENDPOINT


def _credentials(fault: Fault) -> Meaning | None:
    rejected = (
        fault.status == 401  # noqa: PLR2004 - the status itself
        or fault.gateway in codes.GATEWAY_CREDENTIALS
        or fault.code in codes.MODELARTS_CREDENTIALS
    )
    if not rejected:
        return None
    theirs = fault.response.server_time
    if theirs is not None and abs(theirs - fault.now) > LARGEST_CLOCK_SKEW:
        return Meaning(
            errors.ClockSkew,
            f"The server's clock says {to_timestamp(theirs)}, ours says {to_timestamp(fault.now)}: signatures fail "
            "beyond 15 minutes. Set the clock of the operator's node; see: chronyc tracking",
        )
    return Meaning(
        errors.CredentialsRejected,
        "Check the access key in the account's Secret; six failures in a row lock a key for five minutes; " + _ACCOUNTS,
    )


def _throttled(fault: Fault) -> Meaning | None:
    throttled = (
        fault.status == 429  # noqa: PLR2004 - the status itself
        or fault.gateway in codes.GATEWAY_THROTTLED
        or fault.code in codes.MODELARTS_THROTTLED
    )
    if not throttled:
        return None
    if codes.says_daily_quota(fault.body.message):
        return Meaning(errors.Throttled, "The daily quota is used up; the operator retries once an hour")
    return Meaning(errors.Throttled, _RETRY)


def _permission(fault: Fault) -> Meaning | None:
    if fault.status != 403:  # noqa: PLR2004 - the status itself
        return None
    return Meaning(
        errors.PermissionDenied,
        "Give the IAM user modelarts:pool:list, get, update and delete, and check that the project ID belongs to the "
        f"user; {_ACCOUNTS}",
    )


def _not_found(fault: Fault) -> Meaning | None:
    if not codes.is_modelarts_code(fault.code) or fault.code in codes.OTHER_THING_NOT_FOUND:
        return None
    is_said = fault.status == 400 and _says_not_found(fault)  # noqa: PLR2004 - the status itself
    if fault.status != 404 and not is_said:  # noqa: PLR2004 - the status itself
        return None
    is_resource_pool = (
        fault.call.operation in {Operation.SHOW_POOL, Operation.LIST_NODE_POOLS}
        or fault.code in codes.RESOURCE_POOL_NOT_FOUND
    )
    return Meaning(
        errors.ResourcePoolNotFound if is_resource_pool else errors.NotFound,
        "Compare the name with the ModelArts console",
    )


def _says_not_found(fault: Fault) -> bool:
    message, names = fault.body.message, fault.names
    if fault.call.operation is Operation.SHOW_NODE_POOL and codes.says(message, ABSENT_NODE_POOL_SENTENCES, names):
        return True
    return codes.says_not_found(message, names)


def _conflict(fault: Fault) -> Meaning | None:
    if fault.status != 409 and fault.code not in codes.MODELARTS_CONFLICT:  # noqa: PLR2004 - the status itself
        return None
    return Meaning(errors.Conflict, f"Another operation may still be running. {_RETRY}")


def _server_failure(fault: Fault) -> Meaning | None:
    # 408: the gateway stopped waiting; as with a 504, the outcome of the request is unknown.
    if fault.status < 500 and fault.status != 408:  # noqa: PLR2004 - the statuses themselves
        return None
    return Meaning(errors.ServerFailure, _RETRY)


def _refused(fault: Fault) -> Meaning | None:
    # A 400 of ModelArts or of its gateway has a code; a 400 without a code comes from a proxy or a load balancer.
    # A gateway's 404, whatever its number, says nothing about node pools.
    is_gateways = fault.gateway is not None and fault.status != 404  # noqa: PLR2004 - the status itself
    if not is_gateways and not codes.is_modelarts_code(fault.code):
        return None
    return Meaning(errors.RefusedByModelArts, "Look at the node pool in the ModelArts console")


def _anything_else(_: Fault) -> Meaning:
    return _WRONG_ENDPOINT


_RETRY = "The operator retries later"
_WRONG_ENDPOINT = Meaning(
    errors.WrongEndpoint,
    "This is not the ModelArts API of the region: check --endpoint, the account's region and any proxy; " + _ACCOUNTS,
)

# The first rule that applies. Codes go before statuses, because one status can have several meanings.
_RULES: tuple[Callable[[Fault], Meaning | None], ...] = (
    _redirect_or_no_such_api,
    _credentials,
    _throttled,
    _not_found,
    _permission,
    _conflict,
    _server_failure,
    _refused,
    _anything_else,
)
