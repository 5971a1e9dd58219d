"""What a response other than a success means: one function from responses to the tree of errors.py.

Called by modelarts/client.py. Only ModelArts itself can say that a node pool is gone, in a JSON body with its own error
code; a gateway's 404, an HTML page or a redirect never means that. Messages quote the cloud sanitised and shortened.

The codes and sentences with a meaning come first, each with its source: "DOC" Huawei Cloud's ModelArts pages, "OTC" the
same product's pages at Open Telekom Cloud, "APIG" the API Gateway's error code page, "ROMA" the one of ROMA Connect,
"seen" third-party reports. Gateway codes have one of two prefixes (APIG. and APIGW.), so they are compared by number.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple

from modelarts_nodepool import errors
from modelarts_nodepool.api.meta import to_timestamp
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.logs import masked
from modelarts_nodepool.modelarts.transport import (
    Call,
    Operation,
    Response,
    parse_http_date,
    read_error,
    sanitize,
)

MODELARTS_PREFIX = "ModelArts."
_GATEWAY = re.compile(r"APIGW?\.(\d+)")

# No such route: wrong host, region or method. Never "gone". APIG; the code of ModelArts itself: OTC.
GATEWAY_NO_SUCH_API = frozenset({"0101"})
MODELARTS_NO_SUCH_API = frozenset({"ModelArts.4204"})

# Wrong signature, key or clock. Six in a row lock the key for five minutes. APIG.
GATEWAY_CREDENTIALS = frozenset({"0301", "0303"})
# Invalid token, invalid access key, both answered with 403. OTC.
MODELARTS_CREDENTIALS = frozenset({"ModelArts.0203", "ModelArts.0206"})

# The project in the URL is not the one of the credentials, answered with 403. OTC.
MODELARTS_OTHER_PROJECT = frozenset({"ModelArts.0210"})

# Too many requests. APIG, and seen for a daily quota; the others OTC.
GATEWAY_THROTTLED = frozenset({"0308"})
MODELARTS_THROTTLED = frozenset({"ModelArts.2799", "ModelArts.4206", "ModelArts.6101"})
# The gateway's message names the limit and its window, as in "limit:60,time:1 minute". A window of a day or more, or
# the word itself, is a quota that does not free within minutes. Seen.
_DAILY_QUOTA = re.compile(r"\bdaily\b|\bper day\b|\bquota (?:of|for) (?:the|to)[ -]?day\b|\btime\s*[:=]\s*\d+ ?days?\b")

# "Operations conflict, later." OTC.
MODELARTS_CONFLICT = frozenset({"ModelArts.5044"})

# The resource pool does not exist: DOC and OTC; the second one is the training family's. OTC.
RESOURCE_POOL_NOT_FOUND = frozenset({"ModelArts.50015001", "ModelArts.2890"})
# A 404 about something else than a pool: a flavor or plug-in template, a network. OTC.
OTHER_THING_NOT_FOUND = frozenset({"ModelArts.50005101", "ModelArts.50025001", "ModelArts.50025002"})

# A 400 that means "not found" says so in one sentence about one of these things. "Record not found" was seen; the
# others follow "pool not found" and "Pool {name} not found." (OTC).
_THING = r"(?:the |this )?(?:record|node ?-?pool|resource ?-?pool|pool)(?: {name})?"
_PLACE = r"(?: in (?:the )?(?:resource ?-?)?pool(?: {name})?)?"
_ABSENT = r"(?:(?:is |was )?not found|(?:cannot|can not|could not) be found|(?:does |do )?not exist|no longer exists)"
NOT_FOUND_SENTENCE = f"{_THING}{_PLACE} {_ABSENT}{_PLACE}"
# `"{name}" not found`: seen for a resource pool. Without its quotes a name could be any word of a sentence.
_QUOTED_NOT_FOUND = rf"[\"'`\u2018\u201c]{{name}}[\"'`\u2019\u201d] {_ABSENT}"
# What ModelArts says, with a 400, about the well-formed name of a node pool that does not exist. The ShowNodePool page
# has "Bad request. invalid nodepool name"; the live API says the same (acceptance tests of the Terraform provider).
# Counts for show_node_pool only, the second witness: for a DELETE it is a refusal.
_INVALID_NODE_POOL_NAME = r"invalid node ?pool name(?: {name})?|node ?pool name(?: {name})? is invalid"
_QUOTES = re.compile(r"[\"'`\[\](){}<>\u2018\u2019\u201c\u201d]")
_SENTENCE_END = re.compile(r"[.;:,!]+(?:\s|$)")


def gateway_number(code: str | None) -> str | None:
    """The number of a gateway's code; None if the code is not a gateway's."""
    found = _GATEWAY.fullmatch(code or "")
    return found.group(1) if found else None


def is_modelarts_code(code: str | None) -> bool:
    """Whether the code is of ModelArts itself, not of its gateway."""
    return bool(code) and str(code).startswith(MODELARTS_PREFIX)


def says_daily_quota(message: str) -> bool:
    """Whether the message of a 429 is about a daily quota."""
    return _DAILY_QUOTA.search(message.lower()) is not None


def says_not_found(message: str, names: tuple[str, ...]) -> bool:
    """Whether one sentence of an error message says that the resource in the call does not exist.

    `names` are the names in the call: "network x not found" must not count for a pool with another name.
    """
    raw = _sentences(message, keep_quotes=True)
    return says(message, NOT_FOUND_SENTENCE, names) or any(map(_pattern(_QUOTED_NOT_FOUND, names).fullmatch, raw))


def says(message: str, pattern: str, names: tuple[str, ...]) -> bool:
    """Whether one sentence of an error message matches; `{name}` in the pattern stands for a name in the call."""
    return any(map(_pattern(pattern, names).fullmatch, _sentences(message)))


def _pattern(pattern: str, names: tuple[str, ...]) -> re.Pattern[str]:
    # Sentences are compared in lower case. Not str.format: the patterns have braces of their own.
    return re.compile(pattern.replace("{name}", f"(?:{'|'.join(re.escape(each.lower()) for each in names)})"))


def _sentences(message: str, *, keep_quotes: bool = False) -> Iterator[str]:
    """The sentences in lower case, with single spaces; without quotes and brackets unless `keep_quotes`."""
    text = message.lower().replace("doesn't", "does not")
    text = text if keep_quotes else _QUOTES.sub(" ", text)
    return (" ".join(part.split()) for part in _SENTENCE_END.split(text))


# The gateway refuses signatures that are further off (API Request Signing Guide).
LARGEST_CLOCK_SKEW = timedelta(minutes=15)
# The longest wait that a server can ask for: a wrong header must not stop the operator for days.
LONGEST_RETRY_AFTER = timedelta(minutes=5)
# The API does not say when a daily quota frees: retry once an hour.
DAILY_QUOTA_RETRY_AFTER = timedelta(hours=1)
# The limit of our status field (api/node_pool.py, CloudErrorRecord).
_MAX_MESSAGE = 1000

_ACCOUNTS = f"see: {remedies.list_accounts()}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A response with the code and message of its error body, the call and the time."""

    call: Call
    response: Response
    status: int
    code: str | None
    message: str
    now: datetime

    @property
    def gateway(self) -> str | None:
        """The number of a gateway's code."""
        return gateway_number(self.code)

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
    body = read_error(response.body)
    fault = Fault(call, response, response.status, body.code, body.message, now)
    meaning = next((found for rule in _RULES if (found := rule(fault)) is not None), _WRONG_ENDPOINT)
    # A cloud can quote back what it was sent, the signature included.
    quote = masked(sanitize(fault.message, 500, hidden))
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
    if kind is errors.Throttled and says_daily_quota(fault.message):
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
    wrong = fault.gateway in GATEWAY_NO_SUCH_API or fault.code in MODELARTS_NO_SUCH_API
    if wrong and fault.call.operation is Operation.LIST_WORKLOADS:
        return _NOT_OFFERED
    return _WRONG_ENDPOINT if wrong or fault.status < HTTPStatus.BAD_REQUEST else None


