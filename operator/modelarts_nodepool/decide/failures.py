"""Failed requests: their reasons, their messages, and when a message changes. Used by all of decide/.

Only five classes of failure need a person. All others mean that ModelArts cannot be reached, whatever it answered.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum

from modelarts_nodepool.api.meta import Condition, ConditionType, Said
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Hold, Release
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.errors import CircuitOpen, CloudError, ClusterError, Conflict, RefusedByAPIServer, Throttled
from modelarts_nodepool.ports import CloudResourcePool

# A failed request is repeated after this, or after the server's Retry-After. A rejected key is not used again: the
# circuit breaker in access/gateway.py answers instead of ModelArts.
RETRY_AFTER = timedelta(seconds=10)
SHORTEST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(minutes=5)

_FOR_PEOPLE = {
    reason.value: reason
    for reason in (
        Reason.CREDENTIALS_UNAVAILABLE,
        Reason.CREDENTIALS_REJECTED,
        Reason.PERMISSION_DENIED,
        Reason.CLOCK_SKEW,
        Reason.ENDPOINT_UNKNOWN,
    )
}

# All reasons that a failed request can have.
FAILURES = (*_FOR_PEOPLE.values(), Reason.CLOUD_UNAVAILABLE)

_EXPECTED = (Throttled, Conflict, CircuitOpen)

# The messages of these change with every answer (times, request ids) and mean the same: the first message stays.
_STEADY = frozenset(
    {
        Reason.CREDENTIALS_REJECTED,
        Reason.CLOCK_SKEW,
        Reason.CLOUD_UNAVAILABLE,
        Reason.OBSERVATION_STALE,
    }
)
# Their messages quote the API server, which may name ports and times.
_BY_API_SERVER = frozenset({Reason.NOT_PROTECTED, Reason.REFUSED_BY_API_SERVER, Reason.RELEASE_REFUSED})
_DIGITS = re.compile(r"\d+")
# What describe_resource_pool adds.
_RESOURCE_POOL = re.compile(r"; the resource pool is (?:frozen \([^)]*\)|in phase [^;]*)")


class FailureClass(StrEnum):
    """What ends a failure: a person, time, or a retry."""

    STALLED = "Stalled"
    WAITING = "Waiting"
    TRANSIENT = "Transient"


def reason_of(failure: Failure) -> Reason:
    """The reason that users see. "Not found" and refusals have reasons only for DELETEs, so they do not count here."""
    return _FOR_PEOPLE.get(failure.reason, Reason.CLOUD_UNAVAILABLE)


def class_of(failure: Failure) -> FailureClass:
    """What must happen before the same request can succeed."""
    if reason_of(failure) is not Reason.CLOUD_UNAVAILABLE:
        return FailureClass.STALLED
    # ModelArts asks to wait; nothing is wrong.
    return FailureClass.WAITING if isinstance(failure, _EXPECTED) else FailureClass.TRANSIENT


def needs_a_person(failure: Failure) -> bool:
    """Whether a retry cannot succeed until a person fixes something."""
    return class_of(failure) is FailureClass.STALLED


def asked_pause(failure: Failure, usual: timedelta = RETRY_AFTER) -> timedelta:
    """The server's Retry-After within bounds, else the usual pause."""
    asked = failure.retry_after if isinstance(failure, CloudError) else None
    return usual if asked is None else min(max(asked, SHORTEST_RETRY), LONGEST_RETRY)


def hold_for(node_pool: NodePool, failure: Failure, what: str, retry_after: timedelta, *, also: str = "") -> Hold:
    """Hold by class of failure: transient failures retry, for the others a person must act.

    `also`: another option, with its command.
    """
    way_out = f"{also}; {remedies.way_out(node_pool)}" if also else remedies.way_out(node_pool)
    said = str(failure).rstrip(". ")
    reason = reason_of(failure)
    if not needs_a_person(failure):
        when = "continues automatically" if class_of(failure) is FailureClass.WAITING else "retries automatically"
        words = f"{what}: {said}; {when}; details: {remedies.describe(node_pool)}; {way_out}"
        return Hold(reason, words, retry_after, is_transient=True)
    words = (
        f"{what}: {said}; continues automatically after the problem is fixed; see the account: "
        f"{remedies.describe_account(node_pool.spec.account_ref.name)}; {way_out}"
    )
    return Hold(reason, words, retry_after)