def _credentials(fault: Fault) -> Meaning | None:
    rejected = fault.gateway in GATEWAY_CREDENTIALS or fault.code in MODELARTS_CREDENTIALS
    if not rejected and fault.status != HTTPStatus.UNAUTHORIZED:
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
    throttled = fault.gateway in GATEWAY_THROTTLED or fault.code in MODELARTS_THROTTLED
    if not throttled and fault.status != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    is_daily = says_daily_quota(fault.message)
    return Meaning(
        errors.Throttled, "The daily quota is used up; the operator retries once an hour" if is_daily else _RETRY
    )


def _permission(fault: Fault) -> Meaning | None:
    if fault.status != HTTPStatus.FORBIDDEN:
        return None
    return Meaning(
        errors.PermissionDenied,
        "Give the IAM user modelarts:pool:list, get, update and delete, and check that the project ID belongs to the "
        f"user; {_ACCOUNTS}",
    )


def _not_found(fault: Fault) -> Meaning | None:
    if not is_modelarts_code(fault.code) or fault.code in OTHER_THING_NOT_FOUND:
        return None
    is_said = fault.status == HTTPStatus.BAD_REQUEST and _says_not_found(fault)
    if fault.status != HTTPStatus.NOT_FOUND and not is_said:
        return None
    is_resource_pool = (
        fault.call.operation in {Operation.SHOW_POOL, Operation.LIST_NODE_POOLS}
        or fault.code in RESOURCE_POOL_NOT_FOUND
    )
    return Meaning(
        errors.ResourcePoolNotFound if is_resource_pool else errors.NotFound,
        "Compare the name with the ModelArts console",
    )


def _says_not_found(fault: Fault) -> bool:
    message, names = fault.message, fault.names
    if fault.call.operation is Operation.SHOW_NODE_POOL and says(message, _INVALID_NODE_POOL_NAME, names):
        return True
    return says_not_found(message, names)


def _conflict(fault: Fault) -> Meaning | None:
    is_conflict = fault.status == HTTPStatus.CONFLICT or fault.code in MODELARTS_CONFLICT
    return Meaning(errors.Conflict, f"Another operation may still be running. {_RETRY}") if is_conflict else None


def _server_failure(fault: Fault) -> Meaning | None:
    # 408: the gateway stopped waiting; as with a 504, the outcome of the request is unknown.
    is_failure = fault.status >= HTTPStatus.INTERNAL_SERVER_ERROR or fault.status == HTTPStatus.REQUEST_TIMEOUT
    return Meaning(errors.ServerFailure, _RETRY) if is_failure else None


def _refused(fault: Fault) -> Meaning | None:
    # A 400 of ModelArts or of its gateway has a code; a 400 without a code comes from a proxy or a load balancer.
    # A gateway's 404, whatever its number, says nothing about node pools.
    is_gateways = fault.gateway is not None and fault.status != HTTPStatus.NOT_FOUND
    if not is_gateways and not is_modelarts_code(fault.code):
        return None
    return Meaning(errors.RefusedByModelArts, "Look at the node pool in the ModelArts console")


_RETRY = "The operator retries later"
_WRONG_ENDPOINT = Meaning(
    errors.WrongEndpoint,
    "This is not the ModelArts API of the region: check --endpoint, the account's region and any proxy; " + _ACCOUNTS,
)
# Not every region has this operation; all others have been there from the start.
_NOT_OFFERED = Meaning(
    errors.WrongEndpoint, "The ModelArts API of this region does not offer this operation, so it cannot name jobs"
)

# The first rule that applies; if none does, the endpoint is wrong. Codes go before statuses, because one status can
# have several meanings.
_RULES: tuple[Callable[[Fault], Meaning | None], ...] = (
    _redirect_or_no_such_api,
    _credentials,
    _throttled,
    _not_found,
    _permission,
    _conflict,
    _server_failure,
    _refused,
)