def describe_resource_pool(resource_pool: CloudResourcePool | None) -> str:
    """Why a resource pool may be the cause, as a part of a message; empty if it is not known, or fine."""
    if resource_pool is None:
        return ""
    frozen, phase = resource_pool.frozen, resource_pool.phase
    said = [f"; the resource pool is frozen ({frozen})"] if frozen else []
    if phase not in {"", "Running"}:
        said.append(f"; the resource pool is in phase {phase}")
    return "".join(said)


def steady_words(reason: str, last: str, new: str) -> str:
    """The message to show if `reason` is already shown with the message `last`.

    Otherwise a message that quotes a time or a request id would cause a write at every poll.
    """
    if reason in _STEADY:
        return last
    if reason == Reason.REFUSED_BY_MODELARTS and _RESOURCE_POOL.sub("", last) == new:
        # After a restart the resource pool is not known until the next attempt.
        return last
    if reason == Reason.PERMISSION_DENIED and _head(last) == _head(new):
        return last
    if reason in _BY_API_SERVER and _DIGITS.sub("", last) == _DIGITS.sub("", new):
        return last
    return new


def keep_steady(said: Mapping[ConditionType, Said], before: Iterable[Condition]) -> dict[ConditionType, Said]:
    """The same for whole conditions, only if status and reason are unchanged."""
    last = {condition.type: condition for condition in before}
    return {
        kind: words.model_copy(update={"message": steady_words(words.reason, last[kind].message, words.message)})
        if kind in last and (last[kind].status, last[kind].reason) == (words.status, words.reason)
        else words
        for kind, words in said.items()
    }


def release_refused(release: Release, error: ClusterError, retry_after: timedelta) -> Hold:
    """The decision is Release, but removing our finalizer or writing the account's audit entry fails."""
    words = f"{release.message}; the operator cannot release the object: {_said(error)}"
    # An orphan remains an orphan after a restart: the guard `retained` reads this reason.
    reason = Reason.REFUSED_BY_API_SERVER if release.is_orphan else Reason.RELEASE_REFUSED
    return _hold_refused(reason, words, error, retry_after)


def write_ahead_refused(node_pool: NodePool, error: ClusterError, retry_after: timedelta) -> Hold:
    """The decision is Send, but the write-ahead fails, so nothing is sent."""
    words = (
        f"no DELETE of node pool {node_pool.node_pool_name} was sent, because the operator cannot record it in the "
        f"object's status first: {_said(error)}"
    )
    hold = _hold_refused(Reason.REFUSED_BY_API_SERVER, words, error, retry_after)
    return Hold(hold.reason, f"{hold.message}; {remedies.way_out(node_pool)}", retry_after, hold.is_transient)


def not_protected(error: ClusterError) -> str:
    """The message of NotProtected."""
    words = (
        f"the operator cannot add its finalizer to the object: {_said(error)}; if the object is deleted now, its node "
        "pool stays in the cloud and costs money"
    )
    return f"{words}; {_WHAT_TO_DO}"


def write_refused(error: ClusterError, *, is_status: bool) -> str:
    """The message of an Event, if the status of the object cannot be written."""
    what = "the operator cannot write the status of this object, which may be out of date"
    if not is_status:
        what = "the operator cannot add its finalizer to this object, or remove it"
    return f"{what}: {_said(error)}; {_WHAT_TO_DO}"


_WHAT_TO_DO = f"retries once a minute; to find what refuses the write: {remedies.show_admission()}"


def _hold_refused(reason: Reason, words: str, error: ClusterError, retry_after: timedelta) -> Hold:
    is_transient = not isinstance(error, RefusedByAPIServer)
    return Hold(reason, f"{words}; {_WHAT_TO_DO}", retry_after, is_transient)


def _said(error: ClusterError) -> str:
    return str(error).rstrip(". ")


def _head(words: str) -> str:
    """The request and the kind of its answer, without the text of ModelArts."""
    return words.partition(" was answered ")[0]
